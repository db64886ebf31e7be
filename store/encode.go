package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"botwatch/classifier"
)

// TimeFormat is how documents write times: UTC, to the microsecond.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// AppendJSON appends the prediction's document as JSON, its fields always in
// the same order. Times are in TimeFormat.
func (p *Prediction) AppendJSON(dst []byte) []byte {
	o := objectWriter{dst: append(dst, '{'), first: true}
	o.key("_id")
	o.dst = p.ID.AppendJSON(o.dst)
	if p.Status == StatusDeleted {
		o.text("status", string(p.Status))
		p.appendSource(&o)
		o.time("expires_at", p.ExpiresAt)
		return append(o.dst, '}')
	}
	o.text("platform", p.Platform)
	o.text("user_id", p.UserID)
	o.text("screen_name", p.ScreenName)
	o.text("status", string(p.Status))
	if p.Class != 0 {
		o.key("prediction")
		o.dst = strconv.AppendInt(o.dst, int64(p.Class), 10)
		o.text("class", p.Slug)
	}
	o.text("support", p.Support.String())
	if p.Class != 0 && p.Slugs != nil {
		o.key("scores")
		o.dst = append(o.dst, '{')
		for i, s := range p.Scores {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.dst = appendJSONString(o.dst, p.Slugs[i])
			o.dst = append(o.dst, ':')
			o.dst = appendFloat(o.dst, s)
		}
		o.dst = append(o.dst, '}')
		o.float("margin", p.Margin)
		o.float("base", p.Base)
		o.key("reasons")
		o.dst = append(o.dst, '[')
		for i, r := range p.Reasons {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.dst = append(o.dst, `{"attribute":"`...)
			o.dst = append(o.dst, r.Attribute.String()...)
			o.dst = append(o.dst, `","value":`...)
			o.dst = appendFloat(o.dst, r.Value)
			o.dst = append(o.dst, `,"contribution":`...)
			o.dst = appendFloat(o.dst, r.Contribution)
			o.dst = append(o.dst, '}')
		}
		o.dst = append(o.dst, ']')
	}
	if p.HasAttributes {
		o.key("attributes")
		o.dst = append(o.dst, '{')
		for i, v := range p.Attributes {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.dst = append(o.dst, '"')
			o.dst = append(o.dst, classifier.Attribute(i).String()...)
			o.dst = append(o.dst, `":`...)
			o.dst = appendFloat(o.dst, v)
		}
		o.dst = append(o.dst, '}')
	}
	if p.Status != StatusError {
		o.key("basis")
		o.dst = append(o.dst, `{"tweets":`...)
		o.dst = strconv.AppendInt(o.dst, int64(p.Basis.Tweets), 10)
		o.dst = append(o.dst, `,"own_tweets":`...)
		o.dst = strconv.AppendInt(o.dst, int64(p.Basis.OwnTweets), 10)
		if p.Basis.Tweets > 0 {
			o.time("first_at", p.Basis.FirstAt.Time())
			o.time("last_at", p.Basis.LastAt.Time())
		}
		o.dst = append(o.dst, '}')
	}
	o.names("flags", p.Flags.Names())
	o.names("out_of_range", p.OutOfRange.Names())
	o.key("stale")
	o.dst = strconv.AppendBool(o.dst, p.Stale)
	if p.Error != nil {
		o.key("error")
		o.dst = appendError(o.dst, p.Error)
	}
	o.key("model")
	o.dst = append(o.dst, `{"name":`...)
	o.dst = appendJSONString(o.dst, p.Model.Name)
	o.dst = append(o.dst, `,"digest":`...)
	o.dst = appendJSONString(o.dst, p.Model.Digest)
	o.dst = append(o.dst, '}')
	p.appendSource(&o)
	o.key("history")
	o.dst = AppendHistory(o.dst, p.History)
	if !p.ClassChangedAt.IsZero() {
		o.time("class_changed_at", p.ClassChangedAt)
	}
	o.time("classified_at", p.ClassifiedAt)
	return append(o.dst, '}')
}

func (p *Prediction) appendSource(o *objectWriter) {
	o.key("source")
	o.dst = append(o.dst, `{"epoch":`...)
	o.dst = strconv.AppendInt(o.dst, p.Source.Epoch, 10)
	o.dst = append(o.dst, `,"seq":"`...)
	o.dst = strconv.AppendUint(o.dst, p.Source.Seq, 10)
	o.dst = append(o.dst, '"')
	if p.Status != StatusDeleted {
		if p.Source.CrawledAt != 0 {
			o.time("crawled_at", p.Source.CrawledAt.Time())
		}
		if p.Source.Fingerprint != "" {
			o.text("fingerprint", p.Source.Fingerprint)
		}
	}
	o.text("via", p.Source.Via)
	o.dst = append(o.dst, '}')
}

// AppendHistory appends history entries as a JSON array.
func AppendHistory(dst []byte, entries []HistoryEntry) []byte {
	dst = append(dst, '[')
	for i, h := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		o := objectWriter{dst: append(dst, '{'), first: true}
		o.text("class", h.Class)
		o.text("support", h.Support)
		o.text("model", h.Model)
		o.time("at", h.At)
		dst = append(o.dst, '}')
	}
	return append(dst, ']')
}

func appendError(dst []byte, e *classifier.FieldError) []byte {
	o := objectWriter{dst: append(dst, '{'), first: true}
	o.text("code", string(e.Code))
	o.text("field", e.Field)
	o.text("message", e.Message)
	return append(o.dst, '}')
}

// objectWriter appends an object's members.
type objectWriter struct {
	dst   []byte
	first bool
}

func (o *objectWriter) key(name string) {
	if !o.first {
		o.dst = append(o.dst, ',')
	}
	o.first = false
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, `":`...)
}

func (o *objectWriter) text(name, value string) {
	o.key(name)
	o.dst = appendJSONString(o.dst, value)
}

func (o *objectWriter) float(name string, v float64) {
	o.key(name)
	o.dst = appendFloat(o.dst, v)
}

func (o *objectWriter) time(name string, t time.Time) {
	o.key(name)
	o.dst = append(o.dst, '"')
	o.dst = t.UTC().AppendFormat(o.dst, TimeFormat)
	o.dst = append(o.dst, '"')
}

func (o *objectWriter) names(name string, values []string) {
	o.key(name)
	o.dst = append(o.dst, '[')
	for i, v := range values {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = appendJSONString(o.dst, v)
	}
	o.dst = append(o.dst, ']')
}

// appendFloat appends the shortest text that reads back as exactly v.
func appendFloat(dst []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// appendJSONString appends s quoted; what is no UTF-8 becomes U+FFFD. Whatever
// could act on a terminal is escaped: controls, and marks that turn the
// direction of writing.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + n
			case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
				dst = append(dst, s[start:i]...)
				for _, unit := range utf16.AppendRune(nil, r) {
					dst = fmt.Appendf(dst, `\u%04x`, unit)
				}
				start = i + n
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			dst = append(dst, s[start:i]...)
			if c < ' ' || c == 0x7f {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, '\\', c)
			}
			start = i + 1
		}
		i++
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// MarshalJSON gives AppendJSON's form.
func (p *Prediction) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// predictionDoc mirrors the document for reading.
type predictionDoc struct {
	ID         ID                     `json:"_id"`
	Platform   string                 `json:"platform"`
	UserID     string                 `json:"user_id"`
	ScreenName string                 `json:"screen_name"`
	Status     Status                 `json:"status"`
	Class      int                    `json:"prediction"`
	Slug       string                 `json:"class"`
	Support    string                 `json:"support"`
	Scores     json.RawMessage        `json:"scores"`
	Margin     float64                `json:"margin"`
	Base       float64                `json:"base"`
	Reasons    []reasonDoc            `json:"reasons"`
	Attributes map[string]float64     `json:"attributes"`
	Basis      basisDoc               `json:"basis"`
	Flags      []string               `json:"flags"`
	OutOfRange []string               `json:"out_of_range"`
	Stale      bool                   `json:"stale"`
	Error      *classifier.FieldError `json:"error"`
	Model      ModelRef               `json:"model"`
	Source     sourceDoc              `json:"source"`
	History    []HistoryEntry         `json:"history"`
	ChangedAt  time.Time              `json:"class_changed_at"`
	At         time.Time              `json:"classified_at"`
	ExpiresAt  time.Time              `json:"expires_at"`
}

type reasonDoc struct {
	Attribute    string  `json:"attribute"`
	Value        float64 `json:"value"`
	Contribution float64 `json:"contribution"`
}

type basisDoc struct {
	Tweets  int        `json:"tweets"`
	Own     int        `json:"own_tweets"`
	FirstAt *time.Time `json:"first_at"`
	LastAt  *time.Time `json:"last_at"`
}

type sourceDoc struct {
	Version
	CrawledAt   *time.Time `json:"crawled_at"`
	Fingerprint string     `json:"fingerprint"`
	Via         string     `json:"via"`
}

// UnmarshalJSON reads what AppendJSON writes.
func (p *Prediction) UnmarshalJSON(data []byte) error {
	var d predictionDoc
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("read prediction: %w", err)
	}
	*p = Prediction{
		ID: d.ID, Platform: d.Platform, UserID: d.UserID, ScreenName: d.ScreenName, Status: d.Status, Class: d.Class,
		Slug: d.Slug, Margin: d.Margin, Base: d.Base, Stale: d.Stale, Error: d.Error, Model: d.Model, History: d.History,
		ClassChangedAt: d.ChangedAt, ClassifiedAt: d.At, ExpiresAt: d.ExpiresAt,
		Basis:  classifier.Basis{Tweets: d.Basis.Tweets, OwnTweets: d.Basis.Own, FirstAt: micros(d.Basis.FirstAt), LastAt: micros(d.Basis.LastAt)},
		Source: SourceRef{Version: d.Source.Version, CrawledAt: micros(d.Source.CrawledAt), Fingerprint: d.Source.Fingerprint, Via: d.Source.Via},
	}
	if d.Support != "" {
		var ok bool
		if p.Support, ok = classifier.ParseSupport(d.Support); !ok {
			return fmt.Errorf("read prediction: support: unknown %q", d.Support)
		}
	}
	for _, r := range d.Reasons {
		a, ok := classifier.ParseAttribute(r.Attribute)
		if !ok {
			return fmt.Errorf("read prediction: reasons: unknown attribute %q", r.Attribute)
		}
		p.Reasons = append(p.Reasons, classifier.Reason{Attribute: a, Value: r.Value, Contribution: r.Contribution})
	}
	for name, v := range d.Attributes {
		a, ok := classifier.ParseAttribute(name)
		if !ok {
			return fmt.Errorf("read prediction: attributes: unknown attribute %q", name)
		}
		p.Attributes[a] = v
	}
	p.HasAttributes = len(d.Attributes) > 0
	for _, name := range d.Flags {
		f, ok := classifier.ParseFlag(name)
		if !ok {
			return fmt.Errorf("read prediction: flags: unknown flag %q", name)
		}
		p.Flags |= f
	}
	for _, name := range d.OutOfRange {
		a, ok := classifier.ParseAttribute(name)
		if !ok {
			return fmt.Errorf("read prediction: out_of_range: unknown attribute %q", name)
		}
		p.OutOfRange |= 1 << a
	}
	return p.readScores(d.Scores)
}

// readScores reads the scores in the document's order, which names the classes.
func (p *Prediction) readScores(data json.RawMessage) error {
	if len(data) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("read prediction: scores: %w", err)
	}
	p.Slugs = new([classifier.NumClasses]string)
	n := 0
	for ; dec.More() && n < classifier.NumClasses; n++ {
		key, err := dec.Token()
		if err != nil {
			return fmt.Errorf("read prediction: scores: %w", err)
		}
		p.Slugs[n], _ = key.(string)
		if err := dec.Decode(&p.Scores[n]); err != nil {
			return fmt.Errorf("read prediction: scores.%s: %w", p.Slugs[n], err)
		}
	}
	if n < classifier.NumClasses || dec.More() {
		return fmt.Errorf("read prediction: scores: want %d named numbers", classifier.NumClasses)
	}
	return nil
}

// micros gives a time as Micros; an absent one gives 0.
func micros(t *time.Time) classifier.Micros {
	if t == nil {
		return 0
	}
	return classifier.Micros(t.UnixMicro())
}
