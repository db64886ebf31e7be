//go:build unix

package integration_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/store"
)

// client runs SQL in the sqlite3 command-line client, as a crawler's operator
// does. Where it is missing the test fails if it was asked for, else skips.
func client(t testing.TB, file, statement string) {
	t.Helper()
	if out, err := exec.Command("sqlite3", "-bail", "-cmd", ".timeout 10000", file, statement).CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v\n%s\n%s", err, out, statement)
	}
}

func needClient(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		if _, asked := os.LookupEnv("BOTWATCH_SHARED"); asked || os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no sqlite3, the command-line client, on this machine")
	}
}

// exampleKeys gives the keys of example_data.json in the order of the file.
func exampleKeys(t testing.TB, path string) (keys []store.ID) {
	t.Helper()
	f, err := os.Open(path)
	check(t, err)
	defer f.Close()
	d := json.NewDecoder(f)
	_, err = d.Token() // {
	check(t, err)
	for d.More() {
		key, err := d.Token()
		check(t, err)
		keys = append(keys, store.StringID(key.(string)))
		var account json.RawMessage
		check(t, d.Decode(&account))
	}
	return keys
}

// exampleClasses are the predictions for example_data.json, in its order.
var exampleClasses = []int{4, 3, 2, 4, 4}

func classes(t testing.TB, s store.Reader, ids []store.ID) (list []int) {
	t.Helper()
	for _, id := range ids {
		p, _ := prediction(t, s, id)
		list = append(list, p.Class)
	}
	return list
}

// quote gives an id as an SQL text.
func quote(id store.ID) string { return "'" + strings.ReplaceAll(id.String(), "'", "''") + "'" }

// TestFollow: accounts that are imported are predicted, and whatever a client
// does to them afterwards is followed at once.
func TestFollow(t *testing.T) {
	needClient(t)
	example := reference(t, "example_data.json")
	file := database(t)
	ids := exampleKeys(t, example)
	succeed(t, "import", "--store", "sqlite:"+file, example)

	d := start(t, file, nil)
	d.awaitLead(t)
	s := open(t, file, true)
	drained(t, s)
	if diff := cmp.Diff(exampleClasses, classes(t, s, ids)); diff != "" {
		t.Fatalf("predictions after import (-want +got):\n%s", diff)
	}
	db := connect(t, file)

	gone := func(p store.Prediction) bool { return p.Status == store.StatusDeleted }
	class := func(n int) func(store.Prediction) bool {
		return func(p store.Prediction) bool { return p.Status == store.StatusClassified && p.Class == n }
	}
	for _, step := range []struct {
		name string
		sql  string
		id   store.ID
		ok   func(store.Prediction) bool
	}{
		{"an update of a field: json_set of the tweets",
			fmt.Sprintf(`UPDATE accounts SET doc = json_set(doc, '$.tweets', json('[]')) WHERE id = %s`, quote(ids[0])),
			ids[0], func(p store.Prediction) bool { return p.Status == store.StatusInsufficient && p.Class == 0 }},
		{"another class: json_set of the tweets of an account of class 2",
			fmt.Sprintf(`UPDATE accounts SET doc = json_set(doc, '$.tweets', (SELECT json_extract(o.doc, '$.tweets') FROM accounts o WHERE o.id = %s),
				'$.user_data', (SELECT json_extract(o.doc, '$.user_data') FROM accounts o WHERE o.id = %s)) WHERE id = %s`, quote(ids[2]), quote(ids[2]), quote(ids[0])),
			ids[0], class(2)},
		{"REPLACE with another account's document",
			fmt.Sprintf(`REPLACE INTO accounts (id, doc) SELECT %s, doc FROM accounts WHERE id = %s`, quote(ids[3]), quote(ids[1])), ids[3], class(3)},
		{"DELETE", fmt.Sprintf(`DELETE FROM accounts WHERE id = %s`, quote(ids[4])), ids[4], gone},
		{"an INSERT of what was deleted",
			fmt.Sprintf(`INSERT INTO accounts (id, doc) SELECT %s, doc FROM accounts WHERE id = %s`, quote(ids[4]), quote(ids[2])), ids[4], class(2)},
		{"a changed id: the new one", fmt.Sprintf(`UPDATE accounts SET id = 'renamed' WHERE id = %s`, quote(ids[1])), store.StringID("renamed"), class(3)},
		{"a changed id: the old one", "", ids[1], gone},
		{"a number for an id", fmt.Sprintf(`INSERT INTO accounts (id, doc) SELECT 42, doc FROM accounts WHERE id = %s`, quote(ids[2])), store.IntID(42), class(2)},
		{"many statements in one transaction", fmt.Sprintf(`BEGIN; DELETE FROM accounts WHERE id = 42;
			INSERT INTO accounts (id, doc) SELECT 42, doc FROM accounts WHERE id = %s; UPDATE accounts SET doc = doc WHERE id = 42; COMMIT`, quote(ids[3])), store.IntID(42), class(3)},
	} {
		if step.sql != "" {
			client(t, file, step.sql)
		}
		begun := time.Now()
		await(t, step.name, 10*time.Second, func() (bool, string) {
			p, found := prediction(t, s, step.id)
			return found && step.ok(p), fmt.Sprintf("status %q, class %d", p.Status, p.Class)
		})
		t.Logf("%s: seen after %v", step.name, time.Since(begun).Round(time.Millisecond))
	}
	drained(t, s)
	if n := verify(t, file); n != (census{good: 6, tombstones: 1}) {
		t.Errorf("counted %+v", n)
	}
	oneTombstone(t, db, ids[1])

	t.Run("a second daemon is refused", func(t *testing.T) {
		got := botwatch(t, "run", "--store", "sqlite:"+file)
		want := fmt.Sprintf("process %d (", d.cmd.Process.Pid)
		if got.code != 1 || !strings.Contains(got.err, "another botwatch works on this store: ") || !strings.Contains(got.err, want) {
			t.Errorf("exit %d, said %q; want exit 1 and %q", got.code, got.err, want)
		}
		if d.gone() {
			t.Error("the first one ended")
		}
	})
	t.Run("a symlink is the same store", func(t *testing.T) {
		link := database(t)
		check(t, os.Symlink(file, link))
		if got := botwatch(t, "run", "--store", "sqlite:"+link); got.code != 1 || !strings.Contains(got.err, "another botwatch works on this store: ") {
			t.Errorf("exit %d, said %q", got.code, got.err)
		}
	})
	t.Run("status", func(t *testing.T) {
		var got struct {
			Accounts    int
			Predictions store.Counts
			Daemon      struct{ Role string }
			Silent      bool `json:"daemon_silent"`
		}
		check(t, json.Unmarshal([]byte(succeed(t, "status", "--store", "sqlite:"+file, "--format", "json").out), &got))
		if got.Accounts != 6 || got.Predictions.Total != 6 || got.Daemon.Role != "leader" || got.Silent {
			t.Errorf("status says %+v", got)
		}
	})
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		d.stop(t, signal)
		d = start(t, file, nil)
		d.awaitLead(t)
	}
	d.stop(t, syscall.SIGTERM)
}

// oneTombstone: what stands for an account that is gone names nobody.
func oneTombstone(t *testing.T, db *sql.DB, id store.ID) {
	t.Helper()
	var doc string
	check(t, db.QueryRow("SELECT doc FROM predictions WHERE id = ?", id.String()).Scan(&doc))
	var fields map[string]any
	check(t, json.Unmarshal([]byte(doc), &fields))
	source, _ := fields["source"].(map[string]any)
	delete(source, "epoch")
	delete(source, "seq")
	delete(fields, "expires_at")
	want := map[string]any{"_id": id.String(), "status": "deleted", "source": map[string]any{"via": "stream"}}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("the tombstone (-want +got):\n%s", diff)
	}
}
