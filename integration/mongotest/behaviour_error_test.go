package mongotest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
)

// Errors of commands, fail points, and the handshake: the manual's "Error
// Codes", "hello", "buildInfo", "Stable API", and the specifications of drivers.
var errorParts = []part{
	{"commands that are none, and fields", unknownThings},
	{"wrong types", wrongTypes},
	{"an error has code and name", errorShape},
	{"fail points", failPoints},
	{"limits of time", timeLimits},
	{"logins", logins},
}

var handshakeParts = []part{
	{"hello", hello},
	{"buildInfo and other commands about the server", serverInfo},
	{"the stable API", stableAPI},
	{"compressed messages", compression},
}

func unknownThings(x *trial) {
	x.refuses(59, `{"nonsense": 1}`, `{"Find": "c"}`, `{"getLastErrorr": 1}`)
	x.refuses(40415, `{"find": "c", "nonsense": 1}`, `{"insert": "c", "documents": [{"a": 1}], "nonsense": 1}`, `{"update": "c", "updates": [{"q": {}, "u": {}, "nonsense": 1}]}`,
		`{"delete": "c", "deletes": [{"q": {}, "limit": 1, "nonsense": 1}]}`, `{"aggregate": "c", "pipeline": [], "cursor": {}, "nonsense": 1}`, `{"count": "c", "nonsense": 1}`,
		`{"distinct": "c", "key": "a", "nonsense": 1}`, `{"listCollections": 1, "nonsense": 1}`, `{"killCursors": "c", "cursors": [{"$numberLong": "1"}], "nonsense": 1}`)
	x.refuses(40414, `{"insert": "c"}`, `{"update": "c"}`, `{"delete": "c"}`, `{"distinct": "c"}`)
	x.run(`{"find": "c", "comment": {"any": "thing"}, "maxTimeMS": 5000}`)
}

func wrongTypes(x *trial) {
	x.refuses(14, `{"find": "c", "filter": "x"}`, `{"find": "c", "sort": 1}`, `{"find": "c", "limit": "x"}`, `{"find": "c", "projection": 1}`, `{"find": "c", "singleBatch": "x"}`,
		`{"insert": "c", "documents": 1}`, `{"insert": "c", "documents": [1]}`, `{"insert": "c", "documents": [{"a": 1}], "ordered": "x"}`, `{"update": "c", "updates": [1]}`,
		`{"update": "c", "updates": [{"q": 1, "u": {}}]}`, `{"update": "c", "updates": [{"q": {}, "u": {}, "multi": "x"}]}`, `{"delete": "c", "deletes": [{"q": 1, "limit": 1}]}`,
		`{"count": "c", "query": 1}`, `{"distinct": "c", "key": 1}`, `{"aggregate": "c", "pipeline": [], "cursor": 1}`, `{"listCollections": 1, "filter": 1}`)
	x.refuses(someCode, `{"find": 1}`, `{"insert": {}, "documents": [{"a": 1}]}`, `{"update": "c", "updates": [{"q": {}, "u": 1}]}`, `{"find": "c", "hint": 1}`, `{"find": "c", "maxTimeMS": -1}`)
}

func errorShape(x *trial) {
	var failed mongo.CommandError
	_, err := x.db.RunCommand(x.ctx, d(`{"find": "c", "filter": {"a": {"$nonsense": 1}}}`)).Raw()
	if !errors.As(err, &failed) {
		x.Fatalf("got %v", err)
	}
	x.fields(failed.Raw, `{"ok": 0, "code": 2, "codeName": "BadValue"}`)
	if failed.Raw.Lookup("errmsg").StringValue() == "" {
		x.Error("no errmsg")
	}
	for command, name := range map[string]string{
		`{"nonsense": 1}`: "CommandNotFound", `{"listIndexes": "absent"}`: "NamespaceNotFound", `{"find": "c", "nonsense": 1}`: "Location40415", `{"find": "c", "filter": 1}`: "TypeMismatch",
		`{"getMore": {"$numberLong": "1"}, "collection": "c"}`: "CursorNotFound", `{"find": ""}`: "InvalidNamespace",
	} {
		if _, err := x.db.RunCommand(x.ctx, d(command)).Raw(); !errors.As(err, &failed) {
			x.Errorf("%s: %v", command, err)
		} else if got := failed.Raw.Lookup("codeName").StringValue(); got != name && !(name == "Location40415" && got == "IDLUnknownField") {
			x.Errorf("%s: the codeName is %s, want %s", command, got, name)
		}
	}
}

func failPoints(x *trial) {
	const app = "behaviour-fails"
	client := x.another(options.Client().SetAppName(app).SetRetryReads(false).SetRetryWrites(false).SetHeartbeatInterval(quick))
	db := client.Database(x.db.Name())
	x.must(client.Ping(x.ctx, nil))
	count := func(want int) {
		x.Helper()
		reply, err := db.RunCommand(x.ctx, d(`{"count": "c"}`)).Raw()
		if got := codeOf(reply, err); got != want {
			x.Errorf("got the code %d (%v), want %d", got, err, want)
		}
	}
	fail := func(mode, data string) {
		x.Helper()
		x.failCommand(mode, `{"failCommands": ["count"], "appName": "`+app+`", `+data+`}`)
	}
	fail(`{"times": 2}`, `"errorCode": 121`)
	x.run(`{"count": "c"}`) // another application's
	count(121)
	count(121)
	count(0)
	fail(`{"skip": 1}`, `"errorCode": 121`)
	count(0)
	count(121)
	count(121)
	fail(`"alwaysOn"`, `"errorCode": 8000, "errorLabels": ["Mine"]`)
	_, err := db.RunCommand(x.ctx, d(`{"count": "c"}`)).Raw()
	var labelled mongo.LabeledError
	if !errors.As(err, &labelled) || !labelled.HasErrorLabel("Mine") {
		x.Errorf("got %v, want the label that the fail point says", err)
	}
	_, err = x.admin(`{"configureFailPoint": "failCommand", "mode": "off"}`)
	x.must(err)
	count(0)
	fail(`{"times": 1}`, `"closeConnection": true`)
	if _, err := db.RunCommand(x.ctx, d(`{"count": "c"}`)).Raw(); !mongo.IsNetworkError(err) {
		x.Errorf("got %v, want a network error", err)
	}
	count(0)
	fail(`{"times": 1}`, `"blockConnection": true, "blockTimeMS": 50, "errorCode": 121`)
	count(121)
	x.failCommand(`{"times": 1}`, `{"failCommands": ["insert"], "appName": "`+app+`", "writeConcernError": {"code": 100, "errmsg": "mine"}}`)
	_, err = db.Collection("c").InsertOne(x.ctx, d(`{"_id": 1}`))
	var failed mongo.WriteException
	if !errors.As(err, &failed) || failed.WriteConcernError == nil || failed.WriteConcernError.Code != 100 || failed.WriteConcernError.Message != "mine" {
		x.Errorf("got %v, want a write concern error", err)
	}
	x.has(`{"_id": 1}`) // the write was done
	reply, err := x.db.RunCommand(x.ctx, d(`{"configureFailPoint": "failCommand", "mode": "off"}`)).Raw()
	x.fails(13, "not on admin", reply, err)
}

func timeLimits(x *trial) {
	x.insert(`{"_id": 1}`)
	x.run(`{"find": "c", "maxTimeMS": 0}`)
	if x.own == nil {
		return
	}
	thaw := x.own.Freeze() // a majority that does not come
	defer thaw()
	reply := x.attempt(`{"insert": "c", "documents": [{"_id": 2}], "writeConcern": {"w": "majority", "wtimeout": 10}}`)
	x.fields(reply, `{"ok": 1, "n": 1, "writeConcernError.code": 64, "writeConcernError.errInfo.wtimeout": true}`)
	reply = x.attempt(`{"insert": "c", "documents": [{"_id": 3}], "writeConcern": {"w": "majority"}, "maxTimeMS": 10}`)
	x.fields(reply, `{"ok": 1, "n": 1, "writeConcernError.code": 50}`)
	x.gives(`{"find": "c", "readConcern": {"level": "majority"}}`, `{"_id": 1}`)
	x.ids(`{}`, 1, 2, 3)
}

func logins(x *trial) {
	if x.own == nil {
		return
	}
	versions := map[int]string{600: "6.0", 700: "7.0", 800: "8.0"}
	s := mongotest.Start(x.T, mongotest.Options{Version: versions[x.major], User: "crawler", Password: "p@ss/word"})
	ping := func(uri string) error {
		return (&trial{T: x.T, target: target{uri: uri}, ctx: x.ctx}).another(options.Client()).Database("d").RunCommand(x.ctx, d(`{"count": "c"}`)).Err()
	}
	x.must(ping(s.URI()))
	open := "mongodb://" + s.Addr() + "/?directConnection=true"
	if code := codeOf(nil, ping(open)); code != 13 {
		x.Errorf("without a login: got the code %d, want 13", code)
	}
	for _, login := range []string{"crawler:wrong@", "nobody:p%40ss%2Fword@"} {
		err := ping(strings.Replace(open, "mongodb://", "mongodb://"+login, 1) + "&authMechanism=SCRAM-SHA-256")
		if err == nil || !strings.Contains(err.Error(), "AuthenticationFailed") {
			x.Errorf("%s: got %v, want AuthenticationFailed (18)", login, err)
		}
	}
	anonymous := (&trial{T: x.T, target: target{uri: open}, ctx: x.ctx}).another(options.Client())
	for _, command := range []string{`{"hello": 1}`, `{"ping": 1}`, `{"buildInfo": 1}`, `{"connectionStatus": 1}`} {
		x.must(anonymous.Database("admin").RunCommand(x.ctx, d(command)).Err())
	}
	for _, command := range []string{`{"find": "c"}`, `{"listDatabases": 1}`, `{"serverStatus": 1}`} {
		if code := codeOf(nil, anonymous.Database("admin").RunCommand(x.ctx, d(command)).Err()); code != 13 {
			x.Errorf("%s without a login: got the code %d, want 13", command, code)
		}
	}
}

func hello(x *trial) {
	reply := x.run(`{"hello": 1}`)
	x.fields(reply, `{"ok": 1, "isWritablePrimary": true, "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000,
		"logicalSessionTimeoutMinutes": 30, "minWireVersion": 0, "readOnly": false}`)
	wire := map[int]int64{600: 17, 700: 21, 800: 25}
	if got, _ := reply.Lookup("maxWireVersion").AsInt64OK(); wire[x.major] != 0 && got != wire[x.major] {
		x.Errorf("maxWireVersion is %d, want %d", got, wire[x.major])
	}
	types := map[string]bson.Type{"localTime": bson.TypeDateTime, "topologyVersion": bson.TypeEmbeddedDocument}
	if x.set {
		for name, t := range map[string]bson.Type{"setName": bson.TypeString, "setVersion": bson.TypeInt32, "hosts": bson.TypeArray, "primary": bson.TypeString, "me": bson.TypeString,
			"electionId": bson.TypeObjectID, "lastWrite": bson.TypeEmbeddedDocument} {
			types[name] = t
		}
		x.fields(reply, `{"secondary": false}`)
	}
	for name, want := range types {
		if got := reply.Lookup(name).Type; got != want {
			x.Errorf("%s is a %s, want %s", name, got, want)
		}
	}
	if n, _ := reply.Lookup("connectionId").AsInt64OK(); n <= 0 {
		x.Error("no connectionId")
	}
	legacy := x.run(`{"isMaster": 1}`)
	x.fields(legacy, `{"ok": 1, "ismaster": true, "isWritablePrimary": null}`)
}

func serverInfo(x *trial) {
	reply := x.run(`{"buildInfo": 1}`)
	version := reply.Lookup("version").StringValue()
	if want := fmt.Sprintf("%d.%d.", x.major/100, x.major%100); !strings.HasPrefix(version, want) {
		x.Errorf("the version is %s, want %s…", version, want)
	}
	x.fields(reply, `{"maxBsonObjectSize": 16777216, "bits": 64, "debug": false}`)
	x.fields(x.run(`{"ping": 1}`), `{"ok": 1}`)
	status := x.run(`{"serverStatus": 1}`)
	if status.Lookup("uptime").Type == 0 || status.Lookup("connections", "current").Type == 0 || status.Lookup("version").StringValue() != version {
		x.Errorf("serverStatus is %s", status)
	}
	reply = x.run(`{"connectionStatus": 1}`)
	if reply.Lookup("authInfo", "authenticatedUsers").Type != bson.TypeArray {
		x.Errorf("connectionStatus is %s", reply)
	}
	reply, err := x.admin(`{"getParameter": 1, "featureCompatibilityVersion": 1}`)
	x.must(err)
	if got, want := reply.Lookup("featureCompatibilityVersion", "version").StringValue(), fmt.Sprintf("%d.%d", x.major/100, x.major%100); got != want {
		x.Errorf("featureCompatibilityVersion is %s, want %s", got, want)
	}
	if x.set {
		reply, err = x.admin(`{"replSetGetStatus": 1}`)
		x.must(err)
		x.fields(reply, `{"myState": 1, "members.0.stateStr": "PRIMARY", "members.0.self": true}`)
	}
}

func stableAPI(x *trial) {
	client := x.another(options.Client().SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1).SetStrict(true)))
	c := client.Database(x.db.Name()).Collection("c")
	_, err := c.InsertMany(x.ctx, []any{d(`{"_id": 1}`), d(`{"_id": 2}`)})
	x.must(err)
	n, err := c.CountDocuments(x.ctx, bson.D{})
	x.must(err)
	if n != 2 {
		x.Errorf("counted %d", n)
	}
	for _, command := range []string{`{"distinct": "c", "key": "a"}`, `{"serverStatus": 1}`, `{"collStats": "c"}`} {
		if code := codeOf(nil, client.Database(x.db.Name()).RunCommand(x.ctx, d(command)).Err()); code != 323 {
			x.Errorf("%s with apiStrict: got the code %d, want 323", command, code)
		}
	}
	x.refuses(322, `{"ping": 1, "apiVersion": "2"}`)
	x.refuses(someCode, `{"ping": 1, "apiStrict": true}`)
	x.run(`{"ping": 1, "apiVersion": "1"}`)
}

func compression(x *trial) {
	text := strings.Repeat("compress me ", 5000)
	for _, name := range []string{"zlib", "zstd", "snappy"} {
		client := x.another(options.Client().SetCompressors([]string{name}))
		c := client.Database(x.db.Name()).Collection(name)
		var docs []any
		for i := range 20 {
			docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "s", Value: text}})
		}
		_, err := c.InsertMany(x.ctx, docs)
		x.must(err)
		cursor, err := c.Find(x.ctx, bson.D{}, options.Find().SetBatchSize(7))
		x.must(err)
		var got []struct{ S string }
		x.must(cursor.All(x.ctx, &got))
		if len(got) != 20 || slices.ContainsFunc(got, func(e struct{ S string }) bool { return e.S != text }) {
			x.Errorf("%s: got %d documents, or other ones", name, len(got))
		}
	}
}
