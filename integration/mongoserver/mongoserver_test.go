package mongoserver_test

import (
	"testing"

	"botwatch/integration/mongoserver"
)

// TestDatabase: a database's name takes the place of any other one.
func TestDatabase(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://a:1":                           "mongodb://a:1/db",
		"mongodb://a:1/":                          "mongodb://a:1/db",
		"mongodb://u:p@a:1,b:2/x?replicaSet=rs0":  "mongodb://u:p@a:1,b:2/db?replicaSet=rs0",
		"mongodb+srv://u@a/?retryWrites=true&w=1": "mongodb+srv://u@a/db?retryWrites=true&w=1",
	} {
		if got := (mongoserver.Server{URI: uri}).Database("db"); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

// TestStart: where nothing else is asked for and no Docker engine answers, it is
// mongotest; it can be asked for, too.
func TestStart(t *testing.T) {
	t.Setenv(mongoserver.VariableURI, "")
	t.Setenv(mongoserver.VariableImage, "none")
	if s := mongoserver.Start(t); s.Fake == nil || s.URI != s.Fake.URI() {
		t.Errorf("%+v, want mongotest", s)
	}
}
