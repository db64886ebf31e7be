package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// writeJSON writes a value as indented JSON.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// outputFile is where a command writes to: standard output, or a file, which
// appears under its name once it is complete.
type outputFile struct {
	name string // "" or "-" for standard output

	*bufio.Writer
	file *os.File
	temp string // the file's name until it is complete; "" where it is written in place
}

// addFlag adds --output.
func (o *outputFile) addFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.name, "output", "", "write to this `file` instead of standard output; it is replaced once all is written")
	wrapArgs(cmd, func() error {
		if strings.EqualFold(filepath.Ext(o.name), ".gz") {
			return fmt.Errorf("--output: %s: gzip is read, not written; leave .gz out, or pipe into gzip", o.name)
		}
		return nil
	})
}

// standard says whether standard output is meant.
func (o *outputFile) standard() bool { return o.name == "" || o.name == "-" }

// same says whether both mean one file, which need not be there yet.
func (o *outputFile) same(other *outputFile) bool {
	if o.standard() || other.standard() {
		return o.standard() == other.standard()
	}
	return filepath.Clean(o.name) == filepath.Clean(other.name) || isAmong(o.name, []string{other.name})
}

// open begins to write. What is no regular file, such as a device, is written in
// place.
func (o *outputFile) open(stdout io.Writer) error {
	if o.standard() {
		o.Writer = bufio.NewWriterSize(stdout, 64<<10)
		return nil
	}
	if real, err := filepath.EvalSymlinks(o.name); err == nil {
		o.name = real
	}
	if err := o.openFile(); err != nil {
		o.abandon()
		return fmt.Errorf("open the output: %s: %w", o.name, err)
	}
	o.Writer = bufio.NewWriterSize(o.file, 256<<10)
	return nil
}

func (o *outputFile) openFile() error {
	old, err := os.Stat(o.name)
	if err == nil {
		if old.IsDir() {
			return errors.New("is a directory; name a file in it")
		}
		o.file, err = os.OpenFile(o.name, os.O_WRONLY, 0)
		if err != nil || !old.Mode().IsRegular() {
			return pathless(err)
		}
		o.file.Close() // it may be written, and so may be replaced
	}
	o.temp = filepath.Join(filepath.Dir(o.name), "."+filepath.Base(o.name)+"."+strconv.FormatUint(rand.Uint64(), 36))
	o.file, err = os.OpenFile(o.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such folder; make it first")
	case err == nil && old != nil: // whoever could not read the old one cannot read the new one
		err = o.file.Chmod(old.Mode().Perm())
	}
	return pathless(err)
}

// commit writes what is left and gives the file its name.
func (o *outputFile) commit() error {
	err := o.Flush()
	if o.file == nil {
		return wrapf(err, "write the output")
	}
	err = errors.Join(err, o.file.Close())
	o.file = nil
	if err == nil && o.temp != "" {
		err = os.Rename(o.temp, o.name)
	}
	if err != nil && o.temp != "" {
		err = errors.Join(err, os.Remove(o.temp))
	}
	return wrapf(err, "write the output")
}

// abandon removes what was written, unless commit came first.
func (o *outputFile) abandon() {
	if o.file == nil {
		if o.Writer != nil { // standard output: what came before an error counts
			o.Flush()
		}
		return
	}
	o.file.Close()
	if o.temp != "" {
		os.Remove(o.temp)
	}
}

func wrapf(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
