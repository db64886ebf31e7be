package main

import (
	"strings"
	"testing"
)

func TestDemoOnTerminals(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, tc := range []struct {
		env              map[string]string
		redraws, colored bool
	}{
		{nil, true, true},
		{map[string]string{"NO_COLOR": "1"}, true, false},
		{map[string]string{"TERM": "dumb"}, false, false},
	} {
		text := onTerminal(t, 80, tc.env, "demo", "--duration", "600ms", "--accounts", "50")
		if got := strings.Contains(text, "\x1b[?7l\x1b["); got != tc.redraws {
			t.Errorf("%v: drawn anew: %v, want %v:\n%q", tc.env, got, tc.redraws, text)
		}
		if got := strings.Contains(text, string(bold)); got != tc.colored {
			t.Errorf("%v: colours: %v, want %v", tc.env, got, tc.colored)
		}
		if n := strings.Count(text, "1 automated_dormant"); n < 1 || !tc.redraws && n > 1 {
			t.Errorf("%v: the display comes %d times", tc.env, n)
		}
		if !strings.HasSuffix(text, "The store is removed.\n") {
			t.Errorf("%v: ends with %q", tc.env, text[max(0, len(text)-80):])
		}
	}
}
