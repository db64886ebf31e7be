//go:build unix

package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/integration/mongotest"
	"botwatch/simulate"
	"botwatch/store"
)

// takeover is how long after a leader's sudden end another leads, at most.
const takeover = 15 * time.Second

// TestMongoStandby: one of the daemons leads, and the others say whom they wait
// for. One takes over after a kill and after a pause, and the leader that was
// paused changes nothing that the new one wrote.
func TestMongoStandby(t *testing.T) {
	t.Parallel()
	p := fakeMongo(t)
	s := p.open(t)
	p.look = s
	generator := simulate.Generator{Lean: true, Tweets: 20}
	put := func(revision, from, to int) {
		t.Helper()
		var accounts []store.Account
		for i := from; i < to; i++ {
			doc := generator.Account(i, revision, time.Now())
			accounts = append(accounts, store.Account{ID: store.StringID(doc.ID), Doc: doc.JSON})
		}
		check(t, s.PutAccounts(t.Context(), accounts))
	}
	put(0, 0, 100)
	first := p.start(t)
	first.awaitLead(t)
	p.drained(t, s)
	second := p.start(t)
	await(t, "stand by", patience, func() (bool, string) { return second.said("standing by for the daemon"), second.text() })
	if holder := fmt.Sprintf("process %d ", first.cmd.Process.Pid); !strings.Contains(second.text(), holder) {
		t.Errorf("the standby does not name %q:\n%s", holder, second.text())
	}
	select {
	case <-second.leads:
		t.Fatal("two daemons lead")
	default:
	}

	killed := time.Now()
	check(t, first.cmd.Process.Kill())
	put(1, 0, 50) // nobody follows
	second.awaitLead(t)
	if took := time.Since(killed); took > takeover {
		t.Errorf("took over after %v; want %v at most", took, takeover)
	}
	p.drained(t, s)
	if n := p.verify(t); n != (census{good: 100}) {
		t.Errorf("after a kill: %+v", n)
	}

	// A leader that is paused amid its work.
	third := p.start(t)
	await(t, "stand by", patience, func() (bool, string) { return third.said("standing by for the daemon"), third.text() })
	hold, arrived := make(chan struct{}), make(chan mongotest.Command, 1)
	p.fake.Inject(mongotest.Rule{App: daemonApp, Times: 1, Arrived: arrived, Hold: hold, Match: func(c mongotest.Command) bool {
		return c.Name == "update" && c.Coll == "predictions"
	}})
	put(2, 0, 400)
	select { // a write is under way
	case <-arrived:
	case <-time.After(patience):
		t.Fatal("the leader writes nothing")
	}
	check(t, second.cmd.Process.Signal(syscall.SIGSTOP))
	paused := time.Now()
	put(3, 0, 300)
	check(t, s.DeleteAccounts(t.Context(), []store.ID{store.StringID(generator.Account(0, 0, time.Now()).ID)}))
	third.awaitLead(t)
	if took := time.Since(paused); took > takeover {
		t.Errorf("took over after %v; want %v at most", took, takeover)
	}
	p.drained(t, s)
	stored := func() map[string]string {
		all := map[string]string{}
		each(t, p.predictions(), bson.D{}, func(doc bson.Raw) { all[key(doc.Lookup("_id"))] = string(doc) })
		return all
	}
	before := stored()
	close(hold) // the old leader's write comes late
	time.Sleep(200 * time.Millisecond)
	check(t, second.cmd.Process.Signal(syscall.SIGCONT))
	await(t, "stand by", patience, func() (bool, string) { return strings.Contains(second.text(), "standing by"), second.text() })
	for id, doc := range stored() {
		if before[id] != doc {
			t.Errorf("after the old leader came back, a prediction is another one")
			break
		}
	}
	if n := p.verify(t); n != (census{good: 399, tombstones: 1}) {
		t.Errorf("after a pause: %+v", n)
	}
	third.stop(t, syscall.SIGTERM)
	select { // what was given up is taken soon
	case <-second.leads:
	default:
	}
	second.stop(t, syscall.SIGTERM)
}

// TestMongoModel: another model is in all predictions after one backfill, their
// history says what it changed, and the stream goes on meanwhile.
func TestMongoModel(t *testing.T) {
	t.Parallel()
	accounts := 3000
	if testing.Short() {
		accounts = 500
	}
	p := fakeMongo(t)
	s := p.open(t)
	p.look = s
	generator := simulate.Generator{Lean: true, Tweets: 20}
	begun := time.Now().Truncate(time.Second)
	crawl := func(revision int) time.Time { return begun.Add(time.Duration(revision) * time.Second) }
	batch := func(revision, from, to int) {
		t.Helper()
		var list []store.Account
		for i := from; i < to; i++ {
			doc := generator.Account(i, revision, crawl(revision))
			list = append(list, store.Account{ID: store.StringID(doc.ID), Doc: doc.JSON})
		}
		check(t, s.PutAccounts(t.Context(), list))
	}
	for i := 0; i < accounts; i += 500 {
		batch(0, i, i+500)
	}
	d := p.start(t)
	d.awaitLead(t)
	p.drained(t, s)
	d.stop(t, syscall.SIGTERM)

	path, other := otherModel(t)
	d = p.start(t, "--model", path)
	d.awaitLead(t)
	backfill := command(t, nil, "backfill", "--store", p.uri)
	check(t, backfill.Start())
	done := make(chan error, 1)
	go func() { done <- backfill.Wait() }()
	var slowest time.Duration
	for revision, running := 1, true; running; revision++ {
		batch(revision, 7, 8)
		id := store.StringID(generator.Account(7, 0, time.Now()).ID)
		begun := time.Now()
		p.predicted(t, s, "an update meanwhile", id, 5*time.Second, func(p store.Prediction) bool {
			return p.Model.Digest == other.Digest() && p.Source.CrawledAt.Time().Equal(crawl(revision))
		})
		slowest = max(slowest, time.Since(begun))
		select {
		case err := <-done:
			check(t, err)
			running = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Logf("an update during the backfill was predicted within %v", slowest)
	p.drained(t, s)
	if n := p.verifyBy(t, truthBy(other)); n != (census{good: accounts}) {
		t.Errorf("with another model: %+v", n)
	}
	built := builtIn(t)
	changed := 0
	for i := range accounts {
		id := store.StringID(generator.Account(i, 0, time.Now()).ID)
		got, _ := prediction(t, s, id)
		if i == 7 {
			continue
		}
		if len(got.History) != 2 || got.History[0].Model != other.Digest() || got.History[1].Model != built.Digest() {
			t.Fatalf("account %s has the history %+v", id, got.History)
		}
		if got.History[0].Class != got.History[1].Class {
			changed++
		}
	}
	if changed == 0 {
		t.Error("the other model changed no class, so that this shows little")
	}
	t.Logf("%d of %d classes changed", changed, accounts)
	d.stop(t, syscall.SIGTERM)
}

// otherModel writes a model that is like the built-in one but for the order of
// two forests.
func otherModel(t *testing.T) (path string, m *classifier.Model) {
	t.Helper()
	shared, err := model.Default()
	check(t, err)
	var file bytes.Buffer
	check(t, model.Write(&file, shared))
	spec, err := model.Load(&file) // one of our own
	check(t, err)
	spec.Name = "other"
	spec.Classes[1].Forest, spec.Classes[2].Forest = spec.Classes[2].Forest, spec.Classes[1].Forest
	spec.Digest = spec.ComputeDigest()
	file.Reset()
	check(t, model.Write(&file, spec))
	path = filepath.Join(t.TempDir(), "other.json")
	check(t, os.WriteFile(path, file.Bytes(), 0o600))
	spec, err = model.Read(path)
	check(t, err)
	m, err = classifier.NewModel(spec)
	check(t, err)
	return path, m
}
