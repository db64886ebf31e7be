package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"botwatch/store"
	"botwatch/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that stands still until it is moved.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

func dbPath(t testing.TB) string { return filepath.Join(t.TempDir(), "botwatch.db") }

func open(t testing.TB, path string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

// client runs statements in the sqlite3 program, as a crawler would.
func client(t testing.TB, path, sql string) string {
	t.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("the sqlite3 program is not on PATH")
	}
	if err != nil {
		t.Skip("needs the sqlite3 program on PATH")
	}
	cmd := exec.CommandContext(t.Context(), program, "-batch", "-bail", path)
	// Its own time limit for locks: a test is not to fail by chance.
	cmd.Stdin = strings.NewReader(".timeout 5000\n" + sql + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3: %v\n%s\n%s", err, sql, out)
	}
	return strings.TrimSpace(string(out))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want one that is %v", err, want)
	}
}

func head(t testing.TB, s *sqlite.Store) store.Head {
	t.Helper()
	h, err := s.Head(t.Context())
	check(t, err)
	return h
}

func stream(t testing.TB, s *sqlite.Store, from store.Position) store.Feed {
	t.Helper()
	f, err := s.Stream(t.Context(), from)
	check(t, err)
	t.Cleanup(func() { check(t, f.Close()) })
	return f
}

// changes reads what happened after a position.
func changes(t testing.TB, s *sqlite.Store, from store.Head) []store.Change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f := stream(t, s, from.Position)
	var all []store.Change
	for end, at := head(t, s).Seq, from.Seq; at < end; {
		b, err := f.Next(ctx)
		check(t, err)
		all, at = append(all, b.Changes...), b.Seq
	}
	return all
}

// show writes changes as tests compare them: op, id and document.
func show(changes []store.Change) []string {
	var lines []string
	for _, c := range changes {
		line := fmt.Sprintf("%v %s", c.Op, c.ID.AppendJSON(nil))
		if c.Err != nil {
			line += " error " + c.Err.Error()
		} else if c.Doc != nil {
			line += " " + string(c.Doc)
		}
		lines = append(lines, line)
	}
	return lines
}

// scanAll reads a whole scan.
func scanAll(t testing.TB, s *sqlite.Store, mode store.ScanMode) []store.Change {
	t.Helper()
	f, err := s.Scan(t.Context(), nil, mode)
	check(t, err)
	defer f.Close()
	var all []store.Change
	for {
		b, err := f.Next(t.Context())
		if err == io.EOF {
			return all
		}
		check(t, err)
		all = append(all, b.Changes...)
	}
}

func put(t testing.TB, s *sqlite.Store, docs ...string) {
	t.Helper()
	var accounts []store.Account
	for i := 0; i < len(docs); i += 2 {
		accounts = append(accounts, store.Account{ID: store.StringID(docs[i]), Doc: []byte(docs[i+1])})
	}
	check(t, s.PutAccounts(t.Context(), accounts))
}
