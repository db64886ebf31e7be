package classifier_test

import (
	"strings"
	"testing"
	"time"

	"botwatch/classifier"
)

// readTime gives what a Builder makes of a time.
func readTime(text string) (time.Time, bool) {
	var b classifier.Builder
	b.ResetTimelineTweet()
	b.BeginObject()
	b.Key([]byte("crawled_at"))
	b.String([]byte(text))
	b.EndObject()
	account, ok, _ := b.FinishTweet()
	return account.CrawledAt.Time(), ok
}

func TestTime(t *testing.T) {
	cases := []struct{ rule, text, want string }{
		{"as the crawler writes it", "2020-05-20 09:18:42", "2020-05-20T09:18:42Z"},
		{"with a fraction", "2020-05-20 09:18:42.123456", "2020-05-20T09:18:42.123456Z"},
		{"with a short fraction", "2020-05-20 09:18:42.5", "2020-05-20T09:18:42.5Z"},
		{"with a long fraction, cut", "2020-05-20 09:18:42.1234569", "2020-05-20T09:18:42.123456Z"},
		{"ISO 8601", "2020-05-20T09:18:42", "2020-05-20T09:18:42Z"},
		{"ISO 8601 with Z", "2020-05-20T09:18:42.5Z", "2020-05-20T09:18:42.5Z"},
		{"ISO 8601 with z", "2020-05-20T09:18:42z", "2020-05-20T09:18:42Z"},
		{"offset east", "2020-05-20T09:18:42+02:30", "2020-05-20T06:48:42Z"},
		{"offset west", "2020-05-20T09:18:42.25-0230", "2020-05-20T11:48:42.25Z"},
		{"offset of hours", "2020-05-20 09:18:42+02", "2020-05-20T07:18:42Z"},
		{"offset after a space", "2020-05-20 09:18:42 +0200", "2020-05-20T07:18:42Z"},
		{"v1.1", "Wed May 20 09:18:42 +0000 2020", "2020-05-20T09:18:42Z"},
		{"v1.1 with an offset", "Wed May 20 09:18:42 -0130 2020", "2020-05-20T10:48:42Z"},
		{"first moment", "0001-01-01 00:00:00", "0001-01-01T00:00:00Z"},
		{"last moment", "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"},
		{"before 1970, with a fraction", "1969-12-31 23:59:59.5", "1969-12-31T23:59:59.5Z"},
		{"29 February of a leap year", "2000-02-29 00:00:00", "2000-02-29T00:00:00Z"},
		{"29 February of no leap year", "1900-02-29 00:00:00", ""},
		{"31 April", "2020-04-31 00:00:00", ""},
		{"month 0", "2020-00-01 00:00:00", ""},
		{"month 13", "2020-13-01 00:00:00", ""},
		{"day 0", "2020-01-00 00:00:00", ""},
		{"year 0", "0000-01-01 00:00:00", ""},
		{"hour 24", "2020-01-01 24:00:00", ""},
		{"minute 60", "2020-01-01 00:60:00", ""},
		{"second 60", "2020-01-01 00:00:60", ""},
		{"point without fraction", "2020-01-01 00:00:00.", ""},
		{"offset beyond a day", "2020-01-01 00:00:00+24:00", ""},
		{"a zone by name", "2020-01-01 00:00:00 CET", ""},
		{"a date alone", "2020-01-01", ""},
		{"no weekday", "Xyz May 20 09:18:42 +0000 2020", ""},
		{"no month", "Wed Foo 20 09:18:42 +0000 2020", ""},
		{"month across a border", "Wed anF 20 09:18:42 +0000 2020", ""},
		{"a day in one digit", "Wed May  2 09:18:42 +0000 2020", ""},
		{"empty", "", ""},
		{"minus in a number", "2020-05-20 09:-8:42", ""},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := ""
			if at, ok := readTime(tc.text); ok {
				got = at.Format(time.RFC3339Nano)
			}
			if got != tc.want {
				t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

// FuzzTime holds the reader of times to package time: what it accepts means the
// same there, and what package time writes it reads.
func FuzzTime(f *testing.F) {
	for _, text := range []string{"2020-05-20 09:18:42.123456", "2020-05-20T09:18:42+02:30", "2020-05-20 09:18:42 -02", "Wed May 20 09:18:42 +0000 2020", "2000-02-29T00:00:00Z"} {
		f.Add(text, int64(1589966322_500000))
	}
	f.Fuzz(func(t *testing.T, text string, micros int64) {
		if got, ok := readTime(text); ok {
			want, err := time.Parse(time.RubyDate, text)
			for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07"} {
				if err != nil {
					want, err = time.Parse(layout, normal(text))
				}
			}
			if err != nil {
				t.Fatalf("%q is %v: %v", text, got, err)
			}
			if want = want.Truncate(time.Microsecond); !got.Equal(want) {
				t.Fatalf("%q: got %v, want %v", text, got, want)
			}
		}
		at := classifier.Micros(micros % int64(classifier.MaxMicros))
		if at < classifier.MinMicros {
			return
		}
		for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.000000Z07:00", "2006-01-02 15:04:05.999999 -0700"} {
			written := at.Time().Format(layout)
			if got, ok := readTime(written); !ok || !got.Equal(at.Time()) {
				t.Fatalf("%q: got %v, %v", written, got, ok)
			}
		}
		written := at.Time().Format(time.RubyDate)
		if got, ok := readTime(written); !ok || !got.Equal(at.Time().Truncate(time.Second)) {
			t.Fatalf("%q: got %v, %v", written, got, ok)
		}
	})
}

// normal turns the forms of ISO 8601 into one: a space for the T, a capital Z,
// none before the zone.
func normal(text string) string {
	if len(text) < 19 {
		return text
	}
	rest := strings.TrimPrefix(text[19:], ".")
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	if len(rest) == len(text[19:]) {
		digits = -1
	}
	zone := text[19+1+digits:]
	return text[:10] + " " + text[11:19+1+digits] + strings.ToUpper(strings.Replace(zone, " ", "", 1))
}
