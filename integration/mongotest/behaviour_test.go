package mongotest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
)

// realServer is the environment variable with the URI of a server that the suite
// runs on instead of mongotest.
const realServer = "BOTWATCH_TEST_MONGODB_URI"

// part is one subject of the suite. What it expects is what is published of
// MongoDB, so that it holds on a real server too.
type part struct {
	name string
	run  func(*trial)
}

// target is a server that the suite runs on.
type target struct {
	client *mongo.Client
	uri    string
	major  int               // 600 for 6.0
	own    *mongotest.Server // nil for a real server
	set    bool              // whether it is a replica set of one member
}

// trial is one part on one target, with a database of its own.
type trial struct {
	*testing.T
	target
	ctx context.Context
	db  *mongo.Database
}

// TestBehaviour holds servers against published behaviour: mongotest as each
// version, or the one server that BOTWATCH_TEST_MONGODB_URI names.
func TestBehaviour(t *testing.T) {
	parts := []part{}
	for _, topic := range [][]part{
		queryParts, orderParts, identityParts, updateParts, upsertParts, projectionParts,
		bulkParts, indexParts, cursorParts, sizeParts, pipelineParts, expressionParts, outputParts,
		retryParts, timeParts, catalogParts, validationParts, errorParts, handshakeParts,
	} {
		parts = append(parts, topic...)
	}
	if uri := os.Getenv(realServer); uri != "" {
		t.Run("real", func(t *testing.T) { behave(t, target{uri: uri}, parts) })
		return
	}
	for _, version := range []string{"6.0", "7.0", "8.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := mongotest.Start(t, mongotest.Options{Version: version})
			behave(t, target{uri: s.URI(), own: s}, parts)
		})
	}
}

func behave(t *testing.T, on target, parts []part) {
	on.client = connect(t, on.uri)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var build struct {
		VersionArray []int `bson:"versionArray"`
	}
	if err := on.client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
	on.major = build.VersionArray[0]*100 + build.VersionArray[1]
	var hello struct {
		Hosts []string `bson:"hosts"`
	}
	if err := on.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	on.set = len(hello.Hosts) == 1
	names := map[string]bool{}
	for i, p := range parts {
		if names[p.name] {
			t.Fatalf("two parts have the name %q", p.name)
		}
		names[p.name] = true
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context()) // a deadline would become the maxTimeMS of commands
			defer cancel()
			defer time.AfterFunc(time.Minute, cancel).Stop()
			x := &trial{T: t, target: on, ctx: ctx, db: on.client.Database(fmt.Sprintf("behaviour_%d_%d", os.Getpid(), i))}
			x.must(x.db.Drop(ctx))
			defer func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				x.must(x.db.Drop(ctx))
			}()
			p.run(x)
		})
	}
}

// d reads a document of extended JSON: 1 is a 32-bit integer, 1.0 a double.
func d(text string) bson.D {
	var doc bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &doc); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return doc
}

func (x *trial) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// insert inserts documents of extended JSON into the collection c.
func (x *trial) insert(docs ...string) {
	x.Helper()
	all := make([]any, len(docs))
	for i, text := range docs {
		all[i] = d(text)
	}
	_, err := x.db.Collection("c").InsertMany(x.ctx, all)
	x.must(err)
}

// fill puts documents in the place of all that the collection c has.
func (x *trial) fill(docs ...string) {
	x.Helper()
	_, err := x.db.Collection("c").DeleteMany(x.ctx, bson.D{})
	x.must(err)
	x.insert(docs...)
}

// raw runs a command that must succeed.
func (x *trial) raw(command any) bson.Raw {
	x.Helper()
	reply, err := x.db.RunCommand(x.ctx, command).Raw()
	x.must(err)
	return reply
}

// run runs a command of extended JSON that must succeed.
func (x *trial) run(command string) bson.Raw {
	x.Helper()
	reply, err := x.db.RunCommand(x.ctx, d(command)).Raw()
	if err != nil {
		x.Fatalf("%s: %v", command, err)
	}
	return reply
}

// attempt runs a command of which statements may fail.
func (x *trial) attempt(command string) bson.Raw {
	x.Helper()
	reply, err := x.db.RunCommand(x.ctx, d(command)).Raw()
	var failed mongo.WriteException
	if errors.As(err, &failed) {
		return failed.Raw
	}
	if err != nil {
		x.Fatalf("%s: %v", command, err)
	}
	return reply
}

// admin runs a command on the database admin.
func (x *trial) admin(command string) (bson.Raw, error) {
	return x.client.Database("admin").RunCommand(x.ctx, d(command)).Raw()
}

// someCode stands for any code, where none is published.
const someCode = -2

// refuses runs commands that must fail with a code: the command itself, or its
// one statement.
func (x *trial) refuses(code int, commands ...string) {
	x.Helper()
	for _, command := range commands {
		reply, err := x.db.RunCommand(x.ctx, d(command)).Raw()
		x.fails(code, command, reply, err)
	}
}

func (x *trial) fails(code int, what string, reply bson.Raw, err error) {
	x.Helper()
	if got := codeOf(reply, err); got != code && (code != someCode || got <= 0) {
		x.Errorf("%s: got the code %d (%v %s), want %d", what, got, err, reply, code)
	}
}

// codeOf gives the code of an error, or of the first one of a write's statements;
// 0 for none.
func codeOf(reply bson.Raw, err error) int {
	var command mongo.CommandError
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	switch {
	case errors.As(err, &command):
		return int(command.Code)
	case errors.As(err, &write) && len(write.WriteErrors) > 0:
		return write.WriteErrors[0].Code
	case errors.As(err, &bulk) && len(bulk.WriteErrors) > 0:
		return bulk.WriteErrors[0].Code
	case err != nil:
		return -1
	}
	code, _ := reply.Lookup("writeErrors", "0", "code").AsInt64OK()
	return int(code)
}

// documents runs a command that answers with a cursor, and gives all of its
// documents.
func (x *trial) documents(command any) []bson.Raw {
	x.Helper()
	cursor, err := x.db.RunCommandCursor(x.ctx, command)
	if err != nil {
		x.Fatalf("%v: %v", command, err)
	}
	defer cursor.Close(x.ctx)
	var docs []bson.Raw
	for cursor.Next(x.ctx) {
		docs = append(docs, bytes.Clone(cursor.Current))
	}
	if err := cursor.Err(); err != nil {
		x.Fatalf("%v: %v", command, err)
	}
	return docs
}

// gives runs a command that answers with a cursor, and holds its documents
// against those wanted, in order and field by field.
func (x *trial) gives(command string, want ...string) {
	x.Helper()
	x.same(command, x.documents(d(command)), want...)
}

// has holds the collection c against the documents that it should have, by _id.
func (x *trial) has(want ...string) {
	x.Helper()
	x.gives(`{"find": "c", "sort": {"_id": 1}}`, want...)
}

func (x *trial) same(what string, got []bson.Raw, want ...string) {
	x.Helper()
	g, w := make([]string, len(got)), make([]string, len(want))
	for i := range got {
		g[i] = canonical(got[i])
	}
	for i := range want {
		w[i] = canonical(d(want[i]))
	}
	if diff := cmp.Diff(w, g); diff != "" {
		x.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func canonical(doc any) string {
	text, err := bson.MarshalExtJSON(doc, true, false)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// fields holds some fields of a reply against those wanted. Numbers may be of any
// type: which one counts have is not published.
func (x *trial) fields(reply bson.Raw, want string) {
	x.Helper()
	for _, e := range d(want) {
		got := reply.Lookup(strings.Split(e.Key, ".")...)
		if n, ok := got.AsInt64OK(); ok {
			if w, isInt := e.Value.(int32); !isInt || int64(w) != n {
				x.Errorf("%s is %d, want %v in %s", e.Key, n, e.Value, reply)
			}
			continue
		}
		g, w := "nothing", canonical(bson.D{{Key: "v", Value: e.Value}})
		if got.Type != 0 {
			g = canonical(bson.D{{Key: "v", Value: got}})
		}
		if e.Value == nil && got.Type == 0 {
			continue
		}
		if g != w {
			x.Errorf("%s is %s, want %s in %s", e.Key, g, w, reply)
		}
	}
}

// ids holds the _ids that filters match against those wanted.
func (x *trial) ids(filter string, want ...int) {
	x.Helper()
	x.idsOf(filter, bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: d(filter)}, {Key: "sort", Value: d(`{"_id": 1}`)}}, want...)
}

func (x *trial) idsOf(what string, command any, want ...int) {
	x.Helper()
	got := []int{}
	for _, doc := range x.documents(command) {
		n, _ := doc.Lookup("_id").AsInt64OK()
		got = append(got, int(n))
	}
	if diff := cmp.Diff(append([]int{}, want...), got); diff != "" {
		x.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// another connects to the same server once more.
func (x *trial) another(o *options.ClientOptions) *mongo.Client {
	x.Helper()
	client, err := mongo.Connect(options.MergeClientOptions(options.Client().ApplyURI(x.uri), o))
	x.must(err)
	x.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		client.Disconnect(ctx)
	})
	return client
}
