package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The exit codes, as the root's help documents them.
const (
	exitOK      = 0
	exitRuntime = 1
	exitUsage   = 2
	exitRows    = 3
)

// app is what the subcommands share: the process's surroundings.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	begun          bool // a command runs: what fails now is no misuse
}

// run is the program: it does what args say and gives the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv, now: time.Now}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var inputs *inputsError
	var rows *rowsError
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &inputs): // said already
		return exitRuntime
	case errors.As(err, &rows): // likewise
		return exitRows
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.stderr, "botwatch: interrupted")
		return exitRuntime
	case errors.As(err, &usage) || !a.begun:
		fmt.Fprintf(a.stderr, "botwatch: %s\nRun '%s --help' for usage.\n", oneBlock(err), cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(a.stderr, "botwatch: %s\n", oneBlock(err))
	return exitRuntime
}

// oneBlock gives an error's text safe to print, further lines indented below the
// first.
func oneBlock(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i, line := range lines {
		lines[i] = safeText(line)
	}
	return strings.Join(lines, "\n  ")
}

// usageError is a misuse of the command line that only a command can see.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// rowsError says that some rows failed, and the closing line told so.
type rowsError struct{ failed int }

func (e *rowsError) Error() string { return fmt.Sprintf("%d rows failed", e.failed) }

// inputsError says that some inputs failed, and that this was told of each.
type inputsError struct{ failed int }

func (e *inputsError) Error() string { return fmt.Sprintf("%d inputs failed", e.failed) }

const rootLong = `botwatch keeps a collection of predictions true to a collection of crawled
social-media accounts: each account is put into one of six behaviour classes,
exactly as the published research classifier does it. A class says what an
account's behaviour is like; it is no verdict on who runs it.`

const rootExample = `  botwatch demo
  botwatch classify accounts.json
  botwatch classify --format csv --output result.csv *.ndjson.gz
  botwatch config print > botwatch.yaml`

const exitCodes = `
Exit codes:
  0  all went well
  1  something failed: a file, the store, the configuration
  2  the command line was wrong
  3  the rest went well, but some accounts or rows failed
`

// The groups of commands in the root's help, in this order.
const (
	groupWatch = "watch"
	groupFiles = "files"
	groupAbout = "about"
)

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "botwatch",
		Short:         "Behaviour classes of crawled social-media accounts",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			a.begun = true
		},
	}
	// Whoever has subcommands is not run by itself, though it is runnable: for help.
	usage := strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", 1)
	root.SetUsageTemplate(usage + "{{if not .HasParent}}" + exitCodes + "{{end}}")
	root.AddGroup(
		&cobra.Group{ID: groupWatch, Title: "Keeping predictions true:"},
		&cobra.Group{ID: groupFiles, Title: "Working with files:"},
		&cobra.Group{ID: groupAbout, Title: "About botwatch itself:"},
	)
	root.SetHelpCommandGroupID(groupAbout)
	root.SetCompletionCommandGroupID(groupAbout)
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupWatch, []*cobra.Command{
			a.runCommand(), a.importCommand(), a.statusCommand(), a.checkCommand(), a.backfillCommand(), a.rescoreCommand(),
			a.resumeCommand(), a.deadLettersCommand(), a.simulateCommand(), a.demoCommand(),
		}},
		{groupFiles, []*cobra.Command{a.classifyCommand(), a.modelCommand()}},
		{groupAbout, []*cobra.Command{a.benchCommand(), a.configCommand(), a.versionCommand()}},
	} {
		for _, c := range group.commands {
			c.GroupID = group.id
			root.AddCommand(c)
		}
	}
	refuseUnknownTopics(root)
	return root
}

// refuseUnknownTopics makes help complain of what is no command; by itself it
// helps with the nearest one above.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Args = func(_ *cobra.Command, topic []string) error {
		cmd, rest, err := root.Find(topic)
		if err == nil && cmd.HasSubCommands() {
			err = noCommand(cmd, rest)
		}
		return err
	}
}

// family makes a command that only has subcommands.
func family(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// noCommand refuses what is no subcommand, and names the nearest ones.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	message := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(message)
}

// formatFlag adds --format with the forms that a command knows, the first by
// default.
func formatFlag(cmd *cobra.Command, forms ...string) *string {
	value := new(string)
	cmd.Flags().StringVar(value, "format", forms[0], "output `form`: "+strings.Join(forms, ", "))
	completeWith(cmd, "format", forms...)
	wrapArgs(cmd, func() error { return checkForm(*value, forms) })
	return value
}

// wrapArgs adds a check of flags to that of the arguments, before a command runs.
func wrapArgs(cmd *cobra.Command, check func() error) {
	args := cmd.Args
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		if args != nil {
			if err := args(cmd, list); err != nil {
				return err
			}
		}
		return check()
	}
}

func checkForm(value string, forms []string) error {
	for _, f := range forms {
		if f == value {
			return nil
		}
	}
	return fmt.Errorf("--format: unknown %q; want %s", value, strings.Join(forms, ", "))
}

func completeWith(cmd *cobra.Command, flag string, values ...string) {
	// The one error is a flag that does not exist, which tests would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func completeFiles(cmd *cobra.Command, flag string, extensions ...string) {
	_ = cmd.MarkFlagFilename(flag, extensions...) // its error is as above
}
