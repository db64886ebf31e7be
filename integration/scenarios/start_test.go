package scenarios_test

import (
	"testing"

	"botwatch/integration/mongotest"
	"botwatch/integration/scenarios"
)

// server is a kind of server of ours.
type server struct {
	name    string
	options mongotest.Options
	// beside, where it is set, is the reason for which the newest replica set
	// leaves tests out that this server is for; it runs no others.
	beside scenarios.Reason
}

// newest is the version that what is not of all versions runs against.
const newest = "8.0"

// ours are the servers that the scenarios run against.
var ours = []server{
	{name: "6.0", options: mongotest.Options{Version: "6.0"}},
	{name: "7.0", options: mongotest.Options{Version: "7.0"}},
	{name: newest, options: mongotest.Options{Version: newest}},
	{
		name:    newest + " alone",
		options: mongotest.Options{Version: newest, Standalone: true},
		beside:  scenarios.OtherTopology,
	},
}

// start gives the connection string of a server that ends with t.
func (s server) start(t testing.TB) string {
	t.Helper()
	return mongotest.Start(t, s.options).URI()
}

// runs tells whether the server, of which the facts are, is for a test.
func (s server) runs(facts scenarios.Facts, c scenario) (bool, error) {
	if s.beside == scenarios.InScope {
		return true, nil
	}
	here, err := scenarios.Scope(c.file, c.test, facts)
	if err != nil || here != scenarios.InScope {
		return false, err
	}
	facts.Topology, facts.Auth = "replicaset", false
	there, err := scenarios.Scope(c.file, c.test, facts)
	return there == s.beside, err
}
