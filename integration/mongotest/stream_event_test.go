package mongotest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Large: an event over 16 MiB is 10334, and with $changeStreamSplitLargeEvent it
// comes in fragments, between which a stream may be resumed.
func TestStreamLargeEvent(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		create := options.CreateCollection().SetChangeStreamPreAndPostImages(bson.M{"enabled": true})
		if err := c.Database().CreateCollection(c.ctx, c.Name(), create); err != nil {
			t.Fatal(err)
		}
		both := func() *options.ChangeStreamOptionsBuilder {
			return options.ChangeStream().SetFullDocument(options.Required).SetFullDocumentBeforeChange(options.Required)
		}
		whole := c.watch(t, both())
		start := whole.ResumeToken()
		large := strings.Repeat("x", 10<<20)
		if _, err := c.InsertOne(c.ctx, bson.D{{Key: "_id", Value: 1}, {Key: "large", Value: large}}); err != nil {
			t.Fatal(err)
		}
		next(t, c, whole)
		c.set(t, 1, "x", 1)
		c.set(t, 1, "x", 2)
		if whole.Next(c.ctx) || code(whole.Err()) != 10334 {
			t.Errorf("an event of 20 MiB: %v, want 10334", whole.Err())
		}
		split := bson.A{bson.M{"$changeStreamSplitLargeEvent": bson.M{}}}
		s := c.pipe(t, split, both().SetStartAfter(start))
		next(t, c, s)
		var tokens []bson.Raw
		size := 0
		for i := 1; i <= 4; i++ { // two updates of two fragments
			e := next(t, c, s)
			if want := 2 - i%2; e.Split.Fragment != want || e.Split.Of != 2 {
				t.Fatalf("fragment %d of %d, want %d of 2", e.Split.Fragment, e.Split.Of, want)
			}
			size += len(e.Full.Value) + len(e.Before.Value)
			tokens = append(tokens, e.ID)
		}
		if size < 4*len(large) {
			t.Errorf("the fragments have %d bytes of documents", size)
		}
		r := c.pipe(t, split, both().SetResumeAfter(tokens[0]))
		if e := next(t, c, r); e.Split.Fragment != 2 || string(e.ID) != string(tokens[1]) {
			t.Errorf("after the first fragment comes %d", e.Split.Fragment)
		}
		if e := next(t, c, r); e.Split.Fragment != 1 || string(e.ID) != string(tokens[2]) {
			t.Errorf("then comes %d", e.Split.Fragment)
		}
	})
}

// Kinds: what changes nothing gives no event, and upserts give inserts.
func TestStreamKinds(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		s := c.watch(t)
		upsert := options.UpdateOne().SetUpsert(true)
		for range 2 { // the second changes nothing
			if _, err := c.UpdateOne(c.ctx, bson.M{"_id": 1}, bson.M{"$set": bson.M{"x": 1}}, upsert); err != nil {
				t.Fatal(err)
			}
			if _, err := c.ReplaceOne(c.ctx, bson.M{"_id": 2}, bson.M{"y": 1}, options.Replace().SetUpsert(true)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.ReplaceOne(c.ctx, bson.M{"_id": 2}, bson.M{"y": 2}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.UpdateOne(c.ctx, bson.M{"_id": 1}, bson.M{"$unset": bson.M{"x": ""}, "$push": bson.M{"a": 1}}); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, keys(t, c, s, 3), "insert 1", "insert 2", "replace 2")
		e := next(t, c, s)
		var d struct {
			UpdatedFields bson.M
			RemovedFields []string
		}
		if err := bson.Unmarshal(e.Update, &d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(bson.M{"a": bson.A{int32(1)}}, d.UpdatedFields); diff != "" || len(d.RemovedFields) != 1 || d.RemovedFields[0] != "x" {
			t.Errorf("update: %v", e.Update)
		}
	})
}
