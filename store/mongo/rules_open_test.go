package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
)

// TestLeaseRace: of many that ask at once one gets the lease, round after round,
// each time with a greater epoch.
func TestLeaseRace(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	stores := []*mongo.Store{p.connect(t, nil), p.connect(t, nil)}
	for round := int64(1); round <= 3; round++ {
		var wg sync.WaitGroup
		epochs := make([]int64, 100)
		errs := make([]error, 100)
		for i := range epochs {
			wg.Go(func() { epochs[i], errs[i] = stores[i%2].Acquire(t.Context(), fmt.Sprint("holder ", round, " ", i)) })
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			var held *store.HeldError
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				t.Fatalf("%d and %d both have the lease", winner, i)
			case !errors.As(err, &held):
				t.Fatalf("%d: %v", i, err)
			}
		}
		if winner < 0 || epochs[winner] != round {
			t.Fatalf("round %d: winner %d, epochs %v", round, winner, epochs)
		}
		for i, err := range errs {
			var held *store.HeldError
			if errors.As(err, &held) && held.Holder != fmt.Sprint("holder ", round, " ", winner) {
				t.Errorf("%d waits for %q; want the winner", i, held.Holder)
			}
		}
		check(t, stores[0].Release(t.Context(), round))
	}
}

// TestLeaseRunsOut: by the server's clock, and whoever had it is fenced.
func TestLeaseRunsOut(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	// The daemons' own clocks are far off, each to its side.
	early := p.connect(t, func(o *mongo.Options) { o.Now = func() time.Time { return time.Unix(1, 0) } })
	late := p.connect(t, func(o *mongo.Options) { o.Now = func() time.Time { return time.Now().Add(1000 * time.Hour) } })
	epoch, err := early.Acquire(t.Context(), "early")
	check(t, err)
	var held *store.HeldError
	if _, err := late.Acquire(t.Context(), "late"); !errors.As(err, &held) || held.Holder != "early" || time.Since(held.Since).Abs() > time.Minute {
		t.Fatalf("acquire of a held lease: %v", err)
	}
	var doc struct{ Expires, Since time.Time }
	state := p.coll("botwatch_state")
	check(t, state.FindOne(t.Context(), bson.M{"_id": "daemon"}).Decode(&doc))
	if lasts := doc.Expires.Sub(doc.Since); lasts <= 0 || lasts > 15*time.Second || time.Since(doc.Since).Abs() > time.Minute {
		t.Errorf("lease of %v from %v; want the server's time, and less than 15 s", lasts, doc.Since)
	}
	ago := func(d time.Duration) {
		_, err := state.UpdateOne(t.Context(), bson.M{"_id": "daemon"}, bson.M{"$set": bson.M{"expires": time.Now().Add(-d)}})
		check(t, err)
	}
	ago(time.Second)
	check(t, early.Renew(t.Context(), epoch)) // nobody took it
	if _, err := late.Acquire(t.Context(), "late"); !errors.As(err, &held) {
		t.Fatalf("acquire of a renewed lease: %v", err)
	}
	ago(time.Second)
	newer, err := late.Acquire(t.Context(), "late")
	check(t, err)
	if newer <= epoch {
		t.Errorf("epoch %d after %d", newer, epoch)
	}
	wantErr(t, early.Renew(t.Context(), epoch), store.ErrFenced)
	wantErr(t, early.Save(t.Context(), epoch, store.Checkpoint{Schema: store.Schema}), store.ErrFenced)
	check(t, early.Release(t.Context(), epoch)) // of what is another's: nothing
	check(t, late.Renew(t.Context(), newer))
}

// mongoOpen opens a store that should not open, and gives its error.
func openError(t *testing.T, o mongo.Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	s, err := mongo.Open(ctx, o)
	if err == nil {
		s.Close()
		t.Fatal("it opened")
	}
	return err
}

// TestPasswords: with every special character, escaped as URIs are; a wrong one is
// said to be, and no error holds any.
func TestPasswords(t *testing.T) {
	const password = `p@ss:w/o?r#d %25&=+[ü]`
	server := mongotest.Start(t, mongotest.Options{User: "crawler@home", Password: password})
	uri := func(password string) string {
		return "mongodb://" + url.QueryEscape("crawler@home") + ":" + strings.ReplaceAll(url.QueryEscape(password), "+", "%20") + "@" + server.Addr() +
			"/b?authSource=admin&replicaSet=rs0&heartbeatFrequencyMS=500&serverSelectionTimeoutMS=2000"
	}
	s, err := mongo.Open(t.Context(), mongo.Options{URI: uri(password)})
	check(t, err)
	defer s.Close()
	if _, err := s.Head(t.Context()); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]mongo.Options{
		"wrong":       {URI: uri(password + "Sesame9")},
		"unescaped":   {URI: "mongodb://u:Sesame9@x/y@" + server.Addr() + "/b"},
		"bad escape":  {URI: "mongodb://u:Sesame9%zz@" + server.Addr() + "/b"},
		"bad option":  {URI: "mongodb://u:Sesame9@" + server.Addr() + "/b?authMechanism=SESAME"},
		"predictions": {URI: uri(password), PredictionsURI: uri("Sesame9")},
		"no database": {URI: "mongodb://u:Sesame9@" + server.Addr()},
	} {
		t.Run(name, func(t *testing.T) {
			err := openError(t, o)
			for _, secret := range []string{"Sesame9", url.QueryEscape(password), password} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds the password: %v", err)
				}
			}
			if name == "wrong" && !strings.Contains(strings.ToLower(err.Error()), "auth") {
				t.Errorf("error %v; want it to speak of authentication", err)
			}
			if name == "unescaped" && !strings.Contains(err.Error(), "escaped") {
				t.Errorf("error %v; want it to speak of escaping", err)
			}
		})
	}
}

// TestRefused: what cannot work is refused before anything is written.
func TestRefused(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	with := func(change func(*mongo.Names)) mongo.Options {
		n := mongo.DefaultNames()
		change(&n)
		return mongo.Options{URI: p.uri, Names: n}
	}
	for name, c := range map[string]struct {
		o    mongo.Options
		says string
	}{
		"no database":        {mongo.Options{URI: p.server.URI()}, "no database"},
		"no scheme":          {mongo.Options{URI: "localhost/b"}, "mongodb://"},
		"accounts twice":     {with(func(n *mongo.Names) { n.Predictions = n.Accounts }), "accounts"},
		"state twice":        {with(func(n *mongo.Names) { n.State = n.DeadLetters }), "botwatch_dead_letters"},
		"a system name":      {with(func(n *mongo.Names) { n.State = "system.users" }), "system.users"},
		"an empty name":      {with(func(n *mongo.Names) { n.State = "" }), "no name"},
		"no read preference": {mongo.Options{URI: p.uri, ReadPreference: "anywhere"}, "anywhere"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := openError(t, c.o); !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v; want it to say %q", err, c.says)
			}
		})
	}
	_, err := p.coll("predictions").InsertOne(t.Context(), bson.M{"text": "of somebody else"})
	check(t, err)
	wantErr(t, openError(t, mongo.Options{URI: p.uri}), store.ErrForeign)
	names, err := p.client.Database(p.db).ListCollectionNames(t.Context(), bson.M{})
	check(t, err)
	slices.Sort(names)
	if !slices.Equal(names, []string{"accounts", "predictions"}) {
		t.Errorf("collections %v; want none made", names)
	}
}

// TestPredictionsElsewhere: a second URI takes all that is ours to another server.
func TestPredictionsElsewhere(t *testing.T) {
	p, home := newPlace(t, mongotest.Options{}), newPlace(t, mongotest.Options{})
	p.put(t, account(1, 1))
	names := mongo.DefaultNames()
	names.Predictions = names.Accounts + "_of_the_other"
	s := p.connect(t, func(o *mongo.Options) { o.PredictionsURI, o.Names = home.uri, names })
	b := work(t, s, 1)
	p.put(t, account(2, 1))
	b.waitFor(store.IntID(2), "classified")
	epoch, err := s.Acquire(t.Context(), "me")
	check(t, err)
	check(t, s.Save(t.Context(), epoch, store.Checkpoint{Schema: store.Schema}))
	there, err := p.client.Database(p.db).ListCollectionNames(t.Context(), bson.M{})
	check(t, err)
	if !slices.Equal(there, []string{"accounts"}) {
		t.Errorf("beside the accounts: %v", there)
	}
	if n, err := home.coll(names.Predictions).CountDocuments(t.Context(), bson.M{}); err != nil || n != 1 {
		t.Errorf("%d predictions (%v); want 1", n, err)
	}
	if _, err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestProtected: accounts are written only where they may be.
func TestProtected(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, func(o *mongo.Options) { o.ProtectAccounts = true })
	wantErr(t, s.PutAccounts(t.Context(), []store.Account{{ID: one, Doc: []byte("{}")}}), store.ErrReadOnly)
	wantErr(t, s.DeleteAccounts(t.Context(), []store.ID{one}), store.ErrReadOnly)
}
