package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/store"
)

func (a *app) classifyCommand() *cobra.Command {
	c := &classify{app: a}
	cmd := &cobra.Command{
		Use:   "classify FILE...",
		Short: "Classify the accounts in files",
		Long: `classify reads accounts from files (- for standard input), classifies each and
writes one row an account, in the order of the input. It needs no store.

Files may be JSON, NDJSON or a pickle of accounts, or raw v1.1 timelines, plain
or gzip; which, is told by their content. An account that cannot be read keeps
its row, with the reason.

The forms:
  table   to be read; on narrow terminals an account takes several lines
  json    one array of prediction documents
  ndjson  a prediction document a line
  csv     a line an account, below a heading; safe to open in a spreadsheet: a
          text that a spreadsheet would take as a formula or show as a number
          or a date (such as a long id) has an apostrophe in front, and so has
          one that begins with an apostrophe; programs take it away again

Without --format, the extension of --output decides, and else it is a table.

A table gives the two strongest reasons of each account in words, ▲ for its class
and ▼ against it; --explain gives all of them. Shares of mentions, replies and
hashtags, likes and shares are of its own tweets alone. Clustering by second,
minute, hour or weekday is the logarithm of how unevenly the times of its tweets
are spread over those: the higher, the more clustered.`,
		Example: `  botwatch classify accounts.json
  botwatch classify --explain accounts.json
  botwatch classify --output result.csv --manifest run.json crawl-*.ndjson.gz
  zcat crawl.ndjson.gz | botwatch classify --format ndjson -`,
		Args: func(_ *cobra.Command, files []string) error {
			stdin := 0
			for _, f := range files {
				if f == "-" {
					stdin++
				}
			}
			switch {
			case len(files) == 0:
				return errors.New("names no file; - is standard input")
			case stdin > 1:
				return errors.New("- is named twice; standard input can be read only once")
			}
			return nil
		},
	}
	forms := []string{formTable, formJSON, formNDJSON, formCSV}
	cmd.Flags().StringVar(&c.form, "format", "", "output `form`: table, json, ndjson or csv")
	completeWith(cmd, "format", forms...)
	wrapArgs(cmd, func() error {
		if c.form == "" {
			c.form = formFromName(c.out.name)
		}
		return checkForm(c.form, forms)
	})
	c.out.addFlag(cmd)
	cmd.Flags().BoolVar(&c.explain, "explain", false, "in a table: all reasons of each account (json and ndjson always have them)")
	cmd.Flags().StringVar(&c.crawledAt, "crawled-at", "", "when raw timelines were crawled that do not say so: a `time` such as 2020-05-20T09:18:42Z")
	cmd.Flags().StringVar(&c.manifestFile.name, "manifest", "", "write what it takes to cite the run to this `file`: version, model, inputs with their SHA-256, counts")
	settingFlags(cmd, setModel)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		loaded, err := a.settings(cmd)
		if err != nil {
			return err
		}
		c.modelFile = loaded.Model
		return c.run(cmd.Context(), files)
	}
	return cmd
}

// classify is one run of the command.
type classify struct {
	app *app

	form         string
	out          outputFile
	explain      bool
	crawledAt    string
	manifestFile outputFile
	modelFile    string

	options  format.Options
	model    *classifier.Model
	progress *progress
	errors   io.Writer
	failed   int // inputs that were not read to their end
	manifest manifest
}

func (c *classify) run(ctx context.Context, files []string) error {
	a := c.app
	if c.crawledAt != "" {
		at, ok := classifier.ParseTime(c.crawledAt)
		if !ok {
			return usagef("--crawled-at: %q is no time; want one such as 2020-05-20T09:18:42Z", c.crawledAt)
		}
		c.options.CrawledAt = at
	}
	cited := c.manifestFile.name != ""
	for _, output := range []string{c.out.name, c.manifestFile.name} {
		if isAmong(output, append(slices.Clip(files), c.modelFile)) {
			return usagef("%s is to be read and written; name another output", output)
		}
	}
	if cited && c.manifestFile.same(&c.out) {
		return usagef("--manifest and --output name the same file; want two")
	}
	var err error
	if c.model, err = loadModel(c.modelFile); err != nil {
		return err
	}
	c.manifest = manifest{
		Botwatch: readBuildVersion(),
		Model:    manifestModel{c.model.Name(), c.model.Digest()},
		Inputs:   []manifestInput{},
		Options:  manifestOptions{c.form, c.out.name, c.explain, c.modelFile, c.crawledAt},
		Started:  a.now().UTC(),
	}
	if err := c.out.open(a.stdout); err != nil {
		return err
	}
	defer c.out.abandon()
	if cited {
		if err := c.manifestFile.open(a.stdout); err != nil {
			return err
		}
		defer c.manifestFile.abandon()
	}

	c.errors = a.stderr
	rowsShow := c.out.standard() && a.screenOf(a.stdout).terminal // rows on the terminal are progress enough
	if s := a.screenOf(a.stderr); s.terminal && !rowsShow {
		c.progress = newProgress(a.stderr, s.width, sizeOf(files))
		c.errors = c.progress
	}
	err = c.files(ctx, files)
	c.progress.close()
	if err != nil {
		return err
	}
	n := &c.manifest.Counts
	if c.failed < len(files) || n.Read > 0 { // else what was there before is worth more
		if err := c.out.commit(); err != nil {
			return err
		}
	}
	closing := fmt.Sprintf("%d read: %d strong, %d weak, %d none, %d errors", n.Read, n.Strong, n.Weak, n.None, n.Errors)
	if c.failed > 0 {
		closing += fmt.Sprintf("; %d of %d inputs not read to the end", c.failed, len(files))
	}
	fmt.Fprintln(a.stderr, closing)
	if cited {
		if err := c.writeManifest(); err != nil {
			return err
		}
	}
	switch {
	case c.failed > 0:
		return &inputsError{c.failed}
	case n.Errors > 0:
		return &rowsError{n.Errors}
	}
	return nil
}

// isAmong says whether a name means one of the files.
func isAmong(name string, files []string) bool {
	info, err := os.Stat(name)
	if name == "" || err != nil || !info.Mode().IsRegular() {
		return false
	}
	for _, f := range files {
		if other, err := os.Stat(f); err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// files classifies all files. An error is of the output, or of the context.
func (c *classify) files(ctx context.Context, files []string) error {
	var f form
	switch c.form {
	case formJSON:
		f = jsonForm
	case formNDJSON:
		f = ndjsonForm
	case formCSV:
		f = csvForm
	default:
		var s screen
		if c.out.standard() {
			s = c.app.screenOf(c.app.stdout)
		}
		f = tableForm(s, c.explain)
	}
	w := &rowWriter{out: &c.out, form: f, counts: &c.manifest.Counts}
	c.out.WriteString(f.open) // a bufio.Writer keeps its error
	for _, name := range files {
		before := w.counts.Read
		in := manifestInput{Name: name}
		err := c.file(ctx, name, w, &in)
		in.Accounts = w.counts.Read - before
		if w.err != nil {
			return fmt.Errorf("write the output: %w", w.err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.failed++
			in.Error = err.Error()
			fmt.Fprintf(c.errors, "botwatch: %s: %v\n", safeText(name), safeText(err.Error()))
		}
		c.manifest.Inputs = append(c.manifest.Inputs, in)
	}
	c.out.WriteString(f.close)
	return nil
}

// file classifies one file. An error is what ended it early.
func (c *classify) file(ctx context.Context, name string, w *rowWriter, entry *manifestInput) error {
	in, err := c.app.openInput(ctx, name, c.progress.add, c.manifestFile.name != "")
	if err != nil {
		return err
	}
	defer in.close()
	r, err := format.Open(in, c.options)
	if err == nil {
		workers := newWorkers(c, name, w.form.row)
		err = format.Each(r, len(workers), func(i int, f *format.Frame, a *classifier.Account, err error) row {
			return workers[i].row(f, a, err)
		}, w.write)
	}
	if in.hash != nil && ctx.Err() == nil && w.err == nil {
		digest, derr := in.digest()
		if err == nil {
			err = derr
		}
		entry.SHA256 = digest
	}
	entry.Size = in.bytes
	return err
}

// row is an account's row, and how it counts.
type row struct {
	text    []byte
	status  store.Status
	support classifier.Support
}

// rowWriter writes rows in order.
type rowWriter struct {
	out    *outputFile
	form   form
	counts *counts
	err    error // of the output
}

func (w *rowWriter) write(r row) error {
	if w.counts.Read > 0 {
		w.out.WriteString(w.form.between)
	}
	w.counts.Read++
	switch {
	case r.status == store.StatusError:
		w.counts.Errors++
	case r.support == classifier.SupportStrong:
		w.counts.Strong++
	case r.support == classifier.SupportWeak:
		w.counts.Weak++
	default:
		w.counts.None++
	}
	_, w.err = w.out.Write(r.text)
	return w.err
}

// worker classifies accounts in one goroutine.
type worker struct {
	run        *classify
	input      string
	render     func(dst []byte, p *store.Prediction) []byte
	ref        store.ModelRef
	slugs      *[classifier.NumClasses]string
	classifier *classifier.Classifier
	result     classifier.Result
	canonical  []byte
}

func newWorkers(c *classify, input string, render func([]byte, *store.Prediction) []byte) []worker {
	workers := make([]worker, runtime.GOMAXPROCS(0))
	for i := range workers {
		workers[i] = worker{
			run: c, input: input, render: render, slugs: c.model.Slugs(), classifier: classifier.New(c.model),
			ref: store.ModelRef{Name: c.model.Name(), Digest: c.model.Digest()},
		}
	}
	return workers
}

// row classifies an account and writes its row.
func (w *worker) row(f *format.Frame, a *classifier.Account, err error) row {
	p := w.predict(f, a, err)
	return row{w.render(make([]byte, 0, 4096), p), p.Status, p.Support}
}

func (w *worker) predict(f *format.Frame, a *classifier.Account, err error) *store.Prediction {
	id := w.id(f)
	if err == nil {
		err = w.classify(a)
	}
	var p *store.Prediction
	if err == nil {
		p = store.NewPrediction(id, a, &w.result, w.ref, w.slugs)
		p.Source.Fingerprint, w.canonical = a.Fingerprint(w.canonical)
	} else {
		p = store.NewFault(id, a, w.fault(f, err), w.ref)
	}
	p.Source.Via = "upload"
	p.ClassifiedAt = w.run.manifest.Started
	return p
}

// classify leaves its answer in w.result. Whatever goes wrong is the account's
// fault, a panic included, and costs no other.
func (w *worker) classify(a *classifier.Account) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &classifier.FieldError{Code: classifier.CodePanic, Message: fmt.Sprint("a fault of botwatch: ", p)}
			w.classifier = classifier.New(w.run.model)
		}
	}()
	return w.classifier.Classify(a, &w.result)
}

// id gives the account's key, or else the input and its number there.
func (w *worker) id(f *format.Frame) store.ID {
	if len(f.KeyJSON) > 0 {
		if id, err := store.ParseID(f.KeyJSON); err == nil {
			return id
		}
	}
	if f.Key != "" {
		return store.StringID(f.Key)
	}
	return store.StringID(fmt.Sprintf("%s#%d", w.input, f.Index+1))
}

// fault adds the place to what is wrong with an account.
func (w *worker) fault(f *format.Frame, err error) *classifier.FieldError {
	fault := classifier.FieldError{Code: classifier.CodePanic, Message: err.Error()}
	if fe, ok := errors.AsType[*classifier.FieldError](err); ok {
		fault = *fe
	}
	fault.Message += fmt.Sprintf(" (%s, %s)", w.input, f.Place)
	return &fault
}

func (c *classify) writeManifest() error {
	c.manifest.Ended = c.app.now().UTC()
	if err := writeJSON(&c.manifestFile, &c.manifest); err != nil {
		return err
	}
	return c.manifestFile.commit()
}
