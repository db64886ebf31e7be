package mongotest_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// heartbeat is how long a driver waits for news of the server, and now and then
// for its own monitor to end (Go driver 2.10).
const heartbeat = 500 * time.Millisecond

func connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetHeartbeatInterval(heartbeat))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.Disconnect(ctx)
	})
	return c
}

// TestListen: which options are wrong.
func TestListen(t *testing.T) {
	taken := mongotest.Start(t, mongotest.Options{})
	tests := []struct {
		rule string
		o    mongotest.Options
		want string
	}{
		{"an unknown version", mongotest.Options{Version: "5.0"}, `version "5.0"`},
		{"a negative oplog", mongotest.Options{OplogMB: -1}, "oplog"},
		{"a negative interval", mongotest.Options{TTLInterval: -1}, "TTL interval"},
		{"a user without a password", mongotest.Options{User: "u"}, "password"},
		{"an address that is taken", mongotest.Options{Addr: taken.Addr()}, "listen"},
		{"an address that is none", mongotest.Options{Addr: "nowhere:port"}, "listen"},
	}
	for _, test := range tests {
		s, err := mongotest.Listen(test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.rule, err, test.want)
		}
		if s != nil {
			s.Close()
		}
	}
}

// failedStart is a test that Start fails.
type failedStart struct{ message string }

func (*failedStart) Helper()                          {}
func (*failedStart) Cleanup(func())                   {}
func (f *failedStart) Fatalf(format string, _ ...any) { f.message = format }

func TestStartFails(t *testing.T) {
	var f failedStart
	if s := mongotest.Start(&f, mongotest.Options{Version: "1"}); s != nil || f.message == "" {
		t.Errorf("%v, %q", s, f.message)
	}
}

// TestHello: what servers of each version and kind say of themselves.
func TestHello(t *testing.T) {
	for version, want := range map[string]int{"6.0": 17, "7.0": 21, "8.0": 25} {
		s := mongotest.Start(t, mongotest.Options{Version: version, ReplicaSet: "set of " + version})
		w := dial(t, s)
		h := w.good("hello", 1, "$db", "admin")
		for name, n := range map[string]int{
			"minWireVersion": 0, "maxWireVersion": want, "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000,
			"maxWriteBatchSize": 100000, "logicalSessionTimeoutMinutes": 30, "setVersion": 1,
		} {
			if got := number(h, name); got != n {
				t.Errorf("%s: %s is %d, want %d", version, name, got, n)
			}
		}
		if got := text(h, "setName"); got != "set of "+version {
			t.Errorf("setName is %q", got)
		}
		for _, name := range []string{"primary", "me"} {
			if got := text(h, name); got != s.Addr() {
				t.Errorf("%s is %q", name, got)
			}
		}
		if got := text(w.good("buildInfo", 1, "$db", "admin"), "version"); !strings.HasPrefix(got, version+".") {
			t.Errorf("the version is %q, want %s", got, version)
		}
		if err := connected(t, s).Ping(within(t), nil); err != nil {
			t.Errorf("a client of %s: %v", s.URI(), err)
		}
		if h := w.good("isMaster", 1, "helloOk", true, "$db", "admin"); !value.Truthy(at(h, "ismaster")) || !value.Truthy(at(h, "helloOk")) {
			t.Errorf("isMaster: %v", h)
		}
		w.good("hello", 1, "client", value.D("driver", value.D("name", "x")), "$db", "admin")
		w.bad(186, "hello", 1, "client", value.D("driver", value.D("name", "y")), "$db", "admin")
	}
}

// TestStandalone: a server that is in no replica set has no cluster time, no
// change streams, and no retryable writes.
func TestStandalone(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{Standalone: true})
	w := dial(t, s)
	h := w.good("hello", 1, "$db", "admin")
	for _, name := range []string{"setName", "hosts", "$clusterTime", "operationTime", "electionId"} {
		if v := at(h, name); !value.Missing(v) {
			t.Errorf("a standalone says %s: %v", name, v)
		}
	}
	w.good("insert", "c", "documents", one(1), "$db", "d")
	w.bad(40573, "aggregate", "c", "pipeline", []value.Doc{value.D("$changeStream", value.D())}, "cursor", value.D(), "$db", "d")
	w.bad(20, "insert", "c", "documents", one(2), "lsid", session(), "txnNumber", int64(1), "$db", "d")
	w.bad(2, "insert", "c", "documents", one(3), "writeConcern", value.D("w", 2), "$db", "d")
	w.bad(76, "replSetStepDown", 60, "force", true, "$db", "admin")
	w.bad(76, "replSetGetStatus", 1, "$db", "admin")
	w.bad(76, "replSetResizeOplog", 1, "size", 1000.0, "$db", "admin")
	w.good("find", "c", "readConcern", value.D("level", "majority"), "$db", "d")
	s.StepDown()
	if h := w.good("hello", 1, "$db", "admin"); !value.Truthy(at(h, "isWritablePrimary")) {
		t.Errorf("a standalone stepped down: %v", h)
	}
	defer s.Freeze()()
	w.good("insert", "c", "documents", one(4), "writeConcern", value.D("w", "majority"), "$db", "d")
	coll := connected(t, s).Database("d").Collection("c")
	if n, err := coll.CountDocuments(within(t), bson.M{"_id": bson.M{"$gt": 0}}); err != nil || n < 2 {
		t.Errorf("%d documents: %v", n, err)
	}
}

// TestAuth: with a user, all but handshakes asks for a password.
func TestAuth(t *testing.T) {
	const user, password = "crawler: 1", "se/cret@ü"
	s := mongotest.Start(t, mongotest.Options{User: user, Password: password})
	good := connected(t, s)
	if _, err := good.Database("d").Collection("c").InsertOne(within(t), bson.M{"_id": 1}); err != nil {
		t.Errorf("the right password: %v", err)
	}
	w := dial(t, s)
	w.good("hello", 1, "$db", "admin")
	w.good("ping", 1, "$db", "admin")
	w.bad(13, "find", "c", "$db", "d")
	w.bad(13, "insert", "c", "documents", one(2), "$db", "d")
	w.bad(13, "getMore", int64(1), "collection", "c", "$db", "d")
	w.bad(13, "configureFailPoint", "failCommand", "mode", "off", "$db", "admin")
	for rule, login := range map[string]*url.Userinfo{
		"a wrong password": url.UserPassword(user, "secret"),
		"a wrong user":     url.UserPassword("nobody", password),
	} {
		// The driver may see its pool cleared instead of the error that cleared it,
		// and then tries again when it has heard from the server.
		c := connect(t, "mongodb://"+login.String()+"@"+s.Addr()+"/?directConnection=true&authMechanism=SCRAM-SHA-256")
		err := c.Ping(within(t), nil)
		if err == nil || !strings.Contains(err.Error(), "(AuthenticationFailed)") {
			t.Errorf("%s: %v", rule, err)
		}
	}
	open := dial(t, mongotest.Start(t, mongotest.Options{}))
	open.bad(18, "saslStart", 1, "mechanism", "SCRAM-SHA-256", "payload", value.Binary(0, []byte("n,,n=a,r=b")), "$db", "admin")
	w.bad(17, "saslContinue", 1, "conversationId", 1, "payload", value.Binary(0, nil), "$db", "admin")
}

// waits are commands that wait for something, with what makes them.
var waits = []struct {
	rule  string
	make  func(t *testing.T, s *mongotest.Server) (undo func())
	wait  func(w *wired) value.Doc
	flags wire.Flags
}{
	{"a change stream's getMore", nil, func(w *wired) value.Doc { return streamGetMore(w) }, 0},
	{"a change stream's getMore that has no end", nil, func(w *wired) value.Doc { return streamGetMore(w) }, wire.ExhaustAllowed},
	{"a hello that waits for changes", nil, awaiting, 0},
	{"a hello that waits for changes without end", nil, awaiting, wire.ExhaustAllowed},
	{"a write that no majority gets", func(_ *testing.T, s *mongotest.Server) func() { return s.Freeze() },
		func(*wired) value.Doc {
			return value.D("insert", "c", "documents", one(1), "writeConcern", value.D("w", "majority"), "$db", "d")
		}, 0},
	{"a read of what no majority has", func(t *testing.T, s *mongotest.Server) func() {
		thaw := s.Freeze()
		w := dial(t, s)
		defer w.Close()
		w.good("insert", "c", "documents", one(1), "writeConcern", value.D("w", 1), "$db", "d")
		return thaw
	}, func(w *wired) value.Doc {
		now := w.good("ping", 1, "$db", "d")
		return value.D("find", "c", "readConcern", value.D("level", "majority", "afterClusterTime", at(now, "operationTime")), "$db", "d")
	}, 0},
	{"a command that a rule holds", func(_ *testing.T, s *mongotest.Server) func() {
		return s.Inject(mongotest.Rule{Commands: []string{"ping"}, Hold: make(chan struct{})})
	}, func(*wired) value.Doc { return value.D("ping", 1, "$db", "d") }, 0},
	{"a command that a rule delays", func(_ *testing.T, s *mongotest.Server) func() {
		return s.Inject(mongotest.Rule{Commands: []string{"ping"}, Delay: time.Hour})
	}, func(*wired) value.Doc { return value.D("ping", 1, "$db", "d") }, 0},
	{"a command that a fail point blocks", func(t *testing.T, s *mongotest.Server) func() {
		failing(t, s, "alwaysOn", "failCommands", []string{"ping"}, "blockConnection", true, "blockTimeMS", 1_000_000)
		return func() { failing(t, s, "off") }
	}, func(*wired) value.Doc { return value.D("ping", 1, "$db", "d") }, 0},
	{"a command whose arrival nobody hears", func(_ *testing.T, s *mongotest.Server) func() {
		return s.Inject(mongotest.Rule{Commands: []string{"ping"}, Arrived: make(chan mongotest.Command)})
	}, func(*wired) value.Doc { return value.D("ping", 1, "$db", "d") }, 0},
}

func awaiting(w *wired) value.Doc {
	h := w.good("hello", 1, "$db", "admin")
	return value.D("hello", 1, "topologyVersion", at(h, "topologyVersion"), "maxAwaitTimeMS", 1_000_000, "$db", "admin")
}

func streamGetMore(w *wired) value.Doc {
	opened := w.good("aggregate", "c", "pipeline", []value.Doc{value.D("$changeStream", value.D())}, "cursor", value.D(), "$db", "d")
	return value.D("getMore", at(opened, "cursor", "id"), "collection", "c", "maxTimeMS", 1_000_000, "$db", "d")
}

// TestWaiting: what waits ends when its client goes, and when the server does.
// That nothing is left of it, goleak sees.
func TestWaiting(t *testing.T) {
	for _, test := range waits {
		for _, ends := range []string{"client", "server"} {
			t.Run(test.rule+", its "+ends+" ends", func(t *testing.T) {
				s := mongotest.Start(t, mongotest.Options{})
				w := named(t, s, "waiter")
				arrived := make(chan mongotest.Command)
				var sent atomic.Bool
				s.Inject(mongotest.Rule{ // before those that hold commands back
					App: "waiter", Match: func(mongotest.Command) bool { return sent.Load() }, Times: 1, Arrived: arrived,
				})
				undo := func() {}
				if test.make != nil {
					undo = test.make(t, s)
				}
				command := test.wait(w)
				sent.Store(true)
				w.send(test.flags, command)
				<-arrived
				if ends == "client" {
					w.Close()
					other := dial(t, s) // which its deadline ends, if need be
					for number(other.good("serverStatus", 1, "$db", "admin"), "connections", "current") > 1 {
					}
					undo()
					return
				}
				s.Close()
				if _, err := io.Copy(io.Discard, w); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the connection goes on")
				}
			})
		}
	}
}
