package scenarios_test

import (
	"testing"

	"botwatch/integration/mongotest"
)

// versions are those that mongotest offers.
var versions = []string{"6.0", "7.0", "8.0"}

// start gives the connection string of a server of ours, which ends with t.
func start(t testing.TB, version string) string {
	t.Helper()
	return mongotest.Start(t, mongotest.Options{Version: version, ReplicaSet: "rs0"}).URI()
}
