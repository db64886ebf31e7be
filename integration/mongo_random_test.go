//go:build unix

package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/simulate"
)

const (
	randomIDs = 1000
	// randomTime is how long everything happens at once.
	randomTime      = 60 * time.Second
	shortRandomTime = 10 * time.Second
)

// randomID gives the n-th id: of a type that n decides.
func randomID(n int) any {
	switch n % 10 {
	case 0:
		return bson.ObjectID{10: byte(n >> 8), 11: byte(n)}
	case 1:
		return fmt.Sprintf("account %d", n)
	case 2:
		return int32(n)
	case 3:
		return int64(n)
	case 4:
		return float64(n)
	case 5:
		return float64(n) + 0.5
	case 6:
		return bson.Binary{Subtype: 4, Data: append(make([]byte, 14), byte(n>>8), byte(n))}
	case 7:
		return bson.D{{Key: "n", Value: int64(n)}, {Key: "of", Value: "it"}}
	case 8:
		return bson.DateTime(n)
	}
	return int64(n) << 40
}

// TestMongoRandom: inserts, updates, replacements, deletes and new inserts at
// random, on ids of all types, while backfills and rescores run and daemons are
// killed and stand in for each other: in the end each account has its prediction.
func TestMongoRandom(t *testing.T) {
	p := anyMongo(t)
	t.Parallel()
	s := p.open(t)
	p.look = s
	limit := randomTime
	if testing.Short() {
		limit = shortRandomTime
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	writers := make(chan error, 2)
	var ops [2]int
	for w := range 2 { // each has ids of its own, so that it knows what it did
		go func() { writers <- p.scramble(ctx, w, &ops[w]) }()
	}
	jobs := make(chan [2]int, 1)
	go func() { jobs <- p.jobs(t, ctx) }()

	rnd := rand.New(rand.NewPCG(5, 6))
	leader := p.start(t)
	leader.awaitLead(t)
	kills := 0
	for ctx.Err() == nil || kills < 2 {
		standby := p.start(t)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(500+rnd.IntN(2500)) * time.Millisecond):
		}
		if kills > 0 && rnd.IntN(4) == 0 {
			leader.stop(t, syscall.SIGTERM)
		} else {
			check(t, leader.cmd.Process.Kill())
			leader.awaitEnd(t)
			kills++
			p.free(t)
		}
		standby.awaitLead(t)
		leader = standby
	}
	for range 2 {
		check(t, <-writers)
	}
	ran := <-jobs
	p.drained(t, s)
	c, err := s.Load(t.Context())
	check(t, err)
	if len(c.Breakers) > 0 || c.HistoryLost > 0 {
		t.Errorf("history lost %d times, breakers %v", c.HistoryLost, c.Breakers)
	}
	leader.stop(t, syscall.SIGTERM)
	n := p.verify(t)
	t.Logf("%d operations, %d kills, %d backfills, %d rescores: %+v", ops[0]+ops[1], kills, ran[0], ran[1], n)
	if n.good < randomIDs/4 || n.poison == 0 || n.tombstones == 0 || kills == 0 || ran[0] == 0 || ran[1] == 0 {
		t.Errorf("too little happened for this to show anything")
	}
}

// jobs asks for one job after the other, and counts backfills and rescores that
// were done. Where the daemon is killed that was asked, the next one does it.
func (p *mongoPlace) jobs(t *testing.T, ctx context.Context) (done [2]int) {
	for i := 0; ctx.Err() == nil; i++ {
		cmd := command(t, nil, []string{"backfill", "rescore"}[i%2], "--store", p.uri)
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return done
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err == nil {
				done[i%2]++
			}
		case <-ctx.Done():
			_ = cmd.Process.Kill() // an error means that it is gone
			<-ended
		}
	}
	return done
}

// scramble works on every other id until ctx ends.
func (p *mongoPlace) scramble(ctx context.Context, which int, ops *int) error {
	g := simulate.Generator{Seed: 11, Lean: true, Tweets: 20}
	rnd := rand.New(rand.NewPCG(uint64(which), 9))
	live := map[int]bool{}
	epoch := time.Now()
	for ; ctx.Err() == nil; *ops++ {
		n := rnd.IntN(randomIDs/2)*2 + which
		id := randomID(n)
		filter := bson.D{{Key: "_id", Value: id}}
		account := func(at int) (doc bson.D, err error) {
			if rnd.IntN(40) == 0 {
				return bson.D{{Key: "_id", Value: id}, {Key: "tweets", Value: "none"}}, nil
			}
			err = bson.UnmarshalExtJSON(g.Account(at, *ops%50, epoch.Add(time.Duration(*ops)*time.Second)).JSON, false, &doc)
			return append(bson.D{{Key: "_id", Value: id}}, doc...), err
		}
		doc, err := account(rnd.IntN(5000))
		if err != nil {
			return err
		}
		c := p.accounts()
		switch dice := rnd.IntN(10); {
		case !live[n]:
			_, err = c.InsertOne(context.WithoutCancel(ctx), doc)
			live[n] = true
		case dice < 3:
			_, err = c.UpdateOne(context.WithoutCancel(ctx), filter, bson.D{
				{Key: "$set", Value: bson.D{{Key: "user_data.followers_count", Value: rnd.IntN(100000)}}},
			})
		case dice < 6:
			_, err = c.ReplaceOne(context.WithoutCancel(ctx), filter, doc)
		case dice < 8:
			_, err = c.DeleteOne(context.WithoutCancel(ctx), filter)
			live[n] = false
		default: // gone and back at once
			_, err = c.BulkWrite(context.WithoutCancel(ctx), []driver.WriteModel{
				driver.NewDeleteOneModel().SetFilter(filter), driver.NewInsertOneModel().SetDocument(doc),
			}, options.BulkWrite())
		}
		if err != nil {
			return fmt.Errorf("account %v: %w", id, err)
		}
		if *ops%100 == 0 {
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}
