package mongotest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
)

// document makes a raw document of about so many bytes.
func document(tb testing.TB, id, size int) bson.Raw {
	tb.Helper()
	d, err := bson.Marshal(bson.D{
		{Key: "_id", Value: id},
		{Key: "name", Value: fmt.Sprintf("account %d", id)},
		{Key: "text", Value: strings.Repeat("x", max(0, size-64))},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func benchCollection(b *testing.B) (*mongotest.Server, *mongo.Collection) {
	b.Helper()
	s := mongotest.Start(b, mongotest.Options{OplogMB: 256})
	c, err := mongo.Connect(options.Client().ApplyURI(s.URI()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Disconnect(context.Background()) })
	return s, c.Database("bench").Collection("c")
}

// BenchmarkInsert inserts small documents in batches of 1,000.
func BenchmarkInsert(b *testing.B) {
	_, coll := benchCollection(b)
	ctx := context.Background()
	const batch = 1000
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		docs := make([]any, batch)
		for j := range docs {
			docs[j] = document(b, i*batch+j, 100)
		}
		if _, err := coll.InsertMany(ctx, docs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkChangeStream reads the events of inserted documents of 1 KB through
// one stream.
func BenchmarkChangeStream(b *testing.B) {
	_, coll := benchCollection(b)
	ctx := context.Background()
	const events = 20_000
	empty, err := coll.Watch(ctx, mongo.Pipeline{})
	if err != nil {
		b.Fatal(err)
	}
	start := empty.ResumeToken()
	empty.Close(ctx)
	docs := make([]any, 0, 1000)
	for i := range events {
		docs = append(docs, document(b, i, 1024))
		if len(docs) == cap(docs) {
			if _, err := coll.InsertMany(ctx, docs); err != nil {
				b.Fatal(err)
			}
			docs = docs[:0]
		}
	}
	for b.Loop() {
		stream, err := coll.Watch(ctx, mongo.Pipeline{}, options.ChangeStream().SetStartAfter(start))
		if err != nil {
			b.Fatal(err)
		}
		for range events {
			if !stream.Next(ctx) {
				b.Fatal(stream.Err())
			}
		}
		stream.Close(ctx)
	}
	b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkCursor drains a cursor over documents of 100 KB.
func BenchmarkCursor(b *testing.B) {
	_, coll := benchCollection(b)
	ctx := context.Background()
	const n = 1000
	size := 0
	for i := range n {
		d := document(b, i, 100_000)
		size += len(d)
		if _, err := coll.InsertOne(ctx, d); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		cur, err := coll.Find(ctx, bson.M{})
		if err != nil {
			b.Fatal(err)
		}
		got := 0
		for cur.Next(ctx) {
			got++
		}
		if got != n || cur.Err() != nil {
			b.Fatalf("%d documents: %v", got, cur.Err())
		}
	}
}

// BenchmarkGetMore reads single events, one a getMore, behind an oplog of the
// given length: the cost is to be the same.
func BenchmarkGetMore(b *testing.B) {
	for _, length := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("oplog=%d", length), func(b *testing.B) {
			_, coll := benchCollection(b)
			ctx := context.Background()
			docs := make([]any, 0, 1000)
			for i := range length {
				docs = append(docs, document(b, i, 100))
				if len(docs) == cap(docs) || i == length-1 {
					if _, err := coll.InsertMany(ctx, docs); err != nil {
						b.Fatal(err)
					}
					docs = docs[:0]
				}
			}
			stream, err := coll.Watch(ctx, mongo.Pipeline{}, options.ChangeStream().SetMaxAwaitTime(time.Second))
			if err != nil {
				b.Fatal(err)
			}
			defer stream.Close(ctx)
			for i := 0; b.Loop(); i++ {
				if _, err := coll.InsertOne(ctx, document(b, length+i, 100)); err != nil {
					b.Fatal(err)
				}
				if !stream.Next(ctx) {
					b.Fatal(stream.Err())
				}
			}
		})
	}
}
