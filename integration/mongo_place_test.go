//go:build unix

package integration_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"botwatch/integration/mongoserver"
	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
)

// daemonApp is what daemons call themselves to a server; what tests do goes by
// other names, so that faults meet daemons alone.
const daemonApp = "botwatch"

// mongoPlace is a database of its own on a server.
type mongoPlace struct {
	uri  string            // with the database: a daemon's --store
	fake *mongotest.Server // nil: a real server
	db   *driver.Database

	look     store.Store // to look around by
	lostUpTo uint64      // the last change that was lost
}

var mongoPlaces atomic.Int64

// anyMongo makes a place on the server that tests run against.
func anyMongo(t testing.TB) *mongoPlace {
	t.Helper()
	return newMongoPlace(t, mongoserver.Start(t))
}

// fakeMongo makes a place on mongotest, for tests that need its faults.
func fakeMongo(t testing.TB) *mongoPlace {
	t.Helper()
	server := mongotest.Start(t, mongotest.Options{})
	return newMongoPlace(t, mongoserver.Server{URI: server.URI(), Fake: server})
}

func newMongoPlace(t testing.TB, server mongoserver.Server) *mongoPlace {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(server.URI).SetAppName("crawler").SetWriteConcern(writeconcern.Majority()))
	check(t, err)
	name := fmt.Sprintf("botwatch_e2e_%d_%d", os.Getpid(), mongoPlaces.Add(1))
	p := &mongoPlace{uri: server.Database(name), fake: server.Fake, db: client.Database(name)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if p.fake == nil {
			_ = p.db.Drop(ctx) // it is in nobody's way
		}
		_ = client.Disconnect(ctx) // an error means that it is disconnected
	})
	return p
}

// open opens the store in this process, as a crawler or a dashboard does.
func (p *mongoPlace) open(t testing.TB) *mongo.Store {
	t.Helper()
	uri := p.uri + "?appName=test"
	if strings.Contains(p.uri, "?") {
		uri = p.uri + "&appName=test"
	}
	s, err := mongo.Open(t.Context(), mongo.Options{URI: uri})
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func (p *mongoPlace) oplog() *driver.Collection {
	return p.db.Client().Database("local").Collection("oplog.rs")
}
func (p *mongoPlace) accounts() *driver.Collection    { return p.db.Collection("accounts") }
func (p *mongoPlace) predictions() *driver.Collection { return p.db.Collection("predictions") }

// start starts a daemon that looks for what it has to do more often than is usual.
func (p *mongoPlace) start(t testing.TB, args ...string) *process {
	t.Helper()
	return startOn(t, p.uri, []string{"BOTWATCH_CHECKPOINT_INTERVAL=200ms"}, args...)
}

// free lets the lease of a daemon that was killed run out.
func (p *mongoPlace) free(t testing.TB) {
	t.Helper()
	_, err := p.db.Collection("botwatch_state").UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "daemon"}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "expires", Value: time.Unix(0, 0)}}}})
	check(t, err)
}

// drained waits until all that happened to accounts before is durable, and nothing
// is owed.
func (p *mongoPlace) drained(t testing.TB, s store.Store) {
	t.Helper()
	last := p.head(t)
	await(t, "work off all changes", patience, func() (bool, string) {
		c, err := s.Load(t.Context())
		check(t, err)
		return c.Schema != 0 && c.Seq >= last && c.Owed == nil && len(c.Scans) == 0,
			fmt.Sprintf("checkpoint at %d, the last change at %d, owed %v, scans %v, breakers %v", c.Seq, last, c.Owed, c.Scans, c.Breakers)
	})
}

// key tells values apart, the types of numbers too.
func key(v bson.RawValue) string { return string(rune(v.Type)) + string(v.Value) }

// each gives the documents of a collection to f.
func each(t testing.TB, c *driver.Collection, filter any, f func(doc bson.Raw)) {
	t.Helper()
	cursor, err := c.Find(t.Context(), filter)
	check(t, err)
	defer cursor.Close(t.Context())
	for cursor.Next(t.Context()) {
		f(cursor.Current)
	}
	check(t, cursor.Err())
}

// verify compares what is stored with a fresh classification of the accounts as
// they are stored, and looks that nothing else is there, and that each _id is the
// account's in type and value.
func (p *mongoPlace) verify(t testing.TB) census {
	t.Helper()
	return p.verifyBy(t, newTruth(t))
}

func (p *mongoPlace) verifyBy(t testing.TB, w *truth) (n census) {
	t.Helper()
	d := &differences{TB: t}
	defer d.end()
	s := p.open(t)
	defer s.Close()
	n = compare(d, s, w)
	live := map[string]bool{}
	each(t, p.accounts(), bson.D{}, func(doc bson.Raw) { live[key(doc.Lookup("_id"))] = true })
	if len(live) != n.good+n.poison {
		d.wrong("a scan found %d of %d accounts", n.good+n.poison, len(live))
	}
	each(t, p.predictions(), bson.D{}, func(doc bson.Raw) {
		id := doc.Lookup("_id")
		if status, _ := doc.Lookup("status").StringValueOK(); status != string(store.StatusDeleted) {
			if !live[key(id)] {
				d.wrong("prediction %v of type %v has no account of that type and value", id, id.Type)
			}
			return
		}
		n.tombstones++
		if got := fields(t, doc); !slices.Equal(got, []string{"_id", "expires_at", "source", "status"}) {
			d.wrong("tombstone %v has %v", id, got)
		}
		if got := fields(t, doc.Lookup("source").Document()); !slices.Equal(got, []string{"epoch", "seq", "via"}) {
			d.wrong("the source of tombstone %v has %v", id, got)
		}
	})
	each(t, p.db.Collection("botwatch_dead_letters"), bson.D{}, func(doc bson.Raw) {
		if id := doc.Lookup("_id"); !live[key(id)] {
			d.wrong("letter %v of type %v has no account of that type and value", id, id.Type)
		}
	})
	return n
}

// fields gives the names of a document's fields, sorted.
func fields(t testing.TB, doc bson.Raw) (names []string) {
	t.Helper()
	elements, err := doc.Elements()
	check(t, err)
	for _, e := range elements {
		names = append(names, e.Key())
	}
	slices.Sort(names)
	return names
}

// predicted waits until the prediction of an account is as ok wants it.
func (p *mongoPlace) predicted(t testing.TB, s store.Store, what string, id store.ID, limit time.Duration, ok func(store.Prediction) bool) {
	t.Helper()
	begun := time.Now()
	await(t, what, limit, func() (bool, string) {
		got, found := prediction(t, s, id)
		return found && ok(got), fmt.Sprintf("%v, status %q, class %d", found, got.Status, got.Class)
	})
	t.Logf("%s: seen after %v", what, time.Since(begun).Round(time.Millisecond))
}
