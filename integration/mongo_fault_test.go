//go:build unix

package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"botwatch/integration/mongotest"
	"botwatch/simulate"
	"botwatch/store"
	"botwatch/store/mongo"
)

// work is a place where a crawler works and a daemon follows it.
type work struct {
	*mongoPlace
	store  *mongo.Store // the test's
	daemon *process
	end    func() // of the crawler, once it is to end
	n      int    // how often beats was called
}

// newWork starts both, and waits until the daemon follows.
func newWork(t *testing.T, p *mongoPlace) *work {
	t.Helper()
	w := &work{mongoPlace: p, store: p.open(t)}
	p.look = w.store
	w.daemon = p.start(t)
	w.daemon.awaitLead(t)
	w.crawl(t)
	await(t, "have accounts", patience, func() (bool, string) {
		n, err := w.store.CountAccounts(t.Context())
		return n > 60, fmt.Sprint(n, err)
	})
	p.drained(t, w.store)
	return w
}

// crawl lets a crawler write until end is called. It tries again for long what a
// fault keeps it from.
func (w *work) crawl(t *testing.T) {
	t.Helper()
	c, err := simulate.NewCrawler(simulate.Options{
		Generator: simulate.Generator{Seed: 3, Lean: true, Tweets: 20, Strict: true},
		Rate:      200, Accounts: 300, Updates: 0.6, Deletes: 0.1, Reinserts: 0.08, Poison: 0.02,
	})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, w.store) }()
	var once sync.Once
	w.end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the crawler: %v", err)
			}
		})
	}
	t.Cleanup(w.end)
}

// beats fails unless a new account is predicted soon.
func (w *work) beats(t *testing.T, after string) {
	t.Helper()
	w.n++
	id := store.StringID(fmt.Sprintf("beat %d", w.n))
	doc := simulate.Generator{Lean: true, Tweets: 20}.Account(w.n, 0, time.Now())
	await(t, "insert after "+after, patience, func() (bool, string) {
		err := w.store.PutAccounts(t.Context(), []store.Account{{ID: id, Doc: doc.JSON}})
		return err == nil, fmt.Sprint(err)
	})
	w.predicted(t, w.store, after, id, patience, func(p store.Prediction) bool { return p.Status != store.StatusDeleted })
	if w.daemon.gone() {
		t.Fatalf("after %s the daemon ended by %s:\n%s", after, w.daemon.end(), tail(w.daemon.text(), 4<<10))
	}
}

// ends ends both in order and compares what is stored.
func (w *work) ends(t *testing.T, lost int64) {
	t.Helper()
	w.end()
	w.drained(t, w.store)
	c, err := w.store.Load(t.Context())
	check(t, err)
	if c.HistoryLost != lost || len(c.Breakers) > 0 {
		t.Errorf("history lost %d times, want %d; breakers %v", c.HistoryLost, lost, c.Breakers)
	}
	w.daemon.stop(t, syscall.SIGTERM)
	if n := w.verify(t); n.good < 50 {
		t.Errorf("too little happened for this to show anything: %+v", n)
	}
}

// TestMongoFaults: what a server, a network or a majority does costs time, and no
// prediction; the daemon goes on by itself.
func TestMongoFaults(t *testing.T) {
	t.Parallel()
	p := fakeMongo(t)
	sent := &tally{of: map[string]int{}}
	p.fake.Inject(mongotest.Rule{App: daemonApp, Match: func(c mongotest.Command) bool {
		sent.add(c.Name)
		return false
	}})
	w := newWork(t, p)
	w.beats(t, "nothing")

	p.fake.StepDown()
	time.Sleep(time.Second)
	p.fake.Elect()
	w.beats(t, "a step-down")
	for range 5 {
		p.fake.Cut(daemonApp)
		time.Sleep(50 * time.Millisecond)
	}
	w.beats(t, "cut connections")
	thaw := p.fake.Freeze()
	time.Sleep(3 * time.Second)
	thaw()
	w.beats(t, "a majority that stalled")

	commands := sent.names()
	t.Logf("commands: %s", strings.Join(commands, ", "))
	for _, want := range []string{"aggregate", "find", "findAndModify", "getMore", "listCollections", "update"} {
		if !slices.Contains(commands, want) {
			t.Errorf("the daemon sent no %s", want)
		}
	}
	faults := []string{
		`{"errorCode": 8000}`, // no driver tries again by itself
		`{"closeConnection": true}`,
		`{"errorCode": 10107}`, // not the primary
	}
	if testing.Short() {
		faults = faults[:1]
	}
	for _, name := range commands {
		for _, fault := range faults {
			w.fail(t, sent, name, fault)
		}
		w.beats(t, "failed "+name)
	}
	w.fail(t, sent, "update", `{"writeConcernError": {"code": 64, "errmsg": "late"}}`)
	w.beats(t, "an update that was late")
	w.ends(t, 0)
}

// tally counts commands. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

func (n *tally) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[name]++
}

func (n *tally) count(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[name]
}

// names gives the commands that came, but for the driver's own.
func (n *tally) names() (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.of {
		if !slices.Contains([]string{"hello", "isMaster", "ismaster", "ping", "endSessions", "killCursors"}, name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// fail lets the next command of a daemon fail. What only a start sends, another
// daemon is started for, which may end by it.
func (w *work) fail(t *testing.T, sent *tally, name, fault string) {
	t.Helper()
	var data bson.D
	check(t, bson.UnmarshalExtJSON([]byte(fault), false, &data))
	data = append(data, bson.E{Key: "failCommands", Value: bson.A{name}}, bson.E{Key: "appName", Value: daemonApp})
	set := func(mode any) {
		t.Helper()
		check(t, w.db.Client().Database("admin").RunCommand(t.Context(), bson.D{
			{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}, {Key: "data", Value: data},
		}).Err())
	}
	before := sent.count(name)
	set(bson.D{{Key: "times", Value: 2}})
	defer set("off")
	if name == "createIndexes" { // sent with a new lease
		w.daemon.stop(t, syscall.SIGTERM)
		w.daemon = w.start(t)
	}
	var other *process
	begun := time.Now()
	await(t, name+" with "+fault, patience, func() (bool, string) {
		if other == nil && name != "createIndexes" && time.Since(begun) > time.Second/2 {
			other = w.start(t)
		}
		return sent.count(name) > before, "not sent"
	})
	if name == "createIndexes" {
		select {
		case <-w.daemon.leads:
		case <-w.daemon.ended: // a start may end by it, and is done again by whoever did it
			w.daemon = w.start(t)
			w.daemon.awaitLead(t)
		}
	}
	if other != nil {
		_ = other.cmd.Process.Kill() // an error means that it is gone
		other.awaitEnd(t)
	}
}

// TestMongoHistory: what takes the stream its place away is counted once, and
// leaves all as true as before.
func TestMongoHistory(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		name string
		lost int64
		do   func(t *testing.T, w *work)
	}{
		{"an oplog that rolls over while botwatch is down", 1, func(t *testing.T, w *work) {
			w.daemon.stop(t, syscall.SIGTERM)
			time.Sleep(100 * time.Millisecond) // the crawler goes on
			_, err := w.accounts().DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "beat 1"}})
			check(t, err)
			w.fake.ShortenOplog(1)
			w.daemon = w.mongoPlace.start(t)
		}},
		{"an oplog that rolls over while botwatch is paused", 1, func(t *testing.T, w *work) {
			check(t, w.daemon.cmd.Process.Signal(syscall.SIGSTOP))
			time.Sleep(500 * time.Millisecond)
			w.fake.ShortenOplog(1)
			w.fake.Cut(daemonApp)
			check(t, w.daemon.cmd.Process.Signal(syscall.SIGCONT))
		}},
		{"a clock set back while botwatch is down", 1, func(t *testing.T, w *work) {
			w.daemon.stop(t, syscall.SIGTERM)
			w.fake.SetClockBack(time.Hour)
			w.daemon = w.mongoPlace.start(t)
		}},
		{"a clock set back beside botwatch", 1, func(t *testing.T, w *work) {
			w.fake.SetClockBack(time.Hour)
		}},
		{"a collection that was dropped", 1, func(t *testing.T, w *work) {
			check(t, w.accounts().Drop(t.Context()))
		}},
		{"a collection that was renamed away and back", 1, func(t *testing.T, w *work) {
			w.end()
			w.rename(t, "accounts", "old")
			time.Sleep(200 * time.Millisecond)
			_, err := w.db.Collection("old").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "beat 1"}})
			check(t, err)
			w.rename(t, "old", "accounts")
			w.crawl(t)
		}},
		{"$out", 1, func(t *testing.T, w *work) {
			w.end()
			out(t, w.accounts(), bson.A{
				bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: "beat 1"}}}}}},
				bson.D{{Key: "$set", Value: bson.D{{Key: "user_data.followers_count", Value: 77}}}},
				bson.D{{Key: "$out", Value: "accounts"}},
			})
			w.crawl(t)
		}},
		{"another collection under the name, without an event", 1, func(t *testing.T, w *work) {
			w.daemon.stop(t, syscall.SIGTERM)
			check(t, w.fake.ReplaceCollection(w.db.Name(), "accounts"))
			w.daemon = w.mongoPlace.start(t)
		}},
	} {
		if testing.Short() && i%3 != 0 {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := fakeMongo(t)
			check(t, p.db.CreateCollection(t.Context(), "accounts"))
			w := newWork(t, p)
			w.beats(t, "nothing")
			tc.do(t, w)
			w.beats(t, tc.name)
			await(t, "count what was lost", patience, func() (bool, string) {
				c, err := w.store.Load(t.Context())
				return err == nil && c.HistoryLost >= tc.lost, fmt.Sprintf("%v, %d", err, c.HistoryLost)
			})
			time.Sleep(100 * time.Millisecond)
			w.ends(t, tc.lost)
		})
	}
}

func (w *work) rename(t *testing.T, from, to string) {
	t.Helper()
	check(t, w.db.Client().Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "renameCollection", Value: w.db.Name() + "." + from}, {Key: "to", Value: w.db.Name() + "." + to},
	}).Err())
}

func out(t *testing.T, c *driver.Collection, pipeline bson.A) {
	t.Helper()
	cursor, err := c.Aggregate(t.Context(), pipeline)
	check(t, err)
	check(t, cursor.Close(t.Context()))
}
