package mongotest_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
)

func connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
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

func TestSmoke(t *testing.T) {
	for _, o := range []mongotest.Options{{}, {Version: "6.0"}, {Version: "7.0", User: "crawler", Password: "se/cret"}, {Standalone: true}} {
		s := mongotest.Start(t, o)
		c := connect(t, s.URI())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		coll := c.Database("d").Collection("c")
		if _, err := coll.InsertOne(ctx, bson.M{"_id": 1, "a": "x"}); err != nil {
			t.Fatal(err)
		}
		var got bson.D
		if err := coll.FindOne(ctx, bson.M{"a": "x"}).Decode(&got); err != nil {
			t.Fatal(err)
		}
		t.Log(got)
		if o.Standalone {
			continue
		}
		cs, err := coll.Watch(ctx, mongo.Pipeline{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := coll.UpdateOne(ctx, bson.M{"_id": 1}, bson.M{"$set": bson.M{"b": 2}}); err != nil {
			t.Fatal(err)
		}
		if !cs.Next(ctx) {
			t.Fatal(cs.Err())
		}
		t.Log(cs.Current)
		cs.Close(ctx)
	}
}
