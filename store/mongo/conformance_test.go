package mongo_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongoserver"
	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
	"botwatch/store/storetest"
)

// place is where a store's data are.
type place struct {
	server *mongotest.Server // nil for a real one
	uri    string
	client *driver.Client
	db     string
}

var places struct {
	sync.Mutex
	of map[store.Store]*place
}

// newPlace makes a mongotest server, and a database on it.
func newPlace(t *testing.T, o mongotest.Options) *place {
	t.Helper()
	fake := mongotest.Start(t, o)
	return newPlaceOn(t, mongoserver.Server{URI: fake.URI(), Fake: fake})
}

// newPlaceOn makes a database of its own on a server.
func newPlaceOn(t *testing.T, server mongoserver.Server) *place {
	t.Helper()
	db := "botwatch_" + bson.NewObjectID().Hex()
	// A client that ends waits for its monitors, who listen that long.
	uri := server.Database(db)
	if strings.Contains(uri, "?") {
		uri += "&heartbeatFrequencyMS=500"
	}
	client, err := driver.Connect(options.Client().ApplyURI(uri))
	check(t, err)
	t.Cleanup(func() {
		if server.Fake == nil {
			_ = client.Database(db).Drop(context.Background())
		}
		_ = client.Disconnect(context.Background())
	})
	check(t, client.Database(db).CreateCollection(t.Context(), "accounts"))
	return &place{server: server.Fake, uri: uri, client: client, db: db}
}

func (p *place) open(t *testing.T) store.Store {
	t.Helper()
	s, err := mongo.Open(t.Context(), mongo.Options{URI: p.uri})
	check(t, err)
	places.Lock()
	defer places.Unlock()
	if places.of == nil {
		places.of = map[store.Store]*place{}
	}
	places.of[s] = p
	return s
}

func placeOf(s store.Store) *place {
	places.Lock()
	defer places.Unlock()
	return places.of[s]
}

func (p *place) coll(name string) *driver.Collection { return p.client.Database(p.db).Collection(name) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestConformance runs on the server that mongoserver chooses. What only mongotest
// can do is left out elsewhere.
func TestConformance(t *testing.T) {
	server := mongoserver.Start(t)
	h := storetest.Harness{
		Clock: time.Millisecond,
		Holds: func(id store.ID) bool {
			return !strings.Contains(id.String(), "$ref") || strings.Contains(id.String(), "$dbPointer")
		},
		Open:    func(t *testing.T) store.Store { return newPlaceOn(t, server).open(t) },
		Connect: func(t *testing.T, s store.Store) store.Store { return placeOf(s).open(t) },
		LoseHistory: func(t *testing.T, s store.Store) {
			placeOf(s).server.ShortenOplog(1)
		},
		ReplaceAccounts: func(t *testing.T, s store.Store) {
			p := placeOf(s)
			check(t, p.coll("accounts").Drop(t.Context()))
			check(t, p.client.Database(p.db).CreateCollection(t.Context(), "accounts"))
		},
		Backup: func(t *testing.T, s store.Store) func() {
			p := placeOf(s)
			b := p.server.Backup()
			return func() {
				p.server.Restore(b)
				// Clients find the server again by themselves.
				for {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					_, err := s.Head(ctx)
					cancel()
					if err == nil {
						return
					}
				}
			}
		},
		ExpireLease: func(t *testing.T, s store.Store) {
			_, err := placeOf(s).coll("botwatch_state").UpdateOne(t.Context(), bson.M{"_id": "daemon"}, bson.M{"$set": bson.M{"expires": time.Unix(0, 0)}})
			check(t, err)
		},
	}
	if server.Fake == nil {
		h.LoseHistory, h.Backup = nil, nil
	} else { // one for each case, for its faults
		h.Open = func(t *testing.T) store.Store { return newPlace(t, mongotest.Options{}).open(t) }
	}
	storetest.Run(t, h)
}
