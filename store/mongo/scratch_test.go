package mongo_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
)

// TestScratch: what is not empty is left alone, and so is what others wrote since.
func TestScratch(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	o := mongo.Options{URI: p.uri}
	if _, err := mongo.Claim(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is not empty: it holds accounts") {
		t.Fatalf("claimed what is not empty: %v", err)
	}
	check(t, p.coll("accounts").Drop(t.Context()))
	scratch, err := mongo.Claim(t.Context(), o)
	check(t, err)
	s, err := mongo.Open(t.Context(), o)
	check(t, err)
	defer s.Close()
	check(t, s.PutAccounts(t.Context(), []store.Account{{ID: store.StringID("a"), Doc: []byte("{}")}}))
	_, err = p.coll("others").InsertOne(t.Context(), bson.M{"_id": 1})
	check(t, err)
	check(t, scratch.Drop(t.Context()))
	names, err := p.client.Database(p.db).ListCollectionNames(t.Context(), bson.D{})
	check(t, err)
	if len(names) != 1 || names[0] != "others" {
		t.Errorf("left: %q", names)
	}
}
