package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHelp pins the help of each command, and that it comes by each way to ask.
func TestHelp(t *testing.T) {
	for _, name := range []string{"classify", "model", "model import", "model info", "model score", "config", "config print", "config check", "version"} {
		t.Run(name, func(t *testing.T) {
			args := strings.Fields(name)
			text := succeed(t, append(args, "--help")...).out
			golden(t, "help/"+strings.ReplaceAll(name, " ", "-")+".txt", text)
			if got := succeed(t, append([]string{"help"}, args...)...).out; got != text {
				t.Errorf("'help %s' says\n%s", name, got)
			}
		})
	}
}

// TestEveryCommandHasHelp holds all commands to what help needs.
func TestEveryCommandHasHelp(t *testing.T) {
	root := (&app{getenv: func(string) string { return "" }}).rootCommand()
	commands := root.Commands()
	for len(commands) > 0 {
		cmd := commands[0]
		commands = append(commands[1:], cmd.Commands()...)
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q; want a phrase", cmd.CommandPath(), cmd.Short)
		}
		if cmd.Parent() == root && cmd.GroupID == "" {
			t.Errorf("%s is in no group", cmd.CommandPath())
		}
		for _, line := range strings.Split(cmd.Long, "\n") {
			if textWidth(line) > 82 {
				t.Errorf("%s: help is wider than a screen: %s", cmd.CommandPath(), line)
			}
		}
	}
	bare := botwatch()
	if help := succeed(t, "--help"); bare != help || !strings.Contains(help.out, exitCodes) {
		t.Errorf("without arguments: %+v", bare)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := succeed(t, "completion", shell); !strings.Contains(got.out, "botwatch") {
			t.Errorf("%s: %q", shell, got.out)
		}
	}
	cases := []struct{ asked, want string }{
		{"cl", "classify\tClassify the accounts in files\n:4"},
		{"model ", "import\tTurn scikit-learn's files into a model\ninfo\tDescribe the model\nscore\tScore rows of ready attributes\n:4"},
		{"classify --format ", "table\njson\nndjson\ncsv\n:4"},
		{"classify ", ":0"}, // files
		{"classify --model ", "json\n:8"},
		{"classify --config ", "yaml\nyml\n:8"},
		{"model import ", ":16"}, // folders
		{"model info --format ", "text\njson\n:4"},
		{"version ", ":4"}, // nothing
		{"config print --log-level ", "error\nwarn\ninfo\ndebug\ntrace\n:4"},
	}
	for _, tc := range cases {
		got := succeed(t, append([]string{"__complete"}, strings.Split(tc.asked, " ")...)...).out
		if strings.TrimSpace(got) != tc.want {
			t.Errorf("%q is completed by %q; want %q", tc.asked, got, tc.want)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	cases := []struct{ asked, err string }{
		{"clasify x.json", "botwatch: unknown command \"clasify\"; did you mean classify?\nRun 'botwatch --help' for usage.\n"},
		{"nonsense", "botwatch: unknown command \"nonsense\"\nRun 'botwatch --help' for usage.\n"},
		{"model scor", "botwatch: unknown command \"scor\"; did you mean score?\nRun 'botwatch model --help' for usage.\n"},
		{"help model scor", "botwatch: unknown command \"scor\"; did you mean score?\nRun 'botwatch help --help' for usage.\n"},
		{"help clasify", "botwatch: unknown command \"clasify\"; did you mean classify?\nRun 'botwatch help --help' for usage.\n"},
	}
	for _, tc := range cases {
		if diff := cmp.Diff(outcome{exitUsage, "", tc.err}, botwatch(strings.Fields(tc.asked)...), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.asked, diff)
		}
	}
}
