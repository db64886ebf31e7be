//go:build unix

package integration_test

import (
	"os"
	"sync"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// realMongo gives the URI of the server that BOTWATCH_TEST_MONGODB_URI asks for,
// which must be there; empty where none is asked for.
func realMongo(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("BOTWATCH_TEST_MONGODB_URI")
	if uri == "" {
		return ""
	}
	realServer.Do(func() {
		client, err := driver.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(10 * time.Second))
		if err != nil {
			realServer.err = err
			return
		}
		realServer.err = client.Ping(t.Context(), nil)
		_ = client.Disconnect(t.Context()) // the ping says enough
	})
	if realServer.err != nil {
		t.Fatalf("the server that BOTWATCH_TEST_MONGODB_URI names: %v", realServer.err)
	}
	t.Log("against the server that BOTWATCH_TEST_MONGODB_URI names")
	return uri
}

var realServer struct {
	sync.Once
	err error
}
