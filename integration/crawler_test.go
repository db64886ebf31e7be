//go:build unix

package integration_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
	"botwatch/simulate"
)

// TestCrawler runs examples/crawler.py by each interpreter that
// BOTWATCH_TEST_PYTHON names: it goes on through a primary that shuts down, cut
// connections and a majority that was late.
func TestCrawler(t *testing.T) {
	interpreters := filepath.SplitList(os.Getenv("BOTWATCH_TEST_PYTHON"))
	if len(interpreters) == 0 {
		t.Skip("BOTWATCH_TEST_PYTHON names no interpreter with pymongo")
	}
	if testing.Short() {
		t.Skip("waits for pymongo's own pauses")
	}
	for _, python := range interpreters {
		t.Run(python, func(t *testing.T) { crawlWith(t, python) })
	}
}

func crawlWith(t *testing.T, python string) {
	server := mongotest.Start(t, mongotest.Options{})
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	check(t, err)
	t.Cleanup(func() { check(t, client.Disconnect(context.Background())) })
	accounts := client.Database("crawl").Collection("accounts")
	// The driver looks for a primary that was gone at each heartbeat.
	uri := strings.Replace(server.URI(), "/?", "/crawl?heartbeatFrequencyMS=500&", 1)
	crawl := func(lines ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, python, filepath.Join("..", "examples", "crawler.py"), uri)
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	ids := func() (list []string) {
		t.Helper()
		cursor, err := accounts.Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
		check(t, err)
		for cursor.Next(t.Context()) {
			list = append(list, cursor.Current.Lookup("_id").StringValue())
		}
		check(t, cursor.Err())
		return list
	}

	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var generator simulate.Generator
	var lines, want []string
	for n := range 250 { // more than two batches
		id := string(rune('a'+n/26)) + string(rune('a'+n%26))
		var account map[string]any
		check(t, json.Unmarshal(generator.AppendAccount(nil, n, 0, now), &account))
		account["_id"] = id
		line, err := json.Marshal(account)
		check(t, err)
		lines, want = append(lines, string(line)), append(want, id)
	}
	crawl(lines...)
	if got := ids(); !slices.Equal(got, want) {
		t.Errorf("wrote %q; want %q", got, want)
	}
	var stored struct {
		CrawledAt time.Time `bson:"crawled_at"`
		User      struct {
			CreatedAt time.Time `bson:"created_at"`
		} `bson:"user_data"`
		Tweets []struct {
			CreatedAt time.Time `bson:"created_at"`
		}
	}
	check(t, accounts.FindOne(t.Context(), bson.D{{Key: "_id", Value: "aa"}}).Decode(&stored)) // fails on what is no date
	if !stored.CrawledAt.Equal(now) || stored.User.CreatedAt.IsZero() || stored.Tweets[0].CreatedAt.IsZero() {
		t.Errorf("the times are %+v", stored)
	}

	for _, fault := range []string{
		`{"failCommands": ["update"], "errorCode": 91, "errorLabels": ["RetryableWriteError"]}`,
		`{"failCommands": ["update"], "closeConnection": true}`,
		`{"failCommands": ["update"], "writeConcernError": {"code": 64, "errmsg": "late"}}`,
	} {
		var data bson.D
		check(t, bson.UnmarshalExtJSON([]byte(fault), false, &data))
		// Three times: the driver itself tries again once.
		check(t, client.Database("admin").RunCommand(t.Context(), bson.D{
			{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: bson.D{{Key: "times", Value: 3}}}, {Key: "data", Value: data},
		}).Err())
		crawl(lines[0], `{"_id": "ab", "gone": true}`, `{"_id": "nobody", "gone": true}`, lines[1], `{"_id": "aa", "gone": true}`)
		if got := ids(); !slices.Equal(got, want[1:]) {
			t.Errorf("after %s: %d accounts, from %q on; want all but aa", fault, len(got), got[0])
		}
	}
}
