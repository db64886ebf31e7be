package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestSimulate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "try.db")
	args := []string{"simulate", "--store", "sqlite:" + file, "--rate", "2000", "--accounts", "120", "--changes", "600", "--tweets", "3", "--poison", "0.1"}
	got := succeed(t, args...)
	m := regexp.MustCompile(`^600 changes: (\d+) writes, (\d+) deletes; (\d+) invented accounts in the store\n$`).FindStringSubmatch(got.err)
	if m == nil || got.out != "" {
		t.Fatalf("%+v", got)
	}
	writes, _ := strconv.Atoi(m[1])
	deletes, _ := strconv.Atoi(m[2])
	if writes+deletes != 600 || deletes == 0 {
		t.Errorf("%d writes, %d deletes", writes, deletes)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var accounts, changes, foreign, broken int
	err = db.QueryRow(`SELECT count(*), (SELECT max(seq) FROM changes), sum(CAST(id AS INTEGER) < 9000000000000), sum(NOT json_valid(doc)) FROM accounts`).
		Scan(&accounts, &changes, &foreign, &broken)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(accounts) != m[3] || changes < 600 || foreign != 0 {
		t.Errorf("%d accounts, %d changes, %d ids that could be real; said %s", accounts, changes, foreign, m[3])
	}
}

func TestSimulateEndsInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, in := range map[string]invocation{
		"on an interrupt":    {ctx: ctx},
		"after the duration": {args: []string{"--duration", "50ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			in.args = append([]string{"simulate", "--store", "sqlite:" + filepath.Join(t.TempDir(), "try.db")}, in.args...)
			if in.ctx == nil {
				in.ctx = context.Background()
			}
			got := in.run()
			// An interrupt may come before the store is open.
			if interrupted := name == "on an interrupt" && got.err == "botwatch: interrupted\n"; !interrupted && (got.code != exitOK || !strings.Contains(got.err, " changes: ")) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestSimulateRefuses(t *testing.T) {
	for _, args := range []string{"--rate 0", "--accounts 0", "--changes -1", "--poison 2", "--duration -1s", "--tweets -1", "more"} {
		words := strings.Fields(args)
		got := botwatch(append([]string{"simulate"}, words...)...)
		if got.code != exitUsage || !strings.Contains(got.err, strings.TrimPrefix(words[0], "--")) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// TestWritesNoAccountsUnasked: on MongoDB, and on SQLite where that is set, what
// keeps accounts from being written is named before anything is opened.
func TestWritesNoAccountsUnasked(t *testing.T) {
	for _, args := range [][]string{{"simulate", "--changes", "1"}, {"import", "no-such-file"}} {
		for name, env := range map[string]map[string]string{
			"is auto: the accounts in mongodb://u:xxxxx@127.0.0.1:1/d are": {"BOTWATCH_STORE": "mongodb://u:geheim@127.0.0.1:1/d"},
			"is false: the accounts in sqlite:no-such.db are":              {"BOTWATCH_STORE": "sqlite:no-such.db", "BOTWATCH_ACCOUNTS_WRITABLE": "false"},
		} {
			got := invocation{ctx: t.Context(), args: args, env: env}.run()
			if got.code != exitRuntime || !strings.Contains(got.err, "accounts.writable "+name) || !strings.Contains(got.err, "$BOTWATCH_ACCOUNTS_WRITABLE") {
				t.Errorf("%s, %s: %+v", args, name, got)
			}
		}
	}
}
