package mongotest_test

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// Sessions: the specifications of drivers ("Retryable Writes", "Driver
// Sessions", "Causal Consistency") and the manual's "Read Concern" and "Write
// Concern".
var retryParts = []part{
	{"a write that comes again is not done twice", retriedWrites},
	{"a batch that comes again is done from where it stopped", retriedBatches},
	{"findAndModify that comes again", retriedFindAndModify},
	{"a transaction number that is too old", oldNumbers},
	{"writes that cannot be tried again", notRetryable},
	{"the driver tries a write again", driverRetries},
	{"labels of errors", errorLabels},
	{"not-primary errors have the topology's version", errorTopology},
}

var timeParts = []part{
	{"replies have cluster and operation time", clusterTimes},
	{"reads after a time", afterClusterTime},
	{"read concerns", readConcerns},
	{"write concerns", writeConcerns},
	{"sessions end", endedSessions},
}

// numberedSession starts a session, and gives what runs commands with the
// transaction number n in it. It has a client of its own, whose driver numbers
// nothing itself.
func (x *trial) numberedSession() func(n int, command string) (bson.Raw, error) {
	x.Helper()
	client := x.another(options.Client().SetRetryWrites(false))
	s, err := client.StartSession()
	x.must(err)
	x.Cleanup(func() { s.EndSession(x.ctx) })
	ctx := mongo.NewSessionContext(x.ctx, s)
	return func(n int, command string) (bson.Raw, error) {
		reply, err := client.Database(x.db.Name()).RunCommand(ctx, append(d(command), bson.E{Key: "txnNumber", Value: int64(n)})).Raw()
		var failed mongo.WriteException
		if errors.As(err, &failed) && len(failed.WriteErrors) > 0 {
			return failed.Raw, nil
		}
		return reply, err
	}
}

func retriedWrites(x *trial) {
	run := x.numberedSession()
	twice := func(n int, command, want string) {
		x.Helper()
		for range 2 {
			reply, err := run(n, command)
			x.must(err)
			x.fields(reply, want)
		}
	}
	twice(1, `{"insert": "c", "documents": [{"_id": 1, "n": 0}, {"_id": 2, "n": 0}]}`, `{"n": 2, "writeErrors": null}`)
	twice(2, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}, {"q": {"_id": 2}, "u": {"$inc": {"n": 5}}}]}`, `{"n": 2, "nModified": 2}`)
	twice(3, `{"update": "c", "updates": [{"q": {"_id": 3}, "u": {"$inc": {"n": 1}}, "upsert": true}]}`, `{"n": 1, "nModified": 0, "upserted.0.index": 0, "upserted.0._id": 3}`)
	x.has(`{"_id": 1, "n": 1}`, `{"_id": 2, "n": 5}`, `{"_id": 3, "n": 1}`)
	twice(4, `{"delete": "c", "deletes": [{"q": {"n": {"$gt": 0}}, "limit": 1}]}`, `{"n": 1}`)
	x.fields(x.run(`{"count": "c"}`), `{"n": 2}`)
	twice(5, `{"update": "c", "updates": [{"q": {"_id": 77}, "u": {"$inc": {"n": 1}}}]}`, `{"n": 0, "nModified": 0}`)
}

func retriedBatches(x *trial) {
	run := x.numberedSession()
	reply, err := run(1, `{"insert": "c", "documents": [{"_id": 1}, {"_id": 2}, {"_id": 1}, {"_id": 3}]}`)
	x.must(err)
	x.fields(reply, `{"n": 2, "writeErrors.0.index": 2, "writeErrors.0.code": 11000}`)
	x.run(`{"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}]}`) // else it would fail again
	reply, err = run(1, `{"insert": "c", "documents": [{"_id": 1}, {"_id": 2}, {"_id": 1}, {"_id": 3}]}`)
	x.must(err)
	x.fields(reply, `{"n": 4, "writeErrors": null}`)
	x.ids(`{}`, 1, 2, 3)
	reply, err = run(2, `{"update": "c", "ordered": false, "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}, {"q": {"_id": 2}, "u": {"$inc": {"_id": 1}}},
		{"q": {"_id": 3}, "u": {"$inc": {"n": 1}}}]}`)
	x.must(err)
	x.fields(reply, `{"n": 2, "nModified": 2, "writeErrors.0.index": 1, "writeErrors.0.code": 66}`)
	reply, err = run(2, `{"update": "c", "ordered": false, "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}, {"q": {"_id": 2}, "u": {"$inc": {"_id": 1}}},
		{"q": {"_id": 3}, "u": {"$inc": {"n": 1}}}]}`)
	x.must(err)
	x.fields(reply, `{"n": 2, "nModified": 2, "writeErrors.0.index": 1, "writeErrors.0.code": 66}`)
	x.has(`{"_id": 1, "n": 1}`, `{"_id": 2}`, `{"_id": 3, "n": 1}`)
}

func retriedFindAndModify(x *trial) {
	x.insert(`{"_id": 1, "n": 1}`)
	run := x.numberedSession()
	for range 2 {
		reply, err := run(1, `{"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"n": 1}}}`)
		x.must(err)
		x.fields(reply, `{"value": {"_id": 1, "n": 1}, "lastErrorObject.n": 1, "lastErrorObject.updatedExisting": true}`)
	}
	for range 2 {
		reply, err := run(2, `{"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"n": 1}}, "new": true}`)
		x.must(err)
		x.fields(reply, `{"value": {"_id": 1, "n": 3}}`)
	}
	for range 2 {
		reply, err := run(3, `{"findAndModify": "c", "query": {"_id": 1}, "remove": true}`)
		x.must(err)
		x.fields(reply, `{"value": {"_id": 1, "n": 3}, "lastErrorObject.n": 1}`)
	}
	for range 2 {
		reply, err := run(4, `{"findAndModify": "c", "query": {"_id": 5}, "update": {"$inc": {"n": 1}}, "upsert": true, "new": true}`)
		x.must(err)
		x.fields(reply, `{"value": {"_id": 5, "n": 1}, "lastErrorObject.upserted": 5}`)
	}
}

func oldNumbers(x *trial) {
	run := x.numberedSession()
	_, err := run(5, `{"insert": "c", "documents": [{"_id": 1}]}`)
	x.must(err)
	reply, err := run(4, `{"insert": "c", "documents": [{"_id": 2}]}`)
	x.fails(225, "a number below the last", reply, err)
	_, err = run(9, `{"insert": "c", "documents": [{"_id": 3}]}`) // numbers may be left out
	x.must(err)
	reply, err = run(5, `{"insert": "c", "documents": [{"_id": 1}]}`)
	x.fails(225, "the number before the last", reply, err)
	other := x.numberedSession()
	_, err = other(1, `{"insert": "c", "documents": [{"_id": 4}]}`) // each session counts for itself
	x.must(err)
	x.ids(`{}`, 1, 3, 4)
}

func notRetryable(x *trial) {
	x.insert(`{"_id": 1}`, `{"_id": 2}`)
	run := x.numberedSession()
	for i, command := range []string{
		`{"update": "c", "updates": [{"q": {}, "u": {"$set": {"a": 1}}, "multi": true}]}`, `{"delete": "c", "deletes": [{"q": {}, "limit": 0}]}`,
	} {
		reply, err := run(i+1, command)
		if code := codeOf(reply, err); code != 72 {
			x.Errorf("%s with a transaction number: got the code %d (%v)", command, code, err)
		}
	}
	x.has(`{"_id": 1}`, `{"_id": 2}`)
}

// failCommand sets the fail point for commands of one application, if the server
// offers it.
func (x *trial) failCommand(mode, data string) {
	x.Helper()
	_, err := x.admin(`{"configureFailPoint": "failCommand", "mode": ` + mode + `, "data": ` + data + `}`)
	if err != nil && x.own == nil {
		x.Skipf("the server offers no test commands: %v", err)
	}
	x.must(err)
	x.Cleanup(func() { x.admin(`{"configureFailPoint": "failCommand", "mode": "off"}`) })
}

// quick is how often drivers look for a server that said it is going.
const quick = 500 * time.Millisecond

func driverRetries(x *trial) {
	const app = "behaviour-retries"
	client := x.another(options.Client().SetAppName(app).SetHeartbeatInterval(quick))
	c := client.Database(x.db.Name()).Collection("c")
	x.must(client.Ping(x.ctx, nil))
	for i, data := range []string{
		`"errorCode": 10107, "errorLabels": ["RetryableWriteError"]`, `"errorCode": 91`, `"closeConnection": true`,
		`"writeConcernError": {"code": 91, "errmsg": "going down"}, "errorLabels": ["RetryableWriteError"]`,
	} {
		x.failCommand(`{"times": 1}`, `{"failCommands": ["insert", "update"], "appName": "`+app+`", `+data+`}`)
		if _, err := c.InsertOne(x.ctx, bson.D{{Key: "_id", Value: i}, {Key: "n", Value: 0}}); err != nil {
			x.Errorf("%s: %v", data, err)
		}
		x.failCommand(`{"times": 1}`, `{"failCommands": ["insert", "update"], "appName": "`+app+`", `+data+`}`)
		if r, err := c.UpdateOne(x.ctx, bson.D{{Key: "_id", Value: i}}, d(`{"$inc": {"n": 1}}`)); err != nil || r.ModifiedCount != 1 {
			x.Errorf("%s: %+v, %v", data, r, err)
		}
	}
	x.has(`{"_id": 0, "n": 1}`, `{"_id": 1, "n": 1}`, `{"_id": 2, "n": 1}`, `{"_id": 3, "n": 1}`)
	x.failCommand(`{"times": 2}`, `{"failCommands": ["insert"], "appName": "`+app+`", "errorCode": 91}`)
	if _, err := c.InsertOne(x.ctx, d(`{"_id": 9}`)); codeOf(nil, err) != 91 {
		x.Errorf("got %v; a write is tried again once", err)
	}
}

func errorLabels(x *trial) {
	const app = "behaviour-labels"
	label := func(what string, retry bool, code int, want bool) {
		x.Helper()
		client := x.another(options.Client().SetAppName(app).SetRetryWrites(retry).SetRetryReads(false).SetHeartbeatInterval(quick))
		x.must(client.Ping(x.ctx, nil))
		x.failCommand(`{"times": 2}`, fmt.Sprintf(`{"failCommands": ["insert"], "appName": "%s", "errorCode": %d}`, app, code))
		_, err := client.Database(x.db.Name()).Collection("c").InsertOne(x.ctx, d(`{"a": 1}`))
		var labelled mongo.LabeledError
		if !errors.As(err, &labelled) || codeOf(nil, err) != code {
			x.Fatalf("%s: got %v", what, err)
		}
		if got := labelled.HasErrorLabel("RetryableWriteError"); got != want {
			x.Errorf("%s: RetryableWriteError is %v", what, got)
		}
	}
	for _, code := range []int{6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436} {
		label(fmt.Sprintf("%d with a transaction number", code), true, code, true)
	}
	label("91 without a transaction number", false, 91, false)
	label("an error that does not pass", true, 121, false)
}

func errorTopology(x *trial) {
	if !x.set {
		return
	}
	var failed mongo.CommandError
	x.failCommand(`{"times": 1}`, `{"failCommands": ["count"], "errorCode": 10107}`)
	if _, err := x.db.RunCommand(x.ctx, d(`{"count": "c"}`)).Raw(); !errors.As(err, &failed) || failed.Raw.Lookup("topologyVersion", "counter").Type != bson.TypeInt64 {
		x.Errorf("the reply %v has no topologyVersion", err)
	}
	x.failCommand(`{"times": 1}`, `{"failCommands": ["count"], "errorCode": 121}`)
	if _, err := x.db.RunCommand(x.ctx, d(`{"count": "c"}`)).Raw(); !errors.As(err, &failed) || failed.Raw.Lookup("topologyVersion").Type != 0 {
		x.Errorf("the reply %v has a topologyVersion", err)
	}
}

func clusterTimes(x *trial) {
	before := x.run(`{"insert": "c", "documents": [{"_id": 1}]}`)
	after := x.run(`{"insert": "c", "documents": [{"_id": 2}]}`)
	at := func(reply bson.Raw) (operation, cluster bson.Timestamp) {
		operation.T, operation.I = reply.Lookup("operationTime").Timestamp()
		cluster.T, cluster.I = reply.Lookup("$clusterTime", "clusterTime").Timestamp()
		return operation, cluster
	}
	first, cluster := at(before)
	second, _ := at(after)
	if !second.After(first) || cluster.Before(first) {
		x.Errorf("operation times %v, %v; cluster time %v", first, second, cluster)
	}
	read := x.run(`{"find": "c"}`)
	if third, _ := at(read); third.Before(second) {
		x.Errorf("a read's operation time %v is before the write's %v", third, second)
	}
	var failed mongo.CommandError
	if _, err := x.db.RunCommand(x.ctx, d(`{"find": "c", "nonsense": 1}`)).Raw(); !errors.As(err, &failed) || failed.Raw.Lookup("operationTime").Type == 0 {
		x.Errorf("the reply %v of an error has no operationTime", err)
	}
}

func afterClusterTime(x *trial) {
	if x.own == nil && !x.set {
		return
	}
	reply := x.run(`{"insert": "c", "documents": [{"_id": 1}]}`)
	t, i := reply.Lookup("operationTime").Timestamp()
	stamp := fmt.Sprintf(`{"$timestamp": {"t": %d, "i": %d}}`, t, i)
	for _, level := range []string{"local", "majority"} {
		x.gives(`{"find": "c", "readConcern": {"level": "`+level+`", "afterClusterTime": `+stamp+`}}`, `{"_id": 1}`)
	}
	x.refuses(72, fmt.Sprintf(`{"find": "c", "readConcern": {"afterClusterTime": {"$timestamp": {"t": %d, "i": 1}}}}`, t+3600))
	x.refuses(14, `{"find": "c", "readConcern": {"afterClusterTime": 5}}`)
	// Causal consistency, as the driver does it: each read sees the session's writes.
	s, err := x.client.StartSession(options.Session().SetCausalConsistency(true))
	x.must(err)
	defer s.EndSession(x.ctx)
	ctx := mongo.NewSessionContext(x.ctx, s)
	c := x.db.Collection("c", options.Collection().SetReadConcern(readconcern.Majority()).SetWriteConcern(writeconcern.W1()))
	for i := 10; i < 30; i++ {
		_, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: i}})
		x.must(err)
		if n, err := c.CountDocuments(ctx, bson.D{{Key: "_id", Value: i}}); err != nil || n != 1 {
			x.Fatalf("a session's read does not see its write: %d, %v", n, err)
		}
	}
}

func readConcerns(x *trial) {
	x.insert(`{"_id": 1}`)
	for _, level := range []string{"local", "available", "majority", "linearizable"} {
		x.gives(`{"find": "c", "readConcern": {"level": "`+level+`"}}`, `{"_id": 1}`)
		x.fields(x.run(`{"count": "c", "readConcern": {"level": "`+level+`"}}`), `{"n": 1}`)
	}
	x.gives(`{"find": "c", "readConcern": {}}`, `{"_id": 1}`)
	x.refuses(someCode, `{"find": "c", "readConcern": {"level": "nonsense"}}`, `{"find": "c", "readConcern": {"nonsense": 1}}`, `{"find": "c", "readConcern": 1}`)
}

func writeConcerns(x *trial) {
	x.fields(x.run(`{"insert": "c", "documents": [{"_id": 1}], "writeConcern": {"w": 1}}`), `{"n": 1, "writeConcernError": null}`)
	x.fields(x.run(`{"insert": "c", "documents": [{"_id": 2}], "writeConcern": {"w": "majority", "wtimeout": 10000, "j": true}}`), `{"n": 1, "writeConcernError": null}`)
	reply := x.attempt(`{"insert": "c", "documents": [{"_id": 3}], "writeConcern": {"w": "nonsense"}}`)
	x.fields(reply, `{"ok": 1, "n": 1, "writeConcernError.code": 79, "writeConcernError.codeName": "UnknownReplWriteConcern"}`)
	if x.set {
		reply = x.attempt(`{"insert": "c", "documents": [{"_id": 4}], "writeConcern": {"w": 2}}`)
		x.fields(reply, `{"ok": 1, "n": 1, "writeConcernError.code": 100, "writeConcernError.codeName": "UnsatisfiableWriteConcern"}`)
		reply = x.attempt(`{"insert": "c", "documents": [{"_id": 1}, {"_id": 5}], "ordered": false, "writeConcern": {"w": 2}}`)
		x.fields(reply, `{"ok": 1, "n": 1, "writeErrors.0.code": 11000, "writeConcernError.code": 100}`)
		x.ids(`{}`, 1, 2, 3, 4, 5) // it is no write error
		reply = x.attempt(`{"findAndModify": "c", "query": {"_id": 1}, "update": {"$set": {"a": 1}}, "writeConcern": {"w": 2}}`)
		x.fields(reply, `{"ok": 1, "value": {"_id": 1}, "writeConcernError.code": 100}`)
		reply = x.attempt(`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}], "writeConcern": {"w": 2}}`)
		x.fields(reply, `{"ok": 1, "writeConcernError.code": 100}`)
	}
	x.refuses(9, `{"insert": "c", "documents": [{"_id": 6}], "writeConcern": {"w": -1}}`, `{"insert": "c", "documents": [{"_id": 6}], "writeConcern": {"w": 51}}`)
	x.refuses(someCode, `{"insert": "c", "documents": [{"_id": 6}], "writeConcern": {"nonsense": 1}}`)
	x.refuses(72, `{"find": "c", "writeConcern": {"w": 1}}`, `{"aggregate": "c", "pipeline": [], "cursor": {}, "writeConcern": {"w": 1}}`)
	x.run(`{"aggregate": "c", "pipeline": [{"$out": "o"}], "cursor": {}, "writeConcern": {"w": 1}}`)
	_, err := x.db.Collection("c", options.Collection().SetWriteConcern(writeconcern.Unacknowledged())).InsertOne(x.ctx, d(`{"_id": 7}`))
	x.must(err)
}

func endedSessions(x *trial) {
	s, err := x.client.StartSession()
	x.must(err)
	ctx := mongo.NewSessionContext(x.ctx, s)
	_, err = x.db.Collection("c").InsertOne(ctx, d(`{"_id": 1}`))
	x.must(err)
	s.EndSession(x.ctx)
	reply := x.run(`{"startSession": 1}`)
	id := reply.Lookup("id", "id")
	if id.Type != bson.TypeBinary {
		x.Fatalf("startSession gives %s", reply)
	}
	x.fields(reply, `{"timeoutMinutes": 30}`)
	lsid := bson.D{{Key: "id", Value: id}}
	x.raw(bson.D{{Key: "refreshSessions", Value: bson.A{lsid}}})
	x.raw(bson.D{{Key: "endSessions", Value: bson.A{lsid}}})
	var wg sync.WaitGroup // sessions are for one user at a time; the server must not mind others
	for i := range 8 {
		wg.Go(func() {
			if _, err := x.db.Collection("c").InsertOne(x.ctx, bson.D{{Key: "_id", Value: 100 + i}}); err != nil {
				x.Error(err)
			}
		})
	}
	wg.Wait()
}
