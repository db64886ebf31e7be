package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

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
}

// standard says whether standard output is meant.
func (o *outputFile) standard() bool { return o.name == "" || o.name == "-" }

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
	var err error
	if info, serr := os.Stat(o.name); serr == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return fmt.Errorf("open the output: %s is a directory; name a file in it", o.name)
		}
		o.file, err = os.OpenFile(o.name, os.O_WRONLY, 0)
	} else {
		o.temp = filepath.Join(filepath.Dir(o.name), "."+filepath.Base(o.name)+"."+strconv.FormatUint(rand.Uint64(), 36))
		o.file, err = os.OpenFile(o.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return fmt.Errorf("open the output: %w", err)
	}
	o.Writer = bufio.NewWriterSize(o.file, 256<<10)
	return nil
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
		if o.Writer != nil {
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
