//go:build unix

package integration_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"botwatch/simulate"
)

// invented puts accounts of a revision into a store, as a client does.
func invented(t testing.TB, file string, from, to, revision int) {
	t.Helper()
	db := connect(t, file)
	g := simulate.Generator{Tweets: 20, Lean: true, Epoch: time.Now()}
	for i := from; i < to; i++ {
		doc := g.Account(i, revision, time.Now())
		put(t, db, doc.ID, string(doc.JSON))
	}
}

// says fails unless a run ended with the code and said each text.
func (o outcome) says(t testing.TB, code int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(o.out+o.err, text) {
			t.Errorf("no %q in:\n%s%s", text, o.out, o.err)
		}
	}
	if o.code != code {
		t.Errorf("exit %d; want %d:\n%s%s", o.code, code, o.out, o.err)
	}
}

// TestJobs: what is asked for is done by the daemon that runs, else by the
// command itself.
func TestJobs(t *testing.T) {
	file := database(t)
	of := "sqlite:" + file
	s := open(t, file, false)
	invented(t, file, 0, 30, 0)

	botwatch(t, "check", "--store", of).says(t, 0, "30 of 30 accounts can be classified")
	botwatch(t, "run", "--store", of, "--dry-run", "--log-level", "nonsense").says(t, 1, "log.level", "nonsense")
	botwatch(t, "backfill", "--store", of).says(t, 0, "backfill: 30 accounts looked at")
	if n := verify(t, file); n != (census{good: 30}) {
		t.Fatalf("after a backfill: %+v", n)
	}

	t.Run("a faulty prediction is made anew", func(t *testing.T) {
		execute(t, connect(t, file), `UPDATE predictions SET doc = json_remove(doc, '$.model'), model = NULL WHERE id = (SELECT min(id) FROM predictions)`)
		botwatch(t, "backfill", "--store", of).says(t, 0)
		verify(t, file)
		execute(t, connect(t, file), "DELETE FROM predictions WHERE id = (SELECT max(id) FROM predictions)")
		botwatch(t, "rescore", "--store", of).says(t, 0, "rescore: 30 accounts looked at")
		verify(t, file)
	})
	t.Run("letters", func(t *testing.T) {
		db := connect(t, file)
		put(t, db, "bad", `{"tweets": []}`)
		execute(t, db, `INSERT INTO accounts VALUES (77, '{"tweets": []}')`)
		botwatch(t, "backfill", "--store", of).says(t, 0)
		botwatch(t, "dead-letters", "list", "--store", of).says(t, 0, "bad", "user_data: is missing")
		botwatch(t, "dead-letters", "show", "--store", of, "bad").says(t, 0, `"attempts": `, `"field": "user_data"`)
		botwatch(t, "dead-letters", "show", "--store", of, "77").says(t, 0, `"_id": 77`)
		botwatch(t, "dead-letters", "show", "--store", of, "nobody").says(t, 1, "1 of 1 ids have no dead letter")
		botwatch(t, "dead-letters", "replay", "--store", of).says(t, 0, "2 accounts looked at")
		if n := verify(t, file); n != (census{good: 30, poison: 2}) {
			t.Errorf("with a letter: %+v", n)
		}
		botwatch(t, "dead-letters", "discard", "--store", of, "bad", "77").says(t, 0, "2 discarded")
		botwatch(t, "dead-letters", "list", "--store", of, "--format", "ndjson").says(t, 0)
		execute(t, db, "DELETE FROM accounts WHERE id IN ('bad', 77)")
		botwatch(t, "backfill", "--store", of).says(t, 0)
		verify(t, file)
	})
	t.Run("by the daemon that runs", func(t *testing.T) {
		d := start(t, file, nil)
		d.awaitLead(t)
		asked := fmt.Sprintf("process %d ", d.cmd.Process.Pid)
		for _, job := range []string{"backfill", "rescore", "resume"} {
			botwatch(t, job, "--store", of).says(t, 0, asked, " for "+job)
		}
		drained(t, s)
		d.stop(t, syscall.SIGTERM)
		verify(t, file)
	})
}

// TestBreaker: where most accounts cannot be read, nothing is written until a
// resume, and who asks for a job is told what it waits for.
func TestBreaker(t *testing.T) {
	file := database(t)
	of := "sqlite:" + file
	s := open(t, file, false)
	invented(t, file, 0, 400, 0)
	db := connect(t, file)
	d := start(t, file, nil)
	d.awaitLead(t)
	drained(t, s)
	execute(t, db, "CREATE TABLE good AS SELECT id, doc FROM accounts", "UPDATE accounts SET doc = 'no JSON'")
	await(t, "the breaker to open", patience, func() (bool, string) { return d.said("breaker faults opened"), d.text() })
	if n := integer(t, db, "SELECT count(*) FROM predictions WHERE has_error"); n > 300 {
		t.Errorf("%d of 400 accounts were marked as faulty before the breaker opened", n)
	}
	waiting := command(t, nil, "backfill", "--store", of)
	stderr, err := waiting.StderrPipe()
	check(t, err)
	check(t, waiting.Start())
	defer waiting.Process.Kill()
	lines := bufio.NewScanner(stderr)
	for told := false; !told; told = strings.Contains(lines.Text(), "backfill: waits, since breaker faults is open") {
		if !lines.Scan() {
			t.Fatalf("backfill ended without a word of the breaker: %v", waiting.Wait())
		}
	}
	execute(t, db, "UPDATE accounts SET doc = (SELECT doc FROM good WHERE good.id = accounts.id)")
	botwatch(t, "resume", "--store", of).says(t, 0, "resumed")
	for lines.Scan() { // to its end
	}
	if err := waiting.Wait(); err != nil {
		t.Errorf("backfill after the resume: %v", err)
	}
	drained(t, s)
	d.stop(t, syscall.SIGTERM)
	verify(t, file)
}

// TestDryRun: it looks at everything and leaves all as it was.
func TestDryRun(t *testing.T) {
	file := database(t)
	open(t, file, false)
	invented(t, file, 0, 20, 0)
	db := connect(t, file)
	put(t, db, "bad", "no JSON")
	d := start(t, file, nil, "--dry-run")
	await(t, "look at all accounts", patience, func() (bool, string) { return d.said("reconcile done"), "" })
	check(t, d.cmd.Process.Signal(syscall.SIGTERM))
	d.awaitEnd(t)
	if d.end() != "exit 0" || !d.said("nothing was written") || !strings.Contains(d.text(), `"predicted":20`) {
		t.Errorf("ended by %s:\n%s", d.end(), d.text())
	}
	for _, table := range []string{"predictions", "dead_letters"} {
		if n := integer(t, db, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d %s", n, table)
		}
	}
	if n := integer(t, db, "SELECT count(*) FROM changes"); n != 21 {
		t.Errorf("%d of 21 changes are left for the real daemon", n)
	}
}

// TestRemovals: when most accounts are gone at once without a change that says
// so, no prediction goes before somebody confirms it.
func TestRemovals(t *testing.T) {
	const accounts = 300
	file := database(t)
	of := "sqlite:" + file
	s := open(t, file, false)
	invented(t, file, 0, accounts, 0)
	d := start(t, file, nil)
	d.awaitLead(t)
	drained(t, s)
	d.stop(t, syscall.SIGTERM)
	db := connect(t, file)
	execute(t, db, "DELETE FROM accounts WHERE id NOT IN (SELECT id FROM accounts ORDER BY id LIMIT 100)", "DELETE FROM changes")
	predictions := func() int64 { return integer(t, db, "SELECT count(*) FROM predictions WHERE status <> 'deleted'") }

	botwatch(t, "backfill", "--store", of).says(t, 0, "200 orphans held back")
	if n := predictions(); n != accounts {
		t.Fatalf("%d predictions are left; want all %d", n, accounts)
	}
	botwatch(t, "status", "--store", of).says(t, 0, "BREAKER OPEN", "removals", "200 predictions have no account any more")
	botwatch(t, "backfill", "--store", of, "--confirm-removals").says(t, 0, "200 orphans removed")
	if n := predictions(); n != 100 {
		t.Errorf("%d predictions are left; want 100", n)
	}
	if out := succeed(t, "status", "--store", of).out; strings.Contains(out, "BREAKER") {
		t.Errorf("still open:\n%s", out)
	}
	verify(t, file)
}

// TestRestore: a backup that takes the place of the store is noticed, and what
// it holds is made true.
func TestRestore(t *testing.T) {
	file := database(t)
	s := open(t, file, false)
	invented(t, file, 0, 50, 0)
	d := start(t, file, nil)
	d.awaitLead(t)
	drained(t, s)
	backup := filepath.Join(t.TempDir(), "backup.db")
	if _, err := connect(t, file).ExecContext(t.Context(), "VACUUM INTO ?", backup); err != nil {
		t.Fatal(err)
	}
	invented(t, file, 30, 80, 1)
	drained(t, s)
	before, err := s.Load(t.Context())
	check(t, err)
	d.stop(t, syscall.SIGTERM)
	check(t, s.Close())

	// The backup takes the place of the store, and a crawler is at it before the
	// daemon is.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(file + suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	check(t, os.Rename(backup, file))
	invented(t, file, 10, 20, 2)
	d = start(t, file, nil)
	d.awaitLead(t)
	s = open(t, file, true)
	drained(t, s)
	after, err := s.Load(t.Context())
	check(t, err)
	d.stop(t, syscall.SIGTERM)
	if n := verify(t, file); n != (census{good: 50}) {
		t.Errorf("after a restore: %+v", n)
	}
	t.Logf("checkpoint before %d, after %d; history lost %d times", before.Seq, after.Seq, after.HistoryLost)
}

// TestBadFiles: a store that cannot be used is refused in one line that names it,
// and left as it is.
func TestBadFiles(t *testing.T) {
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.db")
	check(t, os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600))
	foreign := filepath.Join(folder, "foreign.db")
	execute(t, connect(t, foreign), "CREATE TABLE accounts (name, balance)")
	missing := filepath.Join(folder, "missing.db")
	for _, tc := range []struct{ command, file, want string }{
		{"run", garbage, "not an SQLite database"},
		{"status", garbage, "not an SQLite database"},
		{"import", garbage, "not an SQLite database"},
		{"run", foreign, "accounts"},
		{"status", missing, "there is no such store"},
		{"check", missing, "there is no such store"},
		{"backfill", missing, "there is no such store"},
		{"run", filepath.Join(folder, "none", "x.db"), "no such file or directory"},
		{"run", folder, "it is not a regular file"},
	} {
		t.Run(tc.command+" "+filepath.Base(tc.file), func(t *testing.T) {
			before, _ := os.ReadFile(tc.file)
			args := []string{tc.command, "--store", "sqlite:" + tc.file}
			if tc.command == "import" {
				args = append(args, "-")
			}
			got := botwatch(t, args...)
			got.says(t, 1, "botwatch: ", tc.file, tc.want)
			if strings.Count(strings.TrimSpace(got.err), "\n") > 2 {
				t.Errorf("said too much:\n%s", got.err)
			}
			if after, _ := os.ReadFile(tc.file); string(after) != string(before) {
				t.Error("the file is another one now")
			}
		})
	}
}

// TestImportGoesOn: what cannot be read, an account or a whole file, costs
// nothing of the rest, and is told.
func TestImportGoesOn(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "store.db")
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		check(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	g := simulate.Generator{Tweets: 20, Lean: true, Epoch: time.Now()}
	account := func(i int) string { return string(g.Account(i, 0, time.Now()).JSON) }
	cut := write("cut.json", `{"a": `+account(0)+`, "b": `+account(1)+`, "c": {"user_data"`)
	good := write("good.json", `{"d": `+account(2)+`, "e": {"tweets": []}}`)

	botwatch(t, "import", "--store", "sqlite:"+file, cut, filepath.Join(folder, "nowhere.json"), folder, good).says(t, 1,
		"cut.json: the input is cut off", "nowhere.json: there is no such file; check the name", folder+": is a directory",
		"account e: user_data: is missing", "3 accounts put into sqlite:"+file+", 1 left out; 3 of 4 inputs not read to the end")
	if n := integer(t, connect(t, file), "SELECT count(*) FROM accounts WHERE id IN ('a', 'b', 'd')"); n != 3 {
		t.Errorf("%d of the accounts a, b and d are in the store", n)
	}
	botwatch(t, "import", "--store", "sqlite:"+file, good).says(t, 3, "1 accounts put into ", "1 left out\n")
}
