package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// buildVersion says which botwatch this is.
type buildVersion struct {
	Version  string `json:"version"`            // of the module; "devel" where built from a checkout
	Revision string `json:"revision,omitempty"` // of the checkout
	Modified bool   `json:"modified,omitempty"` // whether the checkout had other changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuildVersion() buildVersion {
	v := buildVersion{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String gives the version in a line.
func (v buildVersion) String() string {
	parts := []string{"botwatch " + v.Version}
	if v.Revision != "" {
		revision := v.Revision[:min(12, len(v.Revision))]
		if v.Modified {
			revision += " (modified)"
		}
		parts = append(parts, revision)
	}
	return strings.Join(append(parts, v.Go, v.Platform), ", ")
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "version",
		Short:             "Print the version",
		Example:           "  botwatch version --format json",
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	form := formatFlag(cmd, "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		v := readBuildVersion()
		if *form == "json" {
			return writeJSON(a.stdout, v)
		}
		_, err := fmt.Fprintln(a.stdout, v)
		return err
	}
	return cmd
}
