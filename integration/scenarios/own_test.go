package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"botwatch/integration/scenarios"
)

// ownFile is a file of ours around the tests given: operations of the format
// that the published files of these folders do not use, and tests that have to
// fail.
const ownFile = `{
	"description": "own", "schemaVersion": "1.9",
	"createEntities": [
		{"client": {"id": "client0", "observeEvents": ["commandStartedEvent", "commandSucceededEvent", "commandFailedEvent"],
			"ignoreCommandMonitoringEvents": ["killCursors"]}},
		{"database": {"id": "database0", "client": "client0", "databaseName": "botwatch-own"}},
		{"collection": {"id": "collection0", "database": "database0", "collectionName": "things"}},
		{"session": {"id": "session0", "client": "client0"}}
	],
	"initialData": [
		{"databaseName": "botwatch-own", "collectionName": "things", "documents": [{"_id": 1, "x": 1}, {"_id": 2, "x": 2}]}
	],
	"tests": [%s]
}`

// insertedEvents are those of one insert.
const insertedEvents = `[{"client": "client0", "events": [
	{"commandStartedEvent": {"commandName": "insert", "databaseName": "botwatch-own", "command": {"insert": "things"}}},
	{"commandSucceededEvent": {"commandName": "insert", "reply": {"n": 1}}}]}]`

// own are the tests; one with a why must fail and say that.
var own = []struct{ description, operations, rest, why string }{
	{"a session is sent", `
		{"name": "find", "object": "collection0", "arguments": {"filter": {}, "session": "session0"},
			"expectResult": [{"_id": 1}, {"_id": 2}]},
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 3}, "session": "session0"}},
		{"name": "assertSameLsidOnLastTwoCommands", "object": "testRunner", "arguments": {"client": "client0"}},
		{"name": "endSession", "object": "session0"}`,
		`"expectEvents": [{"client": "client0", "ignoreExtraEvents": true, "events": [
			{"commandStartedEvent": {"command": {"lsid": {"$$sessionLsid": "session0"}}}}]}]`, ""},
	{"cursors", `
		{"name": "createFindCursor", "object": "collection0", "arguments": {"filter": {}, "batchSize": 1}, "saveResultAsEntity": "cursor0"},
		{"name": "iterateOnce", "object": "cursor0", "expectResult": {"_id": 1}},
		{"name": "iterateUntilDocumentOrError", "object": "cursor0", "expectResult": {"_id": 2, "x": 2}},
		{"name": "close", "object": "cursor0"}`, "", ""},
	{"assertions of what exists", `
		{"name": "assertCollectionExists", "object": "testRunner", "arguments": {"databaseName": "botwatch-own", "collectionName": "things"}},
		{"name": "assertCollectionNotExists", "object": "testRunner", "arguments": {"databaseName": "botwatch-own", "collectionName": "none"}},
		{"name": "createIndex", "object": "collection0", "arguments": {"keys": {"x": 1}, "name": "x_1"}},
		{"name": "assertIndexExists", "object": "testRunner", "arguments": {"databaseName": "botwatch-own", "collectionName": "things", "indexName": "x_1"}},
		{"name": "dropIndex", "object": "collection0", "arguments": {"name": "x_1"}},
		{"name": "assertIndexNotExists", "object": "testRunner", "arguments": {"databaseName": "botwatch-own", "collectionName": "things", "indexName": "x_1"}}`, "", ""},
	{"a result as an entity", `
		{"name": "countDocuments", "object": "collection0", "arguments": {"filter": {}}, "saveResultAsEntity": "two"},
		{"name": "estimatedDocumentCount", "object": "collection0", "expectResult": {"$$matchesEntity": "two"}}`, "", ""},
	{"errors are ignored", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 1}}, "ignoreResultAndError": true}`, "", ""},
	{"events and outcome", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 3}}}`,
		`"expectEvents": ` + insertedEvents + `, "outcome": [{"databaseName": "botwatch-own", "collectionName": "things",
			"documents": [{"x": 1, "_id": 1}, {"_id": 2, "x": 2}, {"_id": 3}]}]`, ""},

	{"another result", `
		{"name": "findOne", "object": "collection0", "arguments": {"filter": {}}, "expectResult": {"_id": 2}}`, "", "expected 2"},
	{"no error", `
		{"name": "findOne", "object": "collection0", "arguments": {"filter": {}}, "expectError": {"isError": true}}`, "", "no error"},
	{"an error", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 1}}}`, "", "E11000"},
	{"another code", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 1}}, "expectError": {"errorCode": 8}}`, "", "[11000]"},
	{"a server's error", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 1}}, "expectError": {"isClientError": true}}`, "", "isClientError"},
	{"a client's error", `
		{"name": "updateOne", "object": "collection0", "arguments": {"filter": {}, "update": {"x": 1}}, "expectError": {"isClientError": false}}`, "", "isClientError"},
	{"a label too few", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 1}}, "expectError": {"errorLabelsContain": ["Red"]}}`, "", `"Red"`},
	{"an unknown assertion", `
		{"name": "insertOne", "object": "collection0", "arguments": {"document": {"_id": 1}}, "expectError": {"errorColour": "red"}}`, "", "errorColour"},
	{"an unknown operation", `
		{"name": "paint", "object": "collection0", "expectError": {"isError": true}}`, "", "unknown operation"},
	{"an unknown argument", `
		{"name": "findOne", "object": "collection0", "arguments": {"filter": {}, "colour": "red"}, "expectError": {"isError": true}}`, "", "colour"},
	{"an unknown entity", `
		{"name": "findOne", "object": "collection9", "arguments": {"filter": {}}, "expectError": {"isError": true}}`, "", "collection9"},
	{"a name taken", `
		{"name": "countDocuments", "object": "collection0", "arguments": {"filter": {}}, "saveResultAsEntity": "client0"}`, "", "is there already"},
	{"an event too few", "", `"expectEvents": ` + insertedEvents, "is missing"},
	{"an event too many", `
		{"name": "findOne", "object": "collection0", "arguments": {"filter": {}}}`,
		`"expectEvents": [{"client": "client0", "events": []}]`, "had 2 events, expected 0"},
	{"another event", `
		{"name": "findOne", "object": "collection0", "arguments": {"filter": {}}}`, `"expectEvents": ` + insertedEvents, `is "find"`},
	{"another reply", `
		{"name": "insertMany", "object": "collection0", "arguments": {"documents": [{"_id": 3}, {"_id": 4}]}}`,
		`"expectEvents": ` + insertedEvents, "reply of insert"},
	{"another outcome", "", `"outcome": [{"databaseName": "botwatch-own", "collectionName": "things",
		"documents": [{"_id": 1, "x": 1}, {"_id": 2, "x": 3}]}]`, "document 1"},
	{"a document too many", "", `"outcome": [{"databaseName": "botwatch-own", "collectionName": "things",
		"documents": [{"_id": 1, "x": 1}]}]`, "2 documents"},
	{"an index that is not there", `
		{"name": "assertIndexExists", "object": "testRunner", "arguments": {"databaseName": "botwatch-own", "collectionName": "things", "indexName": "y_1"}}`, "", "y_1"},
	{"sessions of one command", `
		{"name": "findOne", "object": "collection0", "arguments": {"filter": {}}},
		{"name": "assertDifferentLsidOnLastTwoCommands", "object": "testRunner", "arguments": {"client": "client0"}}`, "", "fewer than two"},
	{"a fail point outside of sharded clusters", `
		{"name": "targetedFailPoint", "object": "testRunner", "arguments": {}}`, "", "not pinned"},
}

// TestRunner holds the runner to what a test of the format may say.
func TestRunner(t *testing.T) {
	uri := os.Getenv("BOTWATCH_TEST_MONGODB_URI")
	if uri == "" {
		uri = server{}.start(t)
	}
	d, err := scenarios.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer disconnect(t, d)
	for _, c := range own {
		t.Run(c.description, func(t *testing.T) {
			rest := ""
			if c.rest != "" {
				rest = ", " + c.rest
			}
			test := fmt.Sprintf(`{"description": %q, "operations": [%s]%s}`, c.description, c.operations, rest)
			f, err := scenarios.Parse(fmt.Appendf(nil, ownFile, test))
			if err != nil {
				t.Fatal(err)
			}
			err = d.Run(context.Background(), f, &f.Tests[0])
			switch {
			case c.why == "" && err != nil:
				t.Error(err)
			case c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)):
				t.Errorf("%v; expected %q in it", err, c.why)
			}
		})
	}
}
