package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

// pickled writes a value as Python's protocol 0 does, {key, value, …} as a dict.
func pickled(v any) string {
	switch v := v.(type) {
	case nil:
		return "N"
	case int:
		return fmt.Sprintf("I%d\n", v)
	case int64: // as pymongo has it
		return fmt.Sprintf("cbson.int64\nInt64\n(I%d\ntR", v)
	case string:
		return "V" + v + "\n"
	case []any:
		s := "(d"
		for i := 0; i < len(v); i += 2 {
			s += pickled(v[i]) + pickled(v[i+1]) + "s"
		}
		return s
	}
	return "(l" // a list, and empty
}

func pickledAccount(name string) []any {
	return []any{
		"user_data", []any{"screen_name", name, "followers_count", 1, "statuses_count", 2, "created_at", "2010-01-01 00:00:00"},
		"tweets", struct{}{},
		"crawled_at", "2020-01-01 00:00:00",
	}
}

func TestPickle(t *testing.T) {
	cases := []struct {
		rule, input string
		want        []row
	}{
		{"an upload", pickled([]any{"a", pickledAccount("ann"), 12, pickledAccount("bob"), int64(13), pickledAccount("cy")}) + ".", []row{
			brief("a", `"a"`, "ann", ""), brief("12", "12", "bob", ""), brief("13", "13", "cy", ""),
		}},
		{"a single account", pickled(pickledAccount("ann")) + ".", []row{brief("ann", `"ann"`, "ann", "")}},
		{"faulty accounts keep their rows", pickled([]any{"a", nil, "b", []any{"user_data", 5}, nil, pickledAccount("x"), "c", pickledAccount("cy")}) + ".", []row{
			brief("a", `"a"`, "", "an account is an object with user_data, tweets and crawled_at"),
			brief("b", `"b"`, "", "user_data: want the account's user object"),
			brief("#2", `"#2"`, "x", "the user key is neither text nor an integer"),
			brief("c", `"c"`, "cy", ""),
		}},
		{"an empty upload", "(d.", nil},
		{"an empty upload of protocol 2", "\x80\x02}.", nil},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			for _, input := range []string{tc.input, string(pack(tc.input))} {
				got, err := readRows(strings.NewReader(input), format.Options{})
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					if got[i].Index != i {
						t.Errorf("row %d has index %d", i, got[i].Index)
					}
					got[i].Place, got[i].Index = "", 0
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestPickleErrors(t *testing.T) {
	cases := []struct {
		rule string
		src  io.Reader
		code classifier.ErrorCode
		text string
	}{
		{"cut off", strings.NewReader("\x80\x02}"), classifier.CodeSyntax, "the pickle cannot be read"},
		{"a list", strings.NewReader("(l."), classifier.CodeSyntax, "want a dict"},
		{"a refused global", strings.NewReader("\x80\x02cos\nsystem\n(S'x'\ntR."), classifier.CodeSyntax, "os.system"},
		{"larger than the limit", io.MultiReader(strings.NewReader("\x80\x02"), io.LimitReader(zeros{}, format.MaxPickle)), classifier.CodeTooLarge, "67108864 bytes"},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			_, err := format.Open(tc.src, format.Options{})
			var fault *classifier.FieldError
			if !errors.As(err, &fault) || fault.Code != tc.code || !strings.Contains(fault.Message, tc.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPickleOfExampleEqualsJSON compares whole accounts.
func TestPickleOfExampleEqualsJSON(t *testing.T) {
	accounts := func(name string) (got []*classifier.Account) {
		rd, err := format.Open(bytes.NewReader(sharedFile(t, name)), format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = format.Each(rd, 2,
			func(_ int, _ *format.Frame, a *classifier.Account, _ error) *classifier.Account { return a.Clone() },
			func(a *classifier.Account) error { got = append(got, a); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if diff := cmp.Diff(accounts("example_data.json"), accounts("example_data.p")); diff != "" {
		t.Errorf("(-JSON +pickle):\n%s", diff)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
