package scenarios_test

import (
	"strings"
	"testing"

	"botwatch/integration/scenarios"
)

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	const good = `{"description": "d", "schemaVersion": "1.0", "tests": [
		{"description": "t", "operations": [{"name": "n", "object": "o", "expectResult": null}]}]}`
	f, err := scenarios.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Tests[0].Operations[0].ExpectResult; got.String() != "null" {
		t.Errorf("an expected null is read as %v", got)
	}
	for rule, text := range map[string]string{
		"newer schema":         strings.Replace(good, `"1.0"`, `"1.99"`, 1),
		"other major schema":   strings.Replace(good, `"1.0"`, `"2.0"`, 1),
		"schema is no version": strings.Replace(good, `"1.0"`, `"one"`, 1),
		"key of the file":      strings.Replace(good, `"tests"`, `"more": 1, "tests"`, 1),
		"key of a test":        strings.Replace(good, `"operations"`, `"expectLogMessages": [], "operations"`, 1),
		"key of an operation":  strings.Replace(good, `"name"`, `"retry": 1, "name"`, 1),
		"key of a requirement": strings.Replace(good, `"tests"`, `"runOnRequirements": [{"serverParameters": {}}], "tests"`, 1),
		"no JSON":              good[1:],
	} {
		if _, err := scenarios.Parse([]byte(text)); err == nil {
			t.Errorf("%s: no error", rule)
		}
	}
}

func TestRequirements(t *testing.T) {
	version, err := scenarios.ParseVersion("8.0.10-rc1")
	if err != nil {
		t.Fatal(err)
	}
	facts := scenarios.Facts{Version: version, Topology: "replicaset"}
	yes := true
	type list = []scenarios.Requirement
	for _, c := range []struct {
		rule         string
		requirements list
		reason       scenarios.Reason
	}{
		{"none", nil, scenarios.InScope},
		{"lower bound is met", list{{Min: "8.0.10"}}, scenarios.InScope},
		{"numbers, not text", list{{Min: "8.0.9"}}, scenarios.InScope},
		{"too old", list{{Min: "8.0.11"}}, scenarios.OtherVersion},
		{"upper bound is met", list{{Max: "8.0.99"}}, scenarios.InScope},
		{"too new", list{{Max: "7.99"}}, scenarios.OtherVersion},
		{"topology", list{{Topologies: []string{"single", "replicaset"}}}, scenarios.InScope},
		{"other topology", list{{Min: "4.0", Topologies: []string{"sharded"}}}, scenarios.OtherTopology},
		{"authentication", list{{Auth: &yes}}, scenarios.OtherAuth},
		{"serverless", list{{Serverless: "require"}}, scenarios.OtherSetUp},
		{"not serverless", list{{Serverless: "forbid"}}, scenarios.InScope},
		{"encryption", list{{CSFLE: &yes}}, scenarios.OtherSetUp},
		{"one of two", list{{Max: "7.0"}, {Min: "8.0"}}, scenarios.InScope},
		{"the nearer of two", list{{Topologies: []string{"sharded"}}, {Max: "7.0"}}, scenarios.OtherTopology},
	} {
		t.Run(c.rule, func(t *testing.T) {
			reason, err := scenarios.Unmet(c.requirements, facts)
			if err != nil || reason != c.reason {
				t.Errorf("%v, %v; expected %v", reason, err, c.reason)
			}
		})
	}
	if _, err := scenarios.Unmet(list{{Min: "new"}}, facts); err == nil {
		t.Error("a version that is none: no error")
	}
}

func TestOptionsReplaceThoseOfTheConnectionString(t *testing.T) {
	for _, c := range []struct{ uri, options, want string }{
		{"mongodb://h:1", `{"retryWrites": false}`, "mongodb://h:1/?retryWrites=false"},
		{"mongodb://h:1/?retrywrites=true&a=b", `{"retryWrites": false}`, "mongodb://h:1/?a=b&retryWrites=false"},
		{"mongodb://h:1/db", `{"w": 1, "readConcernLevel": "local"}`, "mongodb://h:1/db?readConcernLevel=local&w=1"},
		{"mongodb://h:1", "", "mongodb://h:1"},
	} {
		got, err := scenarios.WithOptions(c.uri, value(t, c.options))
		if err != nil || got != c.want {
			t.Errorf("%s with %s: %s, %v; expected %s", c.uri, c.options, got, err, c.want)
		}
	}
}

// TestEveryOperationIsKnown needs no server: what the runner does not know is
// found before anything is sent.
func TestEveryOperationIsKnown(t *testing.T) {
	facts := scenarios.Facts{Topology: "replicaset"}
	for _, f := range load(t) {
		f.Requirements = nil
		for _, test := range f.Tests {
			test.Requirements = nil
			reason, err := scenarios.Scope(f, &test, facts)
			if err != nil {
				t.Error(err)
			}
			if reason != scenarios.InScope {
				continue
			}
			if err := scenarios.Unknown(f, &test); err != nil {
				t.Errorf("%s: %v", scenarios.Name(f, &test), err)
			}
		}
	}
}
