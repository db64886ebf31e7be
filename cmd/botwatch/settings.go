package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"botwatch/config"
)

// The paths of the fields of the configuration that have a flag.
const (
	setStore     = "store"
	setModel     = "model"
	setLogLevel  = "log.level"
	setLogFormat = "log.format"
)

// settingFlags adds --config, and a flag for each of these fields of the
// configuration: --log-level for log.level.
func settingFlags(cmd *cobra.Command, paths ...string) {
	cmd.Flags().String("config", "", "configuration `file` (YAML); else the one $"+config.FileVariable+" names")
	completeFiles(cmd, "config", "yaml", "yml")
	for _, f := range config.Fields() {
		if slices.Contains(paths, f.Path) {
			cmd.Flags().Var(&settingValue{kind: settingKinds[f.Path]}, flagName(f.Path), f.Doc+" ($"+f.Variable()+")")
		}
	}
	if slices.Contains(paths, setModel) {
		completeFiles(cmd, flagName(setModel), "json")
	}
	if slices.Contains(paths, setLogLevel) {
		completeWith(cmd, flagName(setLogLevel), config.Levels...)
	}
	if slices.Contains(paths, setLogFormat) {
		completeWith(cmd, flagName(setLogFormat), config.Formats...)
	}
}

// settingKinds name the values of the flags in help.
var settingKinds = map[string]string{setStore: "store", setModel: "file", setLogLevel: "level", setLogFormat: "form"}

// settingValue is the text of a flag, which config reads.
type settingValue struct{ text, kind string }

func (v *settingValue) String() string { return v.text }

func (v *settingValue) Set(text string) error {
	v.text = text
	return nil
}

func (v *settingValue) Type() string { return v.kind }

func flagName(path string) string { return strings.ReplaceAll(path, ".", "-") }

// settings gives the configuration as file, environment and the command's flags
// make it. The Loaded comes with an error too.
func (a *app) settings(cmd *cobra.Command) (*config.Loaded, error) {
	sources := config.Sources{Getenv: a.getenv, Flags: make(map[string]string)}
	sources.File, _ = cmd.Flags().GetString("config")
	for _, f := range config.Fields() {
		if flag := cmd.Flags().Lookup(flagName(f.Path)); flag != nil && flag.Changed {
			sources.Flags[f.Path] = flag.Value.String()
		}
	}
	return config.Load(sources)
}
