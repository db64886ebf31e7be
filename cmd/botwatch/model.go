package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/classifier/sklearn"
)

func (a *app) modelCommand() *cobra.Command {
	return family("model", "Import, describe or apply a model", a.modelImportCommand(), a.modelInfoCommand(), a.modelScoreCommand())
}

func (a *app) modelImportCommand() *cobra.Command {
	var out outputFile
	cmd := &cobra.Command{
		Use:   "import DIR --output FILE",
		Short: "Turn scikit-learn's files into a model",
		Long: `import reads the three pickles that the classifier was published as, from a
folder: attributes.p, cluser_classifiers_6.p and minmaxscaler.p. It writes them
as one model in botwatch's own format (JSON), for --model. It runs no code from
the pickles. The model is named after the output.`,
		Example: "  botwatch model import published/ --output published.json",
		Args:    exactly(1, "a folder"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	out.addFlag(cmd)
	wrapArgs(cmd, func() error {
		if out.name == "" {
			return fmt.Errorf("--output names no file; - is standard output")
		}
		return nil
	})
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir := args[0]
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			return fmt.Errorf("import model: %s is no folder; name the one with the three files in it", dir)
		}
		for _, name := range sklearn.Files() {
			if isAmong(out.name, []string{filepath.Join(dir, name)}) {
				return usagef("%s is to be read and written; name another output", out.name)
			}
		}
		spec, err := sklearn.Import(os.DirFS(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w in %s; want the folder with %s", err, dir, strings.Join(sklearn.Files(), ", "))
		}
		if err != nil {
			return err
		}
		if base := filepath.Base(out.name); !out.standard() {
			spec.Name = strings.TrimSuffix(base, filepath.Ext(base))
		}
		if err := out.open(a.stdout); err != nil {
			return err
		}
		defer out.abandon()
		if err := model.Write(&out, spec); err != nil {
			return err
		}
		if err := out.commit(); err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "model %s, %s\n", spec.Name, spec.Digest)
		return nil
	}
	return cmd
}

// exactly checks the number of arguments, and says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case n:
			return nil
		case 0:
			return fmt.Errorf("want %s; none is given", what)
		}
		return fmt.Errorf("want %s; %d arguments are given", what, len(args))
	}
}

// noArguments refuses any, where cobra.NoArgs speaks of an unknown command.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("takes no arguments, but %q is given", args[0])
	}
	return nil
}

// loadSpec reads a model file; the built-in model where path is empty.
func loadSpec(path string) (*classifier.Spec, error) {
	if path == "" {
		return model.Default()
	}
	spec, err := model.Read(path)
	if err != nil && !errors.As(err, new(*fs.PathError)) {
		err = fmt.Errorf("%w; want a model that 'botwatch model import' wrote", err)
	}
	return spec, err
}

// modelInfo describes a model without its trees.
type modelInfo struct {
	Name       string                 `json:"name"`
	Digest     string                 `json:"digest"`
	Provenance map[string]string      `json:"provenance"`
	Trees      int                    `json:"trees"`
	Nodes      int                    `json:"nodes"`
	Inputs     []classifier.InputSpec `json:"inputs"`
	Classes    []classInfo            `json:"classes"`
}

type classInfo struct {
	Prediction  int    `json:"prediction"`
	Slug        string `json:"slug"`
	Description string `json:"description"`
	Trees       int    `json:"trees"`
	Nodes       int    `json:"nodes"`
}

func describe(s *classifier.Spec) modelInfo {
	info := modelInfo{Name: s.Name, Digest: s.Digest, Provenance: s.Provenance, Inputs: s.Inputs}
	for i, c := range s.Classes {
		ci := classInfo{Prediction: i + 1, Slug: c.Slug, Description: c.Description, Trees: len(c.Forest)}
		for _, t := range c.Forest {
			ci.Nodes += len(t.Feature)
		}
		info.Classes = append(info.Classes, ci)
		info.Trees += ci.Trees
		info.Nodes += ci.Nodes
	}
	return info
}

func (a *app) modelInfoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Describe the model",
		Long: `info describes the model that the other commands use: its inputs with their
ranges in training, its classes, and where it comes from.`,
		Example: `  botwatch model info
  botwatch model info --model published.json --format json`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	form := formatFlag(cmd, "text", "json")
	settingFlags(cmd, setModel)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := a.settings(cmd)
		if err != nil {
			return err
		}
		spec, err := loadSpec(loaded.Model)
		if err != nil {
			return err
		}
		info := describe(spec)
		if *form == "json" {
			return writeJSON(a.stdout, info)
		}
		return info.write(a.stdout, a.screenOf(a.stdout))
	}
	return cmd
}

// write writes the description to be read.
func (m *modelInfo) write(w io.Writer, s screen) error {
	columns := 100
	if s.width > 0 {
		columns = min(columns, s.width)
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	heading := func(text string) { line("\n%s", s.paint(bold, text)) }

	line("%s", s.paint(bold, safeText(m.Name)))
	line("%s", m.Digest)
	line("%d trees, %s nodes", m.Trees, grouped(float64(m.Nodes)))

	heading("Classes")
	for _, c := range m.Classes {
		line("  %d  %s  %s", c.Prediction, c.Slug, s.paint(faint, fmt.Sprintf("%d trees, %s nodes", c.Trees, grouped(float64(c.Nodes)))))
		for _, text := range wrap(safeText(c.Description), columns-5) {
			line("     %s", text)
		}
	}
	heading("Inputs, with their range in training")
	for i, in := range m.Inputs {
		line("  %2d  %-28s %12.6g … %.6g", i, in.Attribute, in.Min, in.Max)
	}
	heading("Where it comes from")
	keys := make([]string, 0, len(m.Provenance))
	for key := range m.Provenance {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for i, text := range wrap(safeText(m.Provenance[key]), columns-26) {
			if i > 0 {
				key = ""
			}
			line("  %s  %s", pad(safeText(key), 22), text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
