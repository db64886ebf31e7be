//go:build unix

package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"botwatch/classifier"
	"botwatch/simulate"
	"botwatch/store"
)

// A poison is what is written in place of a good account.
type poison struct {
	name  string
	doc   func(good []byte) any
	code  classifier.ErrorCode // empty: it is no poison after all
	field string
}

// replaced gives an account with one text replaced.
func replaced(old, new string) func([]byte) any {
	return func(good []byte) any {
		doc := bytes.Replace(good, []byte(old), []byte(new), 1)
		if bytes.Equal(doc, good) {
			panic("no " + old + " in an account")
		}
		return string(doc)
	}
}

// instead gives something else, whatever the account.
func instead(doc any) func([]byte) any { return func([]byte) any { return doc } }

var poisons = []poison{
	{"a bad date", replaced(`"crawled_at":"`, `"crawled_at":"yesterday, `), classifier.CodeBadTime, "crawled_at"},
	{"a bad date in a tweet", replaced(`"tweets":[{"created_at":"`, `"tweets":[{"created_at":"noon, `), classifier.CodeBadTime, "tweets[0].created_at"},
	{"a wrong type", replaced(`"statuses_count":`, `"statuses_count":{"n":7},"was":`), classifier.CodeWrongType, "user_data.statuses_count"},
	{"a negative count", replaced(`"followers_count":`, `"followers_count":-5,"was":`), classifier.CodeBadNumber, "user_data.followers_count"},
	{"NaN", replaced(`"followers_count":`, `"followers_count":NaN,"was":`), classifier.CodeSyntax, ""},
	{"a missing user", replaced(`"user_data":`, `"profile":`), classifier.CodeMissing, "user_data"},
	{"50 MB and a bad date", replaced(`"crawled_at":"`, `"blob":"`+strings.Repeat("x", 50<<20)+`","crawled_at":"yesterday, `), classifier.CodeBadTime, "crawled_at"},
	{"more than may be read", replaced(`"crawled_at":"`, `"blob":"`+strings.Repeat("x", 65<<20)+`","crawled_at":"`), classifier.CodeTooLarge, ""},
	{"nested 100,000 deep", replaced(`"crawled_at":"`, `"deep":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,"crawled_at":"`), classifier.CodeTooDeep, ""},
	{"no JSON", instead("hello"), classifier.CodeSyntax, ""},
	{"bytes", instead([]byte{0, 0xff, 0xfe, 1, 2}), classifier.CodeSyntax, ""},
	{"cut off", instead(`{"user_data": {"created_at": "2015`), classifier.CodeSyntax, ""},
	{"NULL", instead(nil), classifier.CodeWrongType, ""},
	{"a number", instead(42), classifier.CodeWrongType, ""},
	{"nothing", instead(""), classifier.CodeSyntax, ""},
	{"an array", instead("[]"), classifier.CodeWrongType, ""},
	{"a future field", replaced(`"user_data":`, `"shadow":{"score":[0.5,null,"x"]},"user_data":`), "", ""},
	{"50 MB in a field that is not needed", replaced(`"user_data":`, `"blob":"`+strings.Repeat("y", 50<<20)+`","user_data":`), "", ""},
}

// poisonMemory bounds what the daemon may hold at any time, with documents of
// 50 MB among the others. SQLite and its driver hold a document several times.
const poisonMemory = 512 << 20

// TestPoison: what cannot be read costs nobody else anything; it has a letter
// that says why, and what was predicted before says that it is stale.
func TestPoison(t *testing.T) {
	const neighbours = 300
	file := database(t)
	s, db := open(t, file, false), connect(t, file)
	g := simulate.Generator{Tweets: 30, Lean: true, Epoch: time.Now()}
	good := func(i, revision int) []byte { return g.Account(i, revision, time.Now()).JSON }
	id := func(i int) store.ID { return store.StringID(fmt.Sprintf("account-%03d", i)) }
	crawl := func(revision int, poisoned bool) {
		t.Helper()
		for i := range neighbours + len(poisons) {
			doc := any(string(good(i, revision)))
			if i < len(poisons) && poisoned {
				doc = poisons[i].doc(good(i, revision))
			}
			put(t, db, id(i).String(), doc)
		}
	}
	crawl(0, false)
	d := start(t, file, nil)
	d.awaitLead(t)
	drained(t, s)
	all := census{good: neighbours + len(poisons)}
	if n := verify(t, file); n != all {
		t.Fatalf("before the poison: %+v", n)
	}
	before := make([]store.Prediction, len(poisons))
	for i := range poisons {
		before[i], _ = prediction(t, s, id(i))
	}

	crawl(1, true)
	drained(t, s)
	n := verify(t, file)
	letters := 0
	for i, p := range poisons {
		t.Run(p.name, func(t *testing.T) {
			got, _ := prediction(t, s, id(i))
			if p.code == "" {
				if got.Error != nil || got.Stale || got.Source.Seq == before[i].Source.Seq {
					t.Errorf("stale %v, error %v, from version %v", got.Stale, got.Error, got.Source.Version)
				}
				return
			}
			letters++
			switch {
			case got.Error == nil:
				t.Fatal("the prediction carries no error")
			case got.Error.Code != p.code || got.Error.Field != p.field || got.Error.Message == "":
				t.Errorf("error %q of field %q: %s; want %q of %q", got.Error.Code, got.Error.Field, got.Error.Message, p.code, p.field)
			}
			if !got.Stale || got.Class != before[i].Class || got.Scores != before[i].Scores || got.Source.Fingerprint != before[i].Source.Fingerprint {
				t.Errorf("the old prediction, of class %d, became %+v", before[i].Class, got)
			}
		})
	}
	if n.good+n.poison != all.good || n.poison != letters {
		t.Errorf("counted %+v; want %d letters", n, letters)
	}
	told := make(map[string]string) // the reason by id
	for line := range strings.Lines(succeed(t, "dead-letters", "list", "--store", "sqlite:"+file, "--format", "ndjson").out) {
		var l store.Letter
		check(t, json.Unmarshal([]byte(line), &l))
		told[l.ID.String()] = l.Reason
	}
	for i, p := range poisons {
		if got := told[id(i).String()]; got != string(p.code) {
			t.Errorf("%s: dead-letters list gives the reason %q; want %q", p.name, got, p.code)
		}
	}
	if len(told) != letters {
		t.Errorf("dead-letters list tells %d letters; want %d", len(told), letters)
	}
	if runtime.GOOS == "linux" {
		if peak := peakOf(t, d.cmd.Process.Pid); peak > poisonMemory {
			t.Errorf("the daemon held %d MiB at its peak; want at most %d", peak>>20, poisonMemory>>20)
		} else {
			t.Logf("the daemon held %d MiB at its peak", peak>>20)
		}
	}

	crawl(2, false)
	drained(t, s)
	if n := verify(t, file); n != all {
		t.Errorf("once all is good again: %+v", n)
	}
	if n := integer(t, db, "SELECT count(*) FROM predictions WHERE stale OR has_error"); n != 0 {
		t.Errorf("%d predictions are stale or carry an error still", n)
	}
	d.stop(t, syscall.SIGTERM)
}

// peakOf gives the most memory that a process has had resident, in bytes.
func peakOf(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	check(t, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	check(t, err)
	return kib << 10
}
