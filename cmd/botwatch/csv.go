package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"botwatch/classifier"
	"botwatch/store"
)

// csvForm writes a line for each account, below a heading.
var csvForm = form{open: csvHeading(), row: appendCSV}

func csvHeading() string {
	columns := []string{"_id", "user_id", "screen_name", "status", "prediction", "class", "support", "margin"}
	for i := range classifier.NumClasses {
		columns = append(columns, "score_"+strconv.Itoa(i+1))
	}
	columns = append(columns, "base", "reasons", "flags", "out_of_range", "tweets", "own_tweets", "first_at", "last_at")
	for i := range classifier.NumAttributes {
		columns = append(columns, classifier.Attribute(i).String())
	}
	columns = append(columns, "error_code", "error_field", "error_message", "model_name", "model_digest", "crawled_at", "fingerprint", "classified_at")
	return strings.Join(columns, ",") + "\n"
}

// appendCSV appends a prediction as a line. What it has no value for is empty.
func appendCSV(dst []byte, p *store.Prediction) []byte {
	l := csvLine{dst: dst}
	l.text(p.ID.String())
	l.text(p.UserID)
	l.text(p.ScreenName)
	l.cell(string(p.Status))
	classified := p.Class != 0
	if classified {
		l.int(p.Class)
	} else {
		l.cell("")
	}
	l.cell(p.Slug)
	l.cell(p.Support.String())
	l.float(classified, p.Margin)
	for _, s := range p.Scores {
		l.float(classified, s)
	}
	l.float(classified, p.Base)
	l.cell(csvReasons(p.Reasons))
	l.cell(strings.Join(p.Flags.Names(), " "))
	l.cell(strings.Join(p.OutOfRange.Names(), " "))
	if p.Status == store.StatusError {
		l.cell("")
		l.cell("")
	} else {
		l.int(p.Basis.Tweets)
		l.int(p.Basis.OwnTweets)
	}
	l.time(p.Basis.Tweets > 0, p.Basis.FirstAt.Time())
	l.time(p.Basis.Tweets > 0, p.Basis.LastAt.Time())
	for _, v := range p.Attributes {
		l.float(p.HasAttributes, v)
	}
	fault := p.Error
	if fault == nil {
		fault = new(classifier.FieldError)
	}
	l.cell(string(fault.Code))
	l.text(fault.Field)
	l.text(fault.Message)
	l.text(p.Model.Name)
	l.cell(p.Model.Digest)
	l.time(p.Source.CrawledAt != 0, p.Source.CrawledAt.Time())
	l.cell(p.Source.Fingerprint)
	l.time(true, p.ClassifiedAt)
	l.dst[len(l.dst)-1] = '\n'
	return l.dst
}

// csvReasons gives reasons as attribute=value:contribution, spaces between.
func csvReasons(reasons []classifier.Reason) string {
	var b strings.Builder
	for i, r := range reasons {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.Attribute.String() + "=" + strconv.FormatFloat(r.Value, 'g', -1, 64) + ":" + strconv.FormatFloat(r.Contribution, 'g', -1, 64))
	}
	return b.String()
}

// csvLine appends cells, a comma after each.
type csvLine struct{ dst []byte }

// text appends foreign text. What would act on a terminal or turn the direction
// of writing becomes U+FFFD, but for tabs and line breaks.
func (l *csvLine) text(s string) {
	l.cell(textSafe(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, s)))
}

func (l *csvLine) cell(s string) {
	if strings.ContainsAny(s, "\",\r\n") || strings.HasPrefix(s, " ") {
		s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	l.dst = append(append(l.dst, s...), ',')
}

func (l *csvLine) int(n int) { l.dst = append(strconv.AppendInt(l.dst, int64(n), 10), ',') }

func (l *csvLine) float(known bool, v float64) {
	if known {
		l.dst = strconv.AppendFloat(l.dst, v, 'g', -1, 64)
	}
	l.dst = append(l.dst, ',')
}

func (l *csvLine) time(known bool, t time.Time) {
	if known {
		l.dst = t.UTC().AppendFormat(l.dst, store.TimeFormat)
	}
	l.dst = append(l.dst, ',')
}

// converted are the texts that a spreadsheet would show as something else: as a
// number of fewer digits, a date, a time, a percentage, a truth value. unchanged
// are those among them that it leaves alone.
var (
	converted = regexp.MustCompile(`(?i)^\s*([$€£(.]?\d[\d.,:/%()eE+ -]*([ap]m)?|true|false|` +
		`(\d+[ ./-]*` + monthName + `|` + monthName + `[ ./-]*\d+)[ ./-]*\d*)\s*$`)
	unchanged = regexp.MustCompile(`^(0|[1-9]\d{0,10})$`)
)

const monthName = `(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?)`

// textSafe makes a text safe to open in a spreadsheet. One that would be taken
// as a formula or be converted gets an apostrophe in front, and so does one that
// has an apostrophe in front: take one away, and every text is as it was.
func textSafe(s string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if s != "" && strings.ContainsRune("=+-@\t\r\n'＝＋－＠", first) || converted.MatchString(s) && !unchanged.MatchString(s) {
		return "'" + s
	}
	return s
}
