package format_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

// eachRows reads all rows by Each.
func eachRows(rd *format.Reader, workers int) (rows []row, err error) {
	err = format.Each(rd, workers,
		func(_ int, f *format.Frame, account *classifier.Account, err error) row {
			return rowOf(f, account, err)
		},
		func(r row) error { rows = append(rows, r); return nil })
	return rows, err
}

// mixedInput is an upload of accounts of all sizes and faults.
func mixedInput(n int) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, `"u%d": `, i)
		switch i % 5 {
		case 3:
			b.WriteString(`{"user_data": tru}`)
		case 4:
			b.WriteString(withID(`"junk": "`+strings.Repeat(`}\"`, i%1000)+`"`, fmt.Sprint("n", i)))
		default:
			b.WriteString(account(fmt.Sprint("n", i)))
		}
	}
	b.WriteString("}")
	return b.String()
}

func TestEachKeepsOrder(t *testing.T) {
	const n = 3000
	input := mixedInput(n)
	want, err := readRows(strings.NewReader(input), format.Options{})
	if err != nil || len(want) != n {
		t.Fatalf("%d rows, %v", len(want), err)
	}
	for _, workers := range []int{0, 1, 2, 7} {
		for _, block := range []int{100, 10_000, 1 << 20} {
			rd, err := format.OpenInBlocks(strings.NewReader(input), format.Options{}, block)
			if err != nil {
				t.Fatal(err)
			}
			got, err := eachRows(rd, workers)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d workers, blocks of %d (-Next +Each):\n%s", workers, block, diff)
			}
		}
	}
}

func TestEachEndsEarly(t *testing.T) {
	t.Run("by what ends the input, after the accounts before", func(t *testing.T) {
		input := strings.TrimSuffix(mixedInput(500), "}")
		rd, err := format.OpenInBlocks(strings.NewReader(input), format.Options{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := eachRows(rd, 3)
		var fault *classifier.FieldError
		if !errors.As(err, &fault) || fault.Code != classifier.CodeSyntax || len(rows) != 500 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
	t.Run("by emit", func(t *testing.T) {
		boom := errors.New("pipe closed")
		rd, err := format.OpenInBlocks(strings.NewReader(mixedInput(500)), format.Options{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = format.Each(rd, 3,
			func(_ int, f *format.Frame, _ *classifier.Account, _ error) int { return f.Index },
			func(index int) error {
				if n++; n == 100 {
					return boom
				}
				return nil
			})
		if err != boom || n != 100 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

// TestTinyAccounts reads more rows than a batch may hold, and ends on its border.
func TestTinyAccounts(t *testing.T) {
	for _, n := range []int{1<<14 - 1, 1 << 14, 1<<14 + 1, 100_000} {
		for _, tc := range []struct{ rule, input, end string }{
			{"whole", "{" + strings.Repeat(`"k": 1,`, n-1) + `"k": 1}`, ""},
			{"cut off", "{" + strings.Repeat(`"k": 1,`, n), "the input is cut off"},
			{"lines", strings.Repeat("{}\n", n), ""},
		} {
			rows, err := readRows(strings.NewReader(tc.input), format.Options{})
			if len(rows) != n || !strings.HasPrefix(errText(err), tc.end) || (err == nil) != (tc.end == "") {
				t.Errorf("%s: %d rows of %d, %v", tc.rule, len(rows), n, err)
			}
			for i, r := range rows {
				if r.Index != i {
					t.Fatalf("%s: row %d has index %d", tc.rule, i, r.Index)
				}
			}
		}
	}
}

// TestBombStreams unpacks far more than may be held.
func TestBombStreams(t *testing.T) {
	const count, size = 200, 1 << 20
	pipe, w := io.Pipe()
	go func() {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		filler := bytes.Repeat([]byte(" "), size)
		io.WriteString(z, "{")
		for i := range count {
			fmt.Fprintf(z, `"u%d": {"junk": "`, i)
			z.Write(filler)
			io.WriteString(z, `", `+account("x")[1:]+",")
		}
		io.WriteString(z, `"last": `+account("x")+"}")
		w.CloseWithError(z.Close())
	}()
	rd, err := format.Open(pipe, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	err = format.Each(rd, 2,
		func(_ int, _ *format.Frame, _ *classifier.Account, err error) error { return err },
		func(err error) error { n++; return err })
	runtime.ReadMemStats(&after)
	if err != nil || n != count+1 {
		t.Errorf("%d rows, %v", n, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("allocated %d bytes for %d of input", grown, count*size)
	}
}

func FuzzReader(f *testing.F) {
	for _, tc := range readerCases {
		f.Add([]byte(tc.input), 7)
	}
	for _, input := range []string{timelineInput, "[" + strings.ReplaceAll(strings.TrimSpace(timelineInput), "\n", ",") + "]"} {
		f.Add([]byte(input), 50)
	}
	f.Add(pack(account("bob")+"\n"+account("ann")), 3)
	f.Fuzz(func(t *testing.T, input []byte, block int) {
		options := format.Options{MaxAccount: 1 << 16}
		want, wantErr := readRows(bytes.NewReader(input), options)
		rd, err := format.OpenInBlocks(bytes.NewReader(input), options, 1+(block&0xff))
		var got []row
		if err == nil {
			got, err = eachRows(rd, 2)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-whole +in small blocks):\n%s\n%q", diff, input)
		}
		if errText(wantErr) != errText(err) {
			t.Errorf("whole: %v; in small blocks: %v\n%q", wantErr, err, input)
		}
		text := bytes.TrimSpace(input)
		if json.Valid(text) && (text[0] == '{' || text[0] == '[') && err != nil {
			t.Errorf("valid JSON: %v\n%q", err, input)
		}
	})
}

// BenchmarkFrame cuts an input into frames and decodes none.
func BenchmarkFrame(b *testing.B) {
	one := string(exampleAccount(b))
	inputs := map[string]string{
		"upload": `{"a": ` + strings.Repeat(one+`, "a": `, 100) + one + "}",
		"NDJSON": strings.Repeat(one+"\n", 100),
	}
	for _, name := range []string{"upload", "NDJSON"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(inputs[name])))
			for b.Loop() {
				rd, err := format.Open(strings.NewReader(inputs[name]), format.Options{})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = rd.Next()
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEach reads an upload with two workers.
func BenchmarkEach(b *testing.B) {
	one := string(exampleAccount(b))
	input := `{"a": ` + strings.Repeat(one+`, "a": `, 100) + one + "}"
	b.SetBytes(int64(len(input)))
	for b.Loop() {
		rd, err := format.Open(strings.NewReader(input), format.Options{})
		if err != nil {
			b.Fatal(err)
		}
		err = format.Each(rd, 2,
			func(_ int, _ *format.Frame, _ *classifier.Account, err error) error { return err },
			func(err error) error { return err })
		if err != nil {
			b.Fatal(err)
		}
	}
}
