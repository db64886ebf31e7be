package scenarios_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/scenarios"
)

// value reads Extended JSON of the form {"v": …}; without a v it is missing.
func value(t testing.TB, text string) bson.RawValue {
	t.Helper()
	if text == "" {
		return bson.RawValue{}
	}
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(`{"v": `+text+`}`), false, &d); err != nil {
		t.Fatal(err)
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return bson.Raw(raw).Lookup("v")
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		rule             string
		expected, actual string // actual "" is missing
		inner            bool   // not a root-level document
		differ           bool
	}{
		{rule: "equal scalars", expected: `"a"`, actual: `"a"`},
		{rule: "different scalars", expected: `"a"`, actual: `"b"`, differ: true},
		{rule: "types differ", expected: `"1"`, actual: `1`, differ: true},
		{rule: "null is not missing", expected: `null`, actual: ``, differ: true},
		{rule: "null is null", expected: `null`, actual: `null`},
		{rule: "int is long", expected: `1`, actual: `{"$numberLong": "1"}`},
		{rule: "int is double", expected: `1`, actual: `1.0`},
		{rule: "int is not half", expected: `1`, actual: `1.5`, differ: true},
		{rule: "longs are exact", expected: `{"$numberLong": "9007199254740993"}`, actual: `9007199254740992.0`, differ: true},
		{rule: "int is no decimal", expected: `1`, actual: `{"$numberDecimal": "1"}`, differ: true},
		{rule: "NaN is NaN", expected: `{"$numberDouble": "NaN"}`, actual: `{"$numberDouble": "NaN"}`},
		{rule: "true is not 1", expected: `true`, actual: `1`, differ: true},
		{rule: "keys in any order", expected: `{"x": 1, "y": 1}`, actual: `{"y": 1, "x": 1}`},
		{rule: "more keys in the root", expected: `{"x": 1}`, actual: `{"x": 1, "y": 1}`},
		{rule: "fewer keys in the root", expected: `{"x": 1, "y": 1}`, actual: `{"x": 1}`, differ: true},
		{rule: "more keys below the root", expected: `{"x": {"y": 1}}`, actual: `{"x": {"y": 1, "z": 1}}`, differ: true},
		{rule: "more keys where it is not the root", expected: `{"x": 1}`, actual: `{"x": 1, "y": 1}`, inner: true, differ: true},
		{rule: "more keys in an array's document", expected: `[{"x": 1}]`, actual: `[{"x": 1, "y": 1}]`, differ: true},
		{rule: "document for a scalar", expected: `{"x": 1}`, actual: `1`, differ: true},
		{rule: "array for a document", expected: `{"0": 1}`, actual: `[1]`, differ: true},
		{rule: "arrays in order", expected: `[1, 2]`, actual: `[2, 1]`, differ: true},
		{rule: "longer array", expected: `[1, 2]`, actual: `[1, 2, 3]`, differ: true},
		{rule: "empty documents", expected: `{"x": {}}`, actual: `{"x": {}}`},

		{rule: "exists", expected: `{"x": {"$$exists": true}}`, actual: `{"x": null}`},
		{rule: "exists, missing", expected: `{"x": {"$$exists": true}}`, actual: `{}`, differ: true},
		{rule: "exists not", expected: `{"x": {"$$exists": false}}`, actual: `{}`},
		{rule: "exists not, there", expected: `{"x": {"$$exists": false}}`, actual: `{"x": null}`, differ: true},
		{rule: "exists not, below the root", expected: `{"a": {"x": {"$$exists": false}}}`, actual: `{"a": {}}`},

		{rule: "type", expected: `{"$$type": "int"}`, actual: `1`},
		{rule: "type, another", expected: `{"$$type": "long"}`, actual: `1`, differ: true},
		{rule: "type of several", expected: `{"$$type": ["long", "int"]}`, actual: `1`},
		{rule: "type of none", expected: `{"$$type": []}`, actual: `1`, differ: true},
		{rule: "type number", expected: `{"$$type": "number"}`, actual: `1.5`},
		{rule: "type of the array, not of its elements", expected: `{"$$type": "int"}`, actual: `[1]`, differ: true},
		{rule: "type of nothing", expected: `{"x": {"$$type": "int"}}`, actual: `{}`, differ: true},

		{rule: "hex bytes", expected: `{"$$matchesHexBytes": "6162"}`, actual: `"ab"`},
		{rule: "hex bytes, none", expected: `{"$$matchesHexBytes": ""}`, actual: `""`},
		{rule: "hex bytes, other", expected: `{"$$matchesHexBytes": "6162"}`, actual: `"abc"`, differ: true},
		{rule: "hex bytes, half a byte", expected: `{"$$matchesHexBytes": "616"}`, actual: `"a"`, differ: true},

		{rule: "unset", expected: `{"x": {"$$unsetOrMatches": 1}}`, actual: `{}`},
		{rule: "unset as a whole", expected: `{"$$unsetOrMatches": {"x": 1}}`, actual: ``},
		{rule: "matches", expected: `{"x": {"$$unsetOrMatches": 1}}`, actual: `{"x": 1}`},
		{rule: "neither unset nor matches", expected: `{"x": {"$$unsetOrMatches": 1}}`, actual: `{"x": 2}`, differ: true},
		{rule: "null is set", expected: `{"x": {"$$unsetOrMatches": 1}}`, actual: `{"x": null}`, differ: true},
		{rule: "the root stays the root", expected: `{"$$unsetOrMatches": {"x": 1}}`, actual: `{"x": 1, "y": 1}`},
		{rule: "operators within operators", expected: `{"$$unsetOrMatches": {"x": {"$$unsetOrMatches": {"$$type": "int"}}}}`, actual: `{"x": 1}`},

		{rule: "at most", expected: `{"$$lte": 1}`, actual: `1.0`},
		{rule: "less", expected: `{"$$lte": 1}`, actual: `{"$numberLong": "0"}`},
		{rule: "more", expected: `{"$$lte": 1}`, actual: `1.1`, differ: true},
		{rule: "no number", expected: `{"$$lte": 1}`, actual: `"0"`, differ: true},

		{rule: "as document", expected: `{"$$matchAsDocument": {"x": 1}}`, actual: `"{\"x\": 1}"`},
		{rule: "as document, more keys", expected: `{"$$matchAsDocument": {"x": 1}}`, actual: `"{\"x\": 1, \"y\": 1}"`, differ: true},
		{rule: "as document and root", expected: `{"$$matchAsDocument": {"$$matchAsRoot": {"x": 1}}}`, actual: `"{\"x\": 1, \"y\": 1}"`},
		{rule: "as root", expected: `{"a": {"$$matchAsRoot": {"x": 1}}}`, actual: `{"a": {"x": 1, "y": 1}}`},
		{rule: "as root, fewer keys", expected: `{"a": {"$$matchAsRoot": {"x": 1}}}`, actual: `{"a": {"y": 1}}`, differ: true},

		{rule: "entity", expected: `{"x": {"$$matchesEntity": "seven"}}`, actual: `{"x": 7}`},
		{rule: "entity, other", expected: `{"x": {"$$matchesEntity": "seven"}}`, actual: `{"x": 8}`, differ: true},
		{rule: "no session", expected: `{"x": {"$$sessionLsid": "s"}}`, actual: `{"x": {}}`, differ: true},

		{rule: "unknown operator", expected: `{"$$like": 1}`, actual: `1`, differ: true},
		{rule: "operator of the query language", expected: `{"q": {"$gt": 1}}`, actual: `{"q": {"$gt": 1}}`},
		{rule: "no operator beside other keys", expected: `{"$$exists": 1, "y": 1}`, actual: `{"$$exists": 1, "y": 1}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			entities := map[string]bson.RawValue{"seven": value(t, "7")}
			err := scenarios.Match(value(t, c.expected), value(t, c.actual), !c.inner, entities)
			if (err != nil) != c.differ {
				t.Errorf("expected %s, actual %s: %v", c.expected, c.actual, err)
			}
		})
	}
}

func TestMatchEachElementIsARoot(t *testing.T) {
	expected := value(t, `[{"x": 1}, {"x": {"y": 1}}]`)
	if err := scenarios.MatchEach(expected, value(t, `[{"x": 1, "z": 1}, {"x": {"y": 1}}]`)); err != nil {
		t.Error(err)
	}
	if scenarios.MatchEach(expected, value(t, `[{"x": 1}, {"x": {"y": 1, "z": 1}}]`)) == nil {
		t.Error("a key too many below the root")
	}
	if scenarios.MatchEach(expected, value(t, `[{"x": 1}]`)) == nil {
		t.Error("an element is missing")
	}
}

func TestOutcomesAreExact(t *testing.T) {
	for _, c := range []struct {
		rule, expected, actual string
		differ                 bool
	}{
		{"order of keys", `{"x": 1, "y": {"a": 1, "b": [1]}}`, `{"y": {"b": [1], "a": 1}, "x": 1}`, false},
		{"a key more", `{"x": 1}`, `{"x": 1, "y": 1}`, true},
		{"a key less", `{"x": 1, "y": 1}`, `{"x": 1}`, true},
		{"another key", `{"x": 1}`, `{"y": 1}`, true},
		{"type of a number", `{"x": 1}`, `{"x": 1.0}`, true},
		{"elements of an array", `{"x": [1, 2]}`, `{"x": [1, 3]}`, true},
		{"length of an array", `{"x": [1, 2]}`, `{"x": [1]}`, true},
		{"operators mean themselves", `{"x": {"$$exists": true}}`, `{"x": 1}`, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if err := scenarios.Same(value(t, c.expected), value(t, c.actual)); (err != nil) != c.differ {
				t.Errorf("expected %s, actual %s: %v", c.expected, c.actual, err)
			}
		})
	}
}
