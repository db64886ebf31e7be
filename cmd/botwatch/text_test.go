package main

import (
	"encoding/csv"
	"strings"
	"testing"
	"unicode"

	"botwatch/classifier"
)

func TestTextWidth(t *testing.T) {
	cases := map[string]int{
		"":        0,
		"abc":     3,
		"é":       1,
		"e\u0301": 1, // a mark takes no column of its own
		"漢字":      4,
		"한국":      4,
		"ａ":       2, // full width
		"ｱ":       1, // half width
		"🙂":       2,
		"Ж":       1,
		"…":       1,
		"▲":       1,
	}
	for text, want := range cases {
		if got := textWidth(text); got != want {
			t.Errorf("%q takes %d columns; want %d", text, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	cases := []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"漢字漢字", 8, "漢字漢字"},
		{"漢字漢字", 7, "漢字漢…"},
		{"漢字漢字", 6, "漢字…"}, // half a rune does not fit
		{"abc", 1, "…"},
		{"éa\u0301b", 2, "é…"},
	}
	for _, tc := range cases {
		got := fit(tc.text, tc.columns)
		if got != tc.want || textWidth(got) > tc.columns {
			t.Errorf("fit(%q, %d) is %q; want %q", tc.text, tc.columns, got, tc.want)
		}
	}
}

func TestWrap(t *testing.T) {
	cases := []struct {
		text    string
		columns int
		want    string
	}{
		{"", 5, ""},
		{"a b c", 3, "a b|c"},
		{"a  b", 9, "a b"},
		{"toolong a", 3, "toolong|a"},
		{"漢字 漢字", 8, "漢字|漢字"},
	}
	for _, tc := range cases {
		if got := strings.Join(wrap(tc.text, tc.columns), "|"); got != tc.want {
			t.Errorf("wrap(%q, %d) is %q; want %q", tc.text, tc.columns, got, tc.want)
		}
	}
}

func TestNameText(t *testing.T) {
	cases := map[string]string{
		"plain":                       "plain",
		"\x1b[31mred\x07":             "�[31mred�",
		"\u009b31m":                   "�31m",
		"a\u202eb\u2066c\u200bd":      "a�b�c�d",
		"a\nb\tc\u2028d\x7f":          "a�b�c�d�",
		"z\u0301\u0302\u0303\u0304al": "z\u0301al",
		"bad\xffutf8":                 "bad�utf8",
	}
	for text, want := range cases {
		if got := nameText(text); got != want {
			t.Errorf("nameText(%q) is %q; want %q", text, got, want)
		}
	}
}

// TestTextSafe: whatever a spreadsheet would run or show as something else is
// marked, and nothing is lost.
func TestTextSafe(t *testing.T) {
	marked := []string{
		"=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "'x", "＝1", "－1",
		"123456789012", "1020304050607080901", "007", "1e5", "1.50", "1,5", ".5", "50%", "$5", "(5)", "1-2", "3/4", "12:30", "12:30pm", "2020-01-02",
		"MAR1", "sept2", "1 May", "May-1", "3dec", "TRUE", "false", "12 ",
	}
	plain := []string{"", "0", "7", "12345678901", "abc", "a=b", "maria76511271", "march", "mayor1", "x-1", "1a", "漢字", "5ec4f7e2a1b2c3d4e5f60718", "true_story"}
	for _, text := range marked {
		if got := textSafe(text); got != "'"+text {
			t.Errorf("textSafe(%q) is %q; want an apostrophe in front", text, got)
		}
	}
	for _, text := range plain {
		if got := textSafe(text); got != text {
			t.Errorf("textSafe(%q) is %q; want it as it is", text, got)
		}
	}
}

func FuzzTextSafe(f *testing.F) {
	for _, s := range []string{"=1", "'", "''", "1e9", "a,\"b\"\r\n", "\u202e", "\x00", "MAR1", " =x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := strings.TrimPrefix(textSafe(s), "'"); got != s && textSafe(s) != s {
			t.Errorf("textSafe(%q) loses something: %q", s, got)
		}
		l := csvLine{}
		l.text(s)
		l.text("end")
		line := string(l.dst[:len(l.dst)-1])
		rows, err := csv.NewReader(strings.NewReader(line + "\n")).ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != 2 {
			t.Fatalf("%q is no line of two cells: %v", line, err)
		}
		cell := rows[0][0]
		if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(strings.TrimLeft(cell, " ") + "x")[0]) {
			t.Errorf("%q may be run", cell)
		}
		for _, r := range cell {
			if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%q holds %U", cell, r)
			}
		}
	})
}

// TestHarmless: of hostile accounts, nothing that acts on a terminal comes out,
// in whatever form.
func TestHarmless(t *testing.T) {
	for _, args := range [][]string{{}, {"--explain"}, {"--format", "csv"}, {"--format", "json"}, {"--format", "ndjson"}} {
		got := botwatch(append([]string{"classify", hostile, "\x1b[31mno\u202efile"}, args...)...)
		for _, text := range []string{got.out, got.err} {
			for _, r := range text {
				if r != '\n' && r != '\r' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
					t.Errorf("%v: %U in the output", args, r)
				}
			}
		}
	}
}

func TestInWords(t *testing.T) {
	own := classifier.Basis{Tweets: 100, OwnTweets: 49}
	cases := []struct {
		attribute classifier.Attribute
		value     float64
		basis     classifier.Basis
		want      string
	}{
		{classifier.InteractionMentions, 0, own, "no mentions"},
		{classifier.InteractionMentions, 49. / 50, own, "100% with mentions"}, // of n+1
		{classifier.InteractionReplies, 24.5 / 50, own, "50% replies"},
		{classifier.InteractionHashtags, 0.001, own, "under 1% with hashtags"},
		{classifier.InteractionHashtags, 0, classifier.Basis{Tweets: 3}, "no own tweets"},
		{classifier.Spreader, 50. / 101, own, "50% retweets of others"}, // 50 of 100
		{classifier.Spreader, 0, own, "no retweets of others"},
		{classifier.Popularity, -10, own, "no followers"},
		{classifier.Popularity, 0, own, "1 follower"},
		{classifier.Popularity, 6, own, "1,000,000 followers"},
		{classifier.ConfirmationMax, -10, own, "never liked"},
		{classifier.ConfirmationMax, 0, own, "at most 1 like"},
		{classifier.ConfirmationMean, 0, own, "1 like a tweet"},
		{classifier.ConfirmationMean, -1, own, "0.1 likes a tweet"},
		{classifier.ConfirmationH, 5. / 49, own, "h-index of likes 5"},
		{classifier.SpreadMax, 0, own, "shared once at most"},
		{classifier.SpreadMax, 2, own, "100 shares at most"},
		{classifier.SpreadMean, -10, own, "never shared"},
		{classifier.SpreadH, 0, own, "never shared"},
		{classifier.LanguageVariation, 1, own, "1 language"},
		{classifier.LanguageVariation, 3, own, "3 languages"},
		{classifier.Age, 1234, own, "1,234 days old"},
		{classifier.PostingIntensity, 0.0291, own, "0.029 posts a day"},
		{classifier.PostingIntensity, 6.72, own, "6.7 posts a day"},
		{classifier.Burst, 58.2996, own, "bursts of 58 tweets a day"},
		{classifier.PostingAutomationSeconds, -1.785, own, "clustering by second -1.8"},
		{classifier.PostingAutomationDays, -10, own, "no clustering by weekday"},
		{classifier.Anonymity, 3, own, "anonymity 3 of 3"},
		{classifier.StandardName, 1, own, "name ends in 8 digits"},
	}
	for _, tc := range cases {
		if got := inWords(tc.attribute, tc.value, &tc.basis); got != tc.want {
			t.Errorf("%s of %v is %q; want %q", tc.attribute, tc.value, got, tc.want)
		}
	}
	for i := range classifier.NumAttributes { // each has words of its own
		a := classifier.Attribute(i)
		if got := inWords(a, 0.5, &own); got == a.String()+" 0.5" {
			t.Errorf("%s has no words: %q", a, got)
		}
	}
}
