package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchClassify(t *testing.T) {
	file := filepath.Join("testdata", "bench.ndjson")
	for name, tc := range map[string]struct {
		args              []string
		accounts, leftOut int
	}{
		"invented": {accounts: inventAccounts},
		"files":    {args: []string{file, file}, accounts: 2, leftOut: 4},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"bench", "classify", "--for", "1ms"}, tc.args...)
			got := succeed(t, append(args, "--format", "json")...)
			var r classifyReport
			if err := json.Unmarshal([]byte(got.out), &r); err != nil {
				t.Fatalf("%v in\n%s", err, got.out)
			}
			if r.Machine != thisMachine() || r.Accounts != tc.accounts || r.LeftOut != tc.leftOut || r.Model == "" {
				t.Errorf("measured %d accounts, %d left out, with %s on %v", r.Accounts, r.LeftOut, r.Model, r.Machine)
			}
			var names []string
			for _, s := range r.Steps {
				names = append(names, s.Step+" "+s.Accounts)
				reads := s.Step == "decode" || s.Step == "encoding/json" || s.Step == "all"
				if s.Seconds <= 0 || s.AccountsPerSecond <= 0 || (s.BytesPerSecond > 0) != reads {
					t.Errorf("%+v", s)
				}
			}
			const want = "encoding/json one, decode one, attributes one, forests one, classify one, all one, " +
				"encoding/json varied, decode varied, attributes varied, forests varied, classify varied, all varied"
			if got := strings.Join(names, ", "); got != want {
				t.Errorf("steps %s", got)
			}
			table := succeed(t, args...).out
			for _, want := range []string{"TIME EACH", "\nforests ", "times as fast as encoding/json"} {
				if !strings.Contains(table, want) {
					t.Errorf("no %q in:\n%s", want, table)
				}
			}
		})
	}
}

func TestBenchClassifyRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--for 0s":         "--for: is 0s",
		"--format csv":     `--format: unknown "csv"`,
		"testdata/missing": "testdata/missing: there is no such file",
		"--model none":     "none",
	} {
		got := botwatch(append([]string{"bench", "classify"}, strings.Fields(args)...)...)
		if got.code == exitOK || got.out != "" || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
