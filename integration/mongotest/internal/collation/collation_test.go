package collation_test

import (
	"fmt"
	"sync"
	"testing"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func parse(t testing.TB, pairs ...any) *collation.Collation {
	t.Helper()
	c, err := collation.Parse(value.D(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompare(t *testing.T) {
	s := value.String
	strength := func(n int) []any { return []any{"locale", "en", "strength", n} }
	for _, c := range []struct {
		rule      string
		collation []any
		a, b      value.Value
		want      int
	}{
		{"the simple collation compares bytes", []any{"locale", "simple"}, s("B"), s("a"), -1},
		{"strength 1 sees base letters alone", strength(1), s("é"), s("E"), 0},
		{"strength 2 sees accents", strength(2), s("é"), s("e"), 1},
		{"strength 2 sees no case", strength(2), s("é"), s("É"), 0},
		{"strength 3 sees case, lower first", strength(3), s("a"), s("A"), -1},
		{"a letter outweighs case", strength(3), s("B"), s("a"), 1},
		{"strength 3 does not see what is ignored", strength(3), s("a"), s("a\x00"), 0},
		{"strength 5 sees all", strength(5), s("a"), s("a\x00"), -1},
		{"numbers by digits", []any{"locale", "en"}, s("a10"), s("a2"), -1},
		{"numericOrdering: numbers by value", []any{"locale", "en", "numericOrdering", true}, s("a10"), s("a2"), 1},
		{"a locale's own order: ä is behind z in Swedish", []any{"locale", "sv"}, s("ä"), s("z"), 1},
		{"and beside a in German", []any{"locale", "de"}, s("ä"), s("z"), -1},
		{"what is no string compares as ever", strength(2), value.Int32(1), value.Double(1), 0},
		{"types are apart as ever", strength(2), value.Int32(1), s("a"), -1},
		{"strings in arrays", strength(2), value.Array(s("a"), s("b")), value.Array(s("A"), s("B")), 0},
		{"strings in documents", strength(2), value.Document(value.D("x", "a")), value.Document(value.D("x", "A")), 0},
		{"names of fields compare by bytes", strength(2), value.Document(value.D("x", "a")), value.Document(value.D("X", "a")), 1},
		{"a shorter array is less", strength(2), value.Array(s("a")), value.Array(s("A"), s("b")), -1},
	} {
		by := parse(t, c.collation...)
		if got := by.Compare(c.a, c.b); got != c.want {
			t.Errorf("%s: Compare = %d, want %d", c.rule, got, c.want)
		}
		if got := by.Compare(c.b, c.a); got != -c.want {
			t.Errorf("%s: Compare the other way = %d, want %d", c.rule, got, -c.want)
		}
		a, b := by.Key(c.a), by.Key(c.b)
		if (a < b) != (c.want < 0) || (a == b) != (c.want == 0) {
			t.Errorf("%s: keys %x and %x", c.rule, a, b)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		rule string
		doc  value.Doc
		code fault.Code
	}{
		{"a locale is needed", value.D("strength", 1), 40414},
		{"unknown options are errors", value.D("locale", "en", "x", 1), 40415},
		{"unknown locales are errors", value.D("locale", "xx"), fault.BadValue},
		{"strength is 1 to 5", value.D("locale", "en", "strength", 6), fault.BadValue},
		{"strength is a number", value.D("locale", "en", "strength", "1"), fault.TypeMismatch},
		{"what Go's collation cannot do", value.D("locale", "en", "caseLevel", true), fault.CommandNotSupported},
		{"alternate's values", value.D("locale", "en", "alternate", "x"), fault.BadValue},
	} {
		if _, err := collation.Parse(c.doc); !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want code %d", c.rule, err, c.code)
		}
	}
	if c := parse(t); c != nil || c.Doc() != nil {
		t.Error("an empty document is not the simple collation")
	}
	want := `{"locale": "en_US","caseLevel": false,"caseFirst": "off","strength": {"$numberInt":"2"},"numericOrdering": false,"alternate": "non-ignorable",` +
		`"maxVariable": "punct","normalization": false,"backwards": false,"version": "57.1"}`
	if got := parse(t, "locale", "en_US", "strength", 2).Doc().String(); got != want {
		t.Errorf("Doc = %s\nwant  %s", got, want)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	c := parse(t, "locale", "en", "strength", 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				if !c.Equal(value.String(fmt.Sprint("É", i)), value.String(fmt.Sprint("e", i))) {
					t.Error("not equal")
				}
			}
		})
	}
	wg.Wait()
}
