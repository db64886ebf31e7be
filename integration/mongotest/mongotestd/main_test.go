package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"botwatch/integration/mongotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCommandLine: what is wrong with a command line, or asks for help, ends at
// once.
func TestCommandLine(t *testing.T) {
	taken := mongotest.Start(t, mongotest.Options{})
	tests := []struct {
		rule string
		args []string
		code int
		want string // on stderr
	}{
		{"--help", []string{"--help"}, 0, "--addr 127.0.0.1:27017"},
		{"-h says each flag", []string{"-h"}, 0, "-oplog-mb"},
		{"an unknown flag", []string{"--port", "1"}, 2, "not defined: -port"},
		{"an argument", []string{"serve"}, 2, `unexpected argument "serve"`},
		{"a number that is none", []string{"--oplog-mb", "x"}, 2, "invalid value"},
		{"a user without a password", []string{"--auth", "crawler"}, 2, "USER:PASSWORD"},
		{"an empty password", []string{"--auth", "crawler:"}, 2, "USER:PASSWORD"},
		{"an empty user", []string{"--auth", ":secret"}, 2, "USER:PASSWORD"},
		{"an unknown version", []string{"--version", "4.4"}, 1, `version "4.4"`},
		{"a negative oplog", []string{"--oplog-mb", "-1"}, 1, "oplog"},
		{"an address that is taken", []string{"--addr", taken.Addr()}, 1, "listen"},
	}
	for _, test := range tests {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), test.args, &stdout, &stderr); code != test.code {
			t.Errorf("%s: ended with %d, want %d", test.rule, code, test.code)
		}
		if stdout.Len() > 0 || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%s: printed %q and %q, want %q", test.rule, stdout.String(), stderr.String(), test.want)
		}
	}
}

// TestServe: it prints its URI, a line, and serves until its context ends.
func TestServe(t *testing.T) {
	tests := []struct {
		args    []string
		uri     string // a pattern
		set     string
		version string
	}{
		{nil, `^mongodb://127\.0\.0\.1:\d+/\?replicaSet=rs0$`, "rs0", "8.0"},
		{[]string{"--replset", "none", "--version", "6.0", "--addr", "localhost:0"}, `^mongodb://127\.0\.0\.1:\d+/\?directConnection=true$`, "", "6.0"},
		{[]string{"--auth", "crawler:se:cret", "--replset", "other", "--version", "7.0", "--oplog-mb", "1"},
			`^mongodb://crawler:se%3Acret@127\.0\.0\.1:\d+/\?replicaSet=other$`, "other", "7.0"},
	}
	for _, test := range tests {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		r, w := io.Pipe()
		var stderr bytes.Buffer
		code := make(chan int, 1)
		go func() {
			code <- run(ctx, test.args, w, &stderr)
			w.Close()
		}()
		out := bufio.NewReader(r)
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v: %v: %s", test.args, err, stderr.String())
		}
		uri := strings.TrimSuffix(line, "\n")
		if !regexp.MustCompile(test.uri).MatchString(uri) {
			t.Errorf("%v: printed %q", test.args, uri)
		}
		client, err := mongo.Connect(options.Client().ApplyURI(uri).SetHeartbeatInterval(500 * time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		var hello struct{ SetName string }
		if err := client.Database("admin").RunCommand(ctx, bson.M{"hello": 1}).Decode(&hello); err != nil || hello.SetName != test.set {
			t.Errorf("%v: the set %q: %v", test.args, hello.SetName, err)
		}
		var build struct{ Version string }
		if err := client.Database("admin").RunCommand(ctx, bson.M{"buildInfo": 1}).Decode(&build); err != nil || !strings.HasPrefix(build.Version, test.version) {
			t.Errorf("%v: the version %q: %v", test.args, build.Version, err)
		}
		if err := client.Disconnect(ctx); err != nil {
			t.Error(err)
		}
		stop()
		if got := <-code; got != 0 {
			t.Errorf("%v: ended with %d: %s", test.args, got, stderr.String())
		}
		if rest, err := io.ReadAll(out); len(rest) > 0 || err != nil {
			t.Errorf("%v: printed %q besides: %v", test.args, rest, err)
		}
	}
}
