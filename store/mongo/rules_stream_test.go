package mongo_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongoserver"
	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
)

// withPosition decodes a stream's position, changes it, and encodes it again.
func withPosition(t *testing.T, p store.Position, change func(bson.M)) store.Position {
	t.Helper()
	var m bson.M
	check(t, bson.Unmarshal(p[1:], &m))
	change(m)
	doc, err := bson.Marshal(m)
	check(t, err)
	return append(store.Position{p[0]}, doc...)
}

// TestTokenOfAnotherPipeline: rule 7. A position whose token a former version's
// pipeline gave is reopened by its time; nothing is lost.
func TestTokenOfAnotherPipeline(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	f, _ := stream(t, s)
	p.put(t, account(1, 1))
	_, after := take(t, f, 1)
	check(t, f.Close())
	p.put(t, account(2, 1), account(3, 1))
	from := withPosition(t, after, func(m bson.M) {
		if m["k"] == nil || m["p"] == "" {
			t.Fatal("the position has no token; the test wants one")
		}
		m["p"], m["k"] = "another", bson.M{"_data": "8200"} // which this pipeline hides, or cannot read
	})
	g := follow(t, s, from)
	changes, _ := take(t, g, 3) // the one at the position's time again, and those after it
	if got := ids(changes); !slices.Equal(got, []string{"upsert 1", "upsert 2", "upsert 3"}) {
		t.Errorf("changes %v", got)
	}
}

// large is an account within the limit whose event is over it: what stands for
// each retweet takes a byte more than a null, and the _id comes beside them.
func large(t *testing.T, mark byte) bson.D {
	t.Helper()
	d := account(bytes.Repeat([]byte{mark}, 1<<20), 1)
	tweets := make(bson.A, 40_000)
	for i := range tweets {
		tweets[i] = bson.D{{Key: "retweeted_status", Value: nil}}
	}
	d[2].Value = append(tweets, bson.D{{Key: "created_at", Value: ""}})
	raw, err := bson.Marshal(d)
	check(t, err)
	tweets = append(tweets, bson.D{{Key: "created_at", Value: strings.Repeat("x", 16<<20-len(raw)-64)}})
	d[2].Value = tweets
	return d
}

// TestEventTooLarge: rule 7. What is over the limit is passed, its account read by
// its _id, and its neighbours come in order.
func TestEventTooLarge(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	big := func(mark byte) bson.D { return large(t, mark) }
	for name, docs := range map[string][]bson.D{
		"between others":     {account(1, 1), account(2, 1), big('x'), account(3, 1), account(4, 1)},
		"first and last":     {big('x'), account(1, 1), account(2, 1), account(3, 1), big('y')},
		"one after another":  {account(1, 1), big('x'), big('y'), big('z'), account(2, 1)},
		"two and two":        {big('w'), big('x'), account(1, 1), account(2, 1), account(3, 1), big('y'), big('z')},
		"far from the start": append(many(150), big('x'), account(999, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			q := &place{server: p.server, uri: p.uri, client: p.client, db: p.db}
			check(t, q.coll("accounts").Drop(t.Context()))
			check(t, q.client.Database(q.db).CreateCollection(t.Context(), "accounts"))
			s := q.connect(t, nil)
			head, err := s.Head(t.Context())
			check(t, err)
			var want []store.ID
			for _, d := range docs {
				raw, err := bson.Marshal(d)
				check(t, err)
				_, err = q.coll("accounts").InsertOne(t.Context(), bson.Raw(raw))
				check(t, err)
				v := bson.Raw(raw).Lookup("_id")
				id, err := store.BSONID(byte(v.Type), v.Value)
				check(t, err)
				want = append(want, id)
			}
			f := follow(t, s, head.Position)
			changes, after := take(t, f, len(docs))
			seq := uint64(0)
			for i, c := range changes {
				if c.ID != want[i] || c.Op != store.OpUpsert || len(c.Doc) == 0 || c.Err != nil {
					t.Errorf("change %d: %v with a document of %d bytes, error %v", i, c.Op, len(c.Doc), c.Err)
				}
				if c.Seq < seq {
					t.Errorf("change %d: seq goes back", i)
				}
				seq = c.Seq
			}
			_, err = q.coll("accounts").InsertOne(t.Context(), account("end", 1))
			check(t, err)
			if got, _ := take(t, f, 1); got[0].ID != store.StringID("end") {
				t.Errorf("after them: %v", ids(got))
			}
			if got, _ := take(t, follow(t, s, after), 1); got[0].ID != store.StringID("end") {
				t.Errorf("reopened after them: %v", ids(got))
			}
		})
	}
}

func many(n int) (docs []bson.D) {
	for i := range n {
		docs = append(docs, account(i, 1))
	}
	return docs
}

// TestUpdateOfGone: an update whose look-up found nothing is an upsert without a
// document, and the delete follows.
func TestUpdateOfGone(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	p.put(t, account(1, 1))
	s := p.connect(t, nil)
	head, err := s.Head(t.Context())
	check(t, err)
	_, err = p.coll("accounts").UpdateOne(t.Context(), bson.M{"_id": 1}, bson.M{"$set": bson.M{"crawled_at": "2021-01-01 00:00:00"}})
	check(t, err)
	_, err = p.coll("accounts").DeleteOne(t.Context(), bson.M{"_id": 1})
	check(t, err)
	changes, _ := take(t, follow(t, s, head.Position), 2)
	if got := ids(changes); !slices.Equal(got, []string{"upsert 1", "delete 1"}) || changes[0].Doc != nil || changes[0].Err != nil {
		t.Errorf("changes %v, document %q, error %v", got, changes[0].Doc, changes[0].Err)
	}
}

// TestIdleWhileOplogRolls: rule 1. While others write and the oplog rolls, an idle
// stream's position stays usable, by its post-batch token.
func TestIdleWhileOplogRolls(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	f, head := stream(t, s)
	for range 2 { // its time is asked for at the second, and then not for a while
		_, err := f.Next(t.Context())
		check(t, err)
	}
	for range 20 {
		_, err := p.coll("elsewhere").InsertOne(t.Context(), bson.M{"x": 1})
		check(t, err)
	}
	b, err := f.Next(t.Context())
	check(t, err)
	if len(b.Changes) > 0 {
		t.Fatalf("changes %v", ids(b.Changes))
	}
	check(t, f.Close())
	p.server.ShortenOplog(1)
	if _, err := s.Stream(t.Context(), head.Position); !errors.Is(err, store.ErrHistoryLost) {
		t.Fatalf("from the old head: %v; want history lost, or the test shows nothing", err)
	}
	p.put(t, account(1, 1))
	if got, _ := take(t, follow(t, s, b.After), 1); got[0].ID != one {
		t.Errorf("after the heartbeat: %v", ids(got))
	}
}

// TestAfterInvalidate: a 260, as the driver's own resuming can meet after an
// invalidate's token, is not lost history where the stream opens again.
func TestAfterInvalidate(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	f, _ := stream(t, s)
	p.put(t, account(1, 1))
	_, after := take(t, f, 1)
	check(t, f.Close())

	// The token of the invalidate that a drop brings.
	w, err := p.coll("accounts").Watch(t.Context(), bson.A{})
	check(t, err)
	defer w.Close(context.Background())
	check(t, p.coll("accounts").Drop(t.Context()))
	for w.Next(t.Context()) && w.Current.Lookup("operationType").StringValue() != "invalidate" {
	}
	token := append(bson.Raw(nil), w.ResumeToken()...)
	check(t, p.client.Database(p.db).CreateCollection(t.Context(), "accounts"))
	head, err := s.Head(t.Context())
	check(t, err)
	from := withPosition(t, after, func(m bson.M) { m["k"], m["u"] = token, head.Identity })
	p.fail(t, times(1), bson.D{{Key: "failCommands", Value: bson.A{"getMore"}}, {Key: "errorCode", Value: 260}, {Key: "appName", Value: "botwatch"}})
	g := follow(t, s, from)
	p.put(t, account(2, 1))
	if got, _ := take(t, g, 1); got[0].ID != store.IntID(2) {
		t.Errorf("changes %v", ids(got))
	}
}

// TestStreamEnds: a drop, a rename, a rename onto it and a new collection under
// its name end a stream, and are told by its position.
func TestStreamEnds(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *place){
		"drop":   func(t *testing.T, p *place) { check(t, p.coll("accounts").Drop(t.Context())) },
		"rename": func(t *testing.T, p *place) { renameTo(t, p, "accounts", "former") },
		"rename onto it": func(t *testing.T, p *place) {
			check(t, p.client.Database(p.db).CreateCollection(t.Context(), "next"))
			renameTo(t, p, "next", "accounts")
		},
		"$out": func(t *testing.T, p *place) {
			_, err := p.coll("elsewhere").InsertOne(t.Context(), account(7, 1))
			check(t, err)
			cur, err := p.coll("elsewhere").Aggregate(t.Context(), bson.A{bson.M{"$out": "accounts"}})
			check(t, err)
			check(t, cur.Close(t.Context()))
		},
		"another under its name": func(t *testing.T, p *place) { check(t, p.server.ReplaceCollection(p.db, "accounts")) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, mongotest.Options{})
			s := p.connect(t, nil)
			f, _ := stream(t, s)
			p.put(t, account(1, 1))
			_, after := take(t, f, 1)
			p.put(t, account(2, 1))
			end(t, p)
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			var err error
			for err == nil && name != "another under its name" { // that gives no event
				_, err = f.Next(ctx)
			}
			if name != "another under its name" {
				wantErr(t, err, store.ErrSourceReplaced)
			}
			eventually(t, "what opening says", func() bool { // its connections were cut
				_, err = s.Stream(ctx, after)
				return errors.Is(err, store.ErrSourceReplaced)
			})
		})
	}
}

func renameTo(t *testing.T, p *place, from, to string) {
	t.Helper()
	check(t, p.client.Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "renameCollection", Value: p.db + "." + from}, {Key: "to", Value: p.db + "." + to}, {Key: "dropTarget", Value: true},
	}).Err())
}

// TestStreamThroughFaults: with connections cut, getMore failing, cursors killed
// and step-downs, every change comes, in order, none more often than a reopening
// by position may repeat it.
func TestStreamThroughFaults(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, named("faulty"))
	head, err := s.Head(t.Context())
	check(t, err)
	faults := []func(){
		func() { p.server.Cut("faulty") },
		func() { p.server.KillCursors() },
		func() { p.server.StepDown(); p.server.Elect() },
		func() {
			p.fail(t, times(2), bson.D{{Key: "failCommands", Value: bson.A{"getMore"}}, {Key: "errorCode", Value: 11600}, {Key: "appName", Value: "faulty"}})
		},
		func() {
			p.fail(t, times(1), bson.D{{Key: "failCommands", Value: bson.A{"aggregate"}}, {Key: "errorCode", Value: 8}, {Key: "appName", Value: "faulty"}})
			p.server.Cut("faulty")
		},
		func() {
			p.server.Inject(mongotest.Rule{App: "faulty", Commands: []string{"getMore"}, CutReply: true, Times: 1})
		},
	}
	const n = 120
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			if _, err := p.coll("accounts").InsertOne(context.Background(), account(i, 1)); err != nil {
				t.Errorf("insert: %v", err)
				return
			}
		}
	}()
	defer func() { <-done }()
	var f store.Feed
	defer func() {
		if f != nil {
			f.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
	defer cancel()
	from, want, read := head.Position, 0, 0
	for turn := 0; want < n; turn++ {
		if f == nil {
			if f, err = s.Stream(ctx, from); err != nil {
				f = nil
				if ctx.Err() != nil || errors.Is(err, store.ErrHistoryLost) || errors.Is(err, store.ErrSourceReplaced) {
					t.Fatal(err)
				}
				continue
			}
		}
		if turn%2 == 0 && turn/2 < 3*len(faults) {
			faults[turn/2%len(faults)]()
		}
		b, err := f.Next(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, store.ErrHistoryLost) || errors.Is(err, store.ErrSourceReplaced) {
				t.Fatalf("after %d changes: %v", want, err)
			}
			f.Close()
			f = nil
			continue
		}
		from = b.After
		for _, c := range b.Changes {
			read++
			if c.ID != store.IntID(int64(want)) {
				t.Fatalf("change %s; want that of account %d", c.ID, want)
			}
			want++
		}
	}
	if read != n {
		t.Errorf("%d changes read of %d: some came again within an unbroken run of positions", read, n)
	}
}

// TestStreamFrozen: nothing that no majority has comes through.
func TestStreamFrozen(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	f, head := stream(t, s)
	thaw := p.server.Freeze()
	doc, err := bson.Marshal(account(1, 1))
	check(t, err)
	check(t, p.client.Database(p.db).RunCommand(t.Context(), bson.D{{Key: "insert", Value: "accounts"}, {Key: "documents", Value: bson.A{bson.Raw(doc)}}, {Key: "writeConcern", Value: bson.M{"w": 1}}}).Err())
	for range 3 {
		b, err := f.Next(t.Context())
		check(t, err)
		if len(b.Changes) > 0 || b.Seq > head.Seq {
			t.Fatalf("changes %v, up to %d, past the majority's %d", ids(b.Changes), b.Seq, head.Seq)
		}
	}
	h, err := s.Head(t.Context())
	check(t, err)
	if h.Seq > head.Seq+1<<32 { // a second, at most, of no-ops
		t.Errorf("head moved from %d to %d without a majority", head.Seq, h.Seq)
	}
	thaw()
	take(t, f, 1)
}

// TestNoStream: rule 11.
func TestNoStream(t *testing.T) {
	server := mongotest.Start(t, mongotest.Options{Standalone: true})
	s, err := mongo.Open(t.Context(), mongo.Options{URI: mongoserver.Server{URI: server.URI() + "&heartbeatFrequencyMS=500"}.Database("b")})
	check(t, err)
	defer s.Close()
	check(t, s.PutAccounts(t.Context(), []store.Account{{ID: one, Doc: []byte(`{"crawled_at": 1}`)}}))
	a, err := s.Head(t.Context())
	check(t, err)
	b, err := s.Head(t.Context())
	check(t, err)
	if b.Seq <= a.Seq || a.Identity == "" {
		t.Errorf("heads %+v, %+v; want a seq that grows, and an identity", a, b)
	}
	for _, from := range []store.Position{nil, a.Position} {
		_, err := s.Stream(t.Context(), from)
		wantErr(t, err, store.ErrNoStream)
	}
	f, err := s.Scan(t.Context(), nil, store.ScanDocs)
	check(t, err)
	defer f.Close()
	changes, _ := take(t, f, 1)
	if changes[0].Seq <= b.Seq {
		t.Errorf("scanned at %d; want more than the head, %d", changes[0].Seq, b.Seq)
	}
	if got := write(t, s, replace(one, store.Version{Epoch: 1, Seq: changes[0].Seq})); got.Result != store.Written {
		t.Error(got)
	}
	findings, err := s.Check(t.Context())
	check(t, err)
	if !slices.ContainsFunc(findings, func(f store.Finding) bool { return f.Level == store.LevelWarn && f.Subject == "server" }) {
		t.Errorf("findings %+v; want a warning of the server", findings)
	}
}
