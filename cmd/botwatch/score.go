package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"botwatch/classifier"
)

func (a *app) modelScoreCommand() *cobra.Command {
	s := &score{app: a}
	cmd := &cobra.Command{
		Use:   "score FILE.csv",
		Short: "Score rows of ready attributes",
		Long: `score reads a CSV file (- for standard input, plain or gzip) of ready attributes
and writes it again with score_1 to score_6 and prediction at the end of each
row, each score as the shortest text that reads back exactly.

The columns of the inputs are headed by their number in the model and their
name, such as 0:interaction_mentions, or by their name alone; 'botwatch model
info' lists them. All other columns pass through unchanged, columns that bear the
names of the new ones too.

A row with a missing, malformed or infinite number keeps its place, without
scores; standard error says the line and the column.`,
		Example: `  botwatch model score vectors.csv.gz --output scored.csv
  zcat vectors.csv.gz | botwatch model score --model published.json -`,
		Args: exactly(1, "one CSV file, or - for standard input"),
	}
	s.out.addFlag(cmd)
	settingFlags(cmd, setModel)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		loaded, err := a.settings(cmd)
		if err != nil {
			return err
		}
		if isAmong(s.out.name, []string{args[0], loaded.Model}) {
			return usagef("%s is to be read and written; name another output", s.out.name)
		}
		if s.model, err = loadModel(loaded.Model); err != nil {
			return err
		}
		if err := s.run(cmd.Context(), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "%d rows, %d errors\n", s.rows, s.faulty)
		if s.faulty > 0 {
			return &rowsError{s.faulty}
		}
		return nil
	}
	return cmd
}

// score is one run of the command.
type score struct {
	app   *app
	out   outputFile
	model *classifier.Model

	name         string
	columns      []int // of the inputs, in the model's order
	heading      []string
	rows, faulty int
}

// maxRowErrors is how many faulty rows are told one by one.
const maxRowErrors = 20

// run scores a file. An error names the file, or is of the output.
func (s *score) run(ctx context.Context, file string) error {
	s.name = file
	of := func(err error) error { return fmt.Errorf("%s: %w", file, err) }
	in, err := s.app.openInput(ctx, file, func(int) {}, false)
	if err != nil {
		return of(err)
	}
	defer in.close()
	src, err := unpacked(in)
	if err != nil {
		return of(err)
	}
	r := csv.NewReader(src)
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	heading, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return of(errors.New("is empty; want a heading and rows of attributes"))
	case err != nil:
		return of(err)
	}
	s.heading = slices.Clone(heading)
	if s.columns, err = inputColumns(s.heading, s.model.Inputs()); err != nil {
		return of(err)
	}
	if err := s.out.open(s.app.stdout); err != nil {
		return err
	}
	defer s.out.abandon()
	if err := s.rewrite(r, csv.NewWriter(&s.out)); err != nil {
		return err
	}
	if s.faulty > maxRowErrors {
		fmt.Fprintf(s.app.stderr, "botwatch: %s: %d more rows with errors\n", safeText(s.name), s.faulty-maxRowErrors)
	}
	return s.out.commit()
}

// rewrite writes the heading and all rows again, scores at their ends.
func (s *score) rewrite(r *csv.Reader, w *csv.Writer) error {
	row := slices.Clone(s.heading)
	for i := range classifier.NumClasses {
		row = append(row, "score_"+strconv.Itoa(i+1))
	}
	row = append(row, "prediction")
	inputs := make([]float64, len(s.columns))
	for {
		if err := w.Write(row); err != nil {
			return wrapf(err, "write the output")
		}
		record, err := r.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			w.Flush()
			return nil
		case err != nil && !errors.As(err, &syntax):
			return fmt.Errorf("%s: %w", s.name, err)
		case err == nil:
			err = s.read(r, record, inputs)
		}
		s.rows++
		row = s.row(row[:0], record, inputs, err)
	}
}

// unpacked unpacks gzip and leaves out a byte order mark.
func unpacked(in io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(in, 256<<10)
	if head, _ := b.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
		b = bufio.NewReaderSize(z, 256<<10)
	}
	if head, _ := b.Peek(3); string(head) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	return b, nil
}

// inputColumns finds the column of each input: the one headed "3:spreader", else
// "spreader". An attribute that is two inputs may have one column by name.
func inputColumns(heading []string, inputs []classifier.Attribute) ([]int, error) {
	places := make(map[string][]int)
	for i, text := range heading {
		text = strings.TrimSpace(text)
		places[text] = append(places[text], i)
	}
	var columns []int
	var missing []string
	for i, attribute := range inputs {
		full := strconv.Itoa(i) + ":" + attribute.String()
		found := places[full]
		if len(found) == 0 {
			found = places[attribute.String()]
		}
		switch len(found) {
		case 0:
			missing = append(missing, full)
		case 1:
			columns = append(columns, found[0])
		default:
			return nil, fmt.Errorf("has %d columns headed %s; want one", len(found), heading[found[0]])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("lacks the columns %s; want a heading with the model's inputs", strings.Join(missing, ", "))
	}
	return columns, nil
}

// row appends a record and its scores to row; blanks where it is faulty.
func (s *score) row(row, record []string, inputs []float64, fault error) []string {
	n := len(s.heading)
	row = append(row, record[:min(len(record), n)]...)
	if fault != nil {
		s.fault(fault)
		return append(row, make([]string, n+classifier.NumClasses+1-len(row))...)
	}
	scores, prediction := s.model.Score(inputs)
	for _, v := range scores {
		row = append(row, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return append(row, strconv.Itoa(prediction))
}

// read reads the inputs of a record.
func (s *score) read(r *csv.Reader, record []string, inputs []float64) error {
	if len(record) != len(s.heading) {
		line, _ := r.FieldPos(0)
		return fmt.Errorf("line %d: has %d columns; want %d, as the heading has", line, len(record), len(s.heading))
	}
	for i, column := range s.columns {
		text := strings.TrimSpace(record[column])
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			line, _ := r.FieldPos(column)
			return fmt.Errorf("line %d, column %d (%s): is %.40q; want a finite number within float32", line, column+1, safeText(s.heading[column]), text)
		}
		inputs[i] = v
	}
	return nil
}

// fault tells of a faulty row.
func (s *score) fault(err error) {
	if s.faulty++; s.faulty <= maxRowErrors {
		fmt.Fprintf(s.app.stderr, "botwatch: %s: %v\n", safeText(s.name), err)
	}
}
