// Package mongoserver chooses the MongoDB server that tests run against: the one
// that BOTWATCH_TEST_MONGODB_URI names; else a container, where a Docker engine
// answers; else mongotest. The test's log says which.
package mongoserver

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/mongodb"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
)

const (
	// VariableURI names a server: a replica set, with enableTestCommands=1. One that
	// is named and absent fails the tests.
	VariableURI = "BOTWATCH_TEST_MONGODB_URI"
	// VariableImage names the container's image, "mongo:8" by default, as an image
	// that must run; or says "none".
	VariableImage = "BOTWATCH_TEST_MONGODB_IMAGE"

	defaultImage = "mongo:8"
	pingTimeout  = 10 * time.Second
	startTimeout = 3 * time.Minute // of a container, the download of its image included
)

// Server is a server for tests.
type Server struct {
	// URI is the connection string, without a database.
	URI string
	// Fake is mongotest, whose faults a test may ask for; nil for a real server.
	Fake *mongotest.Server
}

// Start gives the server for a test, which ends with it if it was started for it.
// A real one is shared with other tests: use a database of your own.
func Start(t testing.TB) Server {
	t.Helper()
	if uri := os.Getenv(VariableURI); uri != "" {
		if err := ping(t.Context(), uri); err != nil {
			t.Fatalf("the server that %s names: %v", VariableURI, err)
		}
		t.Logf("against the server that %s names", VariableURI)
		return Server{URI: uri}
	}
	image := os.Getenv(VariableImage)
	if image != "none" {
		uri, err := container(t, image)
		switch {
		case err == nil:
			return Server{URI: uri}
		case image != "":
			t.Fatalf("the container that %s asks for: %v", VariableImage, err)
		}
	}
	t.Log("against mongotest")
	fake := mongotest.Start(t, mongotest.Options{})
	return Server{URI: fake.URI(), Fake: fake}
}

// Database gives the URI of a database on the server.
func (s Server) Database(name string) string {
	scheme, rest, _ := strings.Cut(s.URI, "://")
	hosts, query, _ := strings.Cut(rest, "?")
	hosts, _, _ = strings.Cut(hosts, "/")
	uri := scheme + "://" + hosts + "/" + name
	if query != "" {
		uri += "?" + query
	}
	return uri
}

func ping(ctx context.Context, uri string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(pingTimeout))
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	return client.Ping(ctx, nil)
}

// container starts a replica set of one in a container; an error where no Docker
// engine answers.
func container(t testing.TB, image string) (uri string, err error) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil { // the library panics where it finds no engine
			err = fmt.Errorf("%v", v)
		}
	}()
	// Its reaper would outlive the test; the clean-up below ends the container.
	// For the process: t.Setenv is refused in tests that run side by side.
	if err := os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true"); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "", err
	}
	defer provider.Close()
	if err := provider.Health(ctx); err != nil {
		return "", err
	}
	if image == "" {
		image = defaultImage
	}
	c, err := mongodb.Run(ctx, image, mongodb.WithReplicaSet("rs0"))
	if c != nil {
		t.Cleanup(func() {
			if err := testcontainers.TerminateContainer(c); err != nil {
				t.Errorf("end the container: %v", err)
			}
		})
	}
	if err != nil {
		return "", err
	}
	if uri, err = c.ConnectionString(ctx); err != nil {
		return "", err
	}
	if !strings.Contains(uri, "directConnection") { // the set's member goes by a name of the container's network
		separator := "?"
		if strings.Contains(uri, "?") {
			separator = "&"
		}
		uri += separator + "directConnection=true"
	}
	t.Logf("against %s in a container", image)
	return uri, nil
}
