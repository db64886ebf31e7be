package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	return family("config", "Check or print the configuration", a.configCheckCommand(), a.configPrintCommand())
}

// configSettings are the flags of both: all that any command has.
var configSettings = []string{setStore, setModel, setLogLevel, setLogFormat}

func (a *app) configCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find every mistake in the configuration",
		Long: `Reads the configuration as the other commands do (defaults, then the file, then
BOTWATCH_… variables, then flags) and names every mistake at once. It does not
open the store: 'botwatch check' does.`,
		Example:           "  botwatch config check --config botwatch.yaml",
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.settings(cmd); err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, "The configuration is good.")
			return nil
		},
	}
	settingFlags(cmd, configSettings...)
	return cmd
}

func (a *app) configPrintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the configuration that holds, secrets hidden",
		Long: `Prints the configuration as the other commands see it (defaults, then the file,
then BOTWATCH_… variables, then flags), with where each value comes from if it is
not the default. Passwords are hidden. The result is a configuration file.`,
		Example: `  botwatch config print > botwatch.yaml
  BOTWATCH_LOG_LEVEL=debug botwatch config print --format json`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	form := formatFlag(cmd, "yaml", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := a.settings(cmd)
		if err != nil {
			return err
		}
		if *form == "json" {
			return loaded.WriteJSON(a.stdout)
		}
		return loaded.WriteYAML(a.stdout)
	}
	settingFlags(cmd, configSettings...)
	return cmd
}
