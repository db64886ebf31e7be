package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

func TestConfigPrint(t *testing.T) {
	path := file(t, "botwatch.yaml", "log:\n  level: warn\n  format: json\nbackfill:\n  rate: 5\n")
	got := invocation{
		args: []string{"config", "print", "--config", path, "--log-level", "debug"},
		env:  map[string]string{"BOTWATCH_STORE": "mongodb://me:secret@host/db", "BOTWATCH_LOG_FORMAT": "text", "BOTWATCH_RESCORE_RATE": "7"},
	}.run()
	if got.code != exitOK {
		t.Fatal(got.err)
	}
	for _, part := range []string{
		"level: debug # from a flag",                              // over the file
		"format: text # from BOTWATCH_LOG_FORMAT",                 // over the file
		"rate: 5 # from " + path,                                  // over the default
		"rate: 7 # from BOTWATCH_RESCORE_RATE",                    // likewise
		"store: mongodb://me:xxxxx@host/db # from BOTWATCH_STORE", // without the password
		"timezone: UTC\n",                                         // the default
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("lacks %q in\n%s", part, got.out)
		}
	}
	if strings.Contains(got.out+got.err, "secret") {
		t.Error("the password is shown")
	}
}

// TestConfigPrintReads: what is printed is a configuration that prints the same.
func TestConfigPrintReads(t *testing.T) {
	for _, args := range [][]string{nil, {"--log-level", "trace", "--store", "sqlite:x.db"}} {
		printed := succeed(t, append([]string{"config", "print", "--format", "json"}, args...)...).out
		text := succeed(t, append([]string{"config", "print"}, args...)...).out
		path := file(t, "botwatch.yaml", text)
		if got := succeed(t, "config", "print", "--format", "json", "--config", path).out; got != printed {
			t.Errorf("%v: read again it is\n%s\nand was\n%s", args, got, printed)
		}
		if !json.Valid([]byte(printed)) {
			t.Errorf("no JSON: %s", printed)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	if got := succeed(t, "config", "check"); got.out != "The configuration is good.\n" {
		t.Errorf("%+v", got)
	}
	path := file(t, "botwatch.yaml", "stor: x\nbackfill:\n  rate: -1\n  schdule: 3\nlog:\n  level: loud\ntimezone: Mars\nstale_after: soon\n")
	env := map[string]string{"BOTWATCH_LOG_FORMAT": "xml", "BOTWATCH_CONFIG": path}
	for _, args := range [][]string{{"config", "check"}, {"config", "print"}, {"classify", published}, {"model", "info"}} {
		got := invocation{args: args, env: env}.run()
		if got.code != exitRuntime || got.out != "" {
			t.Errorf("%v: exit %d, %q", args, got.code, got.out)
		}
		for _, part := range []string{
			path + ":1: stor: unknown; the nearest is store",
			path + ":4: backfill.schdule: unknown; the nearest is backfill.schedule",
			"backfill.rate: is -1", `log.level: is "loud"`, `log.format: is "xml"`, `timezone: is "Mars"`, "stale_after: ",
		} {
			if !strings.Contains(got.err, part) {
				t.Errorf("%v: lacks %q in\n%s", args, part, got.err)
			}
		}
	}
	if got := botwatch("config", "check", "--config", "nowhere.yaml"); got.code != exitRuntime || !strings.Contains(got.err, "nowhere.yaml") {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
	if got := botwatch("config", "chek"); got.code != exitUsage || !strings.Contains(got.err, "did you mean check?") {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
}

func TestVersion(t *testing.T) {
	text := succeed(t, "version").out
	if !strings.HasPrefix(text, "botwatch ") || !strings.Contains(text, runtime.Version()) || strings.Count(text, "\n") != 1 {
		t.Errorf("%q", text)
	}
	var v buildVersion
	if err := json.Unmarshal([]byte(succeed(t, "version", "--format", "json").out), &v); err != nil {
		t.Fatal(err)
	}
	if v != readBuildVersion() || v.Version == "" || v.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%+v", v)
	}
	modified := buildVersion{Version: "v1.2.3", Revision: strings.Repeat("ab", 20), Modified: true, Go: "go1.26", Platform: "linux/amd64"}
	if want := "botwatch v1.2.3, abababababab (modified), go1.26, linux/amd64"; modified.String() != want {
		t.Errorf("%q; want %q", modified, want)
	}
}
