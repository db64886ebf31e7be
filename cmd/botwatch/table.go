package main

import (
	"fmt"
	"strings"

	"botwatch/classifier"
	"botwatch/store"
)

// table writes predictions to be read. On wide screens and in files an account
// takes a line, but for what does not fit its last column; on others its reasons
// and flags stand below it.
type table struct {
	screen
	explain bool // all reasons, with what they are computed from
	oneLine bool
	account int // columns
}

// The columns of the table, but for the first and the last ones.
const (
	classColumns   = 22
	supportColumns = 7
	scoreColumns   = 5
	marginColumns  = 6
	fixedColumns   = 2 + classColumns + 2 + supportColumns + 2 + scoreColumns + 2 + marginColumns
	reasonColumns  = 58 // of both, on one line
	oneLineColumns = 160
)

func tableForm(s screen, explain bool) form {
	t := &table{screen: s, explain: explain, oneLine: s.width == 0 || s.width >= oneLineColumns, account: 24}
	switch {
	case s.width == 0:
	case t.oneLine:
		t.account = min(t.account+s.width-oneLineColumns, 40)
	default:
		t.account = min(max(s.width-fixedColumns, 12), 32)
	}
	return form{open: t.heading(), row: t.append}
}

func (t *table) heading() string {
	line := strings.TrimRight(pad("ACCOUNT", t.account)+"  "+pad("CLASS", classColumns)+"  "+pad("SUPPORT", supportColumns)+"  SCORE  MARGIN", " ")
	if t.oneLine && !t.explain {
		line += "  " + pad("STRONGEST REASONS (▲ for the class, ▼ against)", reasonColumns) + "  FLAGS"
	}
	return t.paint(bold, line) + "\n"
}

// append appends an account.
func (t *table) append(dst []byte, p *store.Prediction) []byte {
	st := t.supportStyle(p)
	score, margin := "–", "–"
	if p.Class != 0 {
		score, margin = fmt.Sprintf("%.2f", p.Scores[p.Class-1]), fmt.Sprintf("%.2f", p.Margin)
	}
	support := p.Support.String()
	if p.Status == store.StatusError {
		support = "–"
	}
	account := accountName(p)
	if t.width > 0 {
		account = fit(account, t.account)
	}
	dst = append(dst, pad(account, t.account)...)
	dst = fmt.Appendf(dst, "  %s  %s  %s  %s",
		t.paint(st, pad(fit(verdict(p), classColumns), classColumns)), t.paint(st, pad(support, supportColumns)),
		padLeft(score, scoreColumns), padLeft(margin, marginColumns))
	switch {
	case p.Status == store.StatusError:
		return t.appendFault(dst, p.Error)
	case t.explain:
		return t.appendExplanation(dst, p)
	case t.oneLine:
		return t.appendBeside(dst, p)
	}
	return t.appendBelow(append(dst, '\n'), p)
}

func (t *table) supportStyle(p *store.Prediction) style {
	switch {
	case p.Status == store.StatusError:
		return red
	case p.Support == classifier.SupportStrong:
		return bold
	case p.Support == classifier.SupportWeak:
		return yellow
	}
	return faint
}

// accountName gives the key, and the screen name where that is another.
func accountName(p *store.Prediction) string {
	key := p.ID.String()
	if key == "" {
		key = `""`
	}
	if p.ScreenName != "" && !strings.EqualFold(p.ScreenName, key) {
		key += " @" + p.ScreenName
	}
	return nameText(key)
}

// verdict gives the class in words that claim no more than the support allows.
func verdict(p *store.Prediction) string {
	switch {
	case p.Status == store.StatusError:
		return "error"
	case p.Status == store.StatusInsufficient:
		return "too few tweets"
	case p.Support == classifier.SupportNone:
		return fmt.Sprintf("no verdict (%d %s)", p.Class, p.Slug)
	}
	return fmt.Sprintf("%d %s", p.Class, p.Slug)
}

// strongest gives the two strongest reasons in words.
func strongest(p *store.Prediction) []string {
	var words []string
	for _, r := range p.Reasons {
		text := arrow(r.Contribution) + " " + inWords(r.Attribute, r.Value, &p.Basis)
		if len(words) == 1 && text == words[0] { // the largest and the mean of nothing are one reason to read
			continue
		}
		if words = append(words, text); len(words) == 2 {
			break
		}
	}
	return words
}

// flagWords gives the flags by their names, out_of_range with the inputs' own.
func flagWords(p *store.Prediction) string {
	words := p.Flags.Names()
	for i, w := range words {
		if w == "out_of_range" {
			words[i] += "(" + strings.Join(p.OutOfRange.Names(), ", ") + ")"
		}
	}
	return strings.Join(words, " ")
}

// appendBeside appends reasons and flags to an account's line.
func (t *table) appendBeside(dst []byte, p *store.Prediction) []byte {
	reasons, flags := strongest(p), flagWords(p)
	for i := range reasons {
		reasons[i] = pad(fit(reasons[i], reasonColumns/2-1), reasonColumns/2-1)
	}
	line := "  " + pad(strings.Join(reasons, "  "), reasonColumns)
	if flags == "" {
		return append(append(dst, strings.TrimRight(line, " ")...), '\n')
	}
	dst = append(append(dst, line...), "  "...)
	column := t.account + fixedColumns + 2 + reasonColumns + 2
	if t.width > 0 { // the inputs out of range would take too many lines
		flags = strings.Join(p.Flags.Names(), " ")
	}
	return t.appendColumn(dst, faint, flags, column)
}

// appendColumn appends a text that begins in a column of the account's line; what
// does not fit goes on below.
func (t *table) appendColumn(dst []byte, st style, text string, column int) []byte {
	lines := []string{text}
	if t.width > 0 {
		lines = wrap(text, t.width-column)
	}
	for i, line := range lines {
		if i > 0 {
			dst = append(dst, strings.Repeat(" ", column)...)
		}
		dst = append(append(dst, t.paint(st, line)...), '\n')
	}
	return dst
}

const indent = "    "

// appendBelow appends reasons and flags below an account's line.
func (t *table) appendBelow(dst []byte, p *store.Prediction) []byte {
	if reasons := strongest(p); len(reasons) > 0 {
		line := fit(strings.Join(reasons, "  "), t.width-len(indent))
		dst = append(append(append(dst, indent...), line...), '\n')
	}
	return t.appendFlags(dst, p)
}

func (t *table) appendFlags(dst []byte, p *store.Prediction) []byte {
	if p.Flags == 0 {
		return dst
	}
	return t.appendColumn(append(dst, indent...), faint, "flags: "+flagWords(p), len(indent))
}

// appendFault appends why an account has no class.
func (t *table) appendFault(dst []byte, fault *classifier.FieldError) []byte {
	column := t.account + fixedColumns + 2
	if t.oneLine && !t.explain {
		dst = append(dst, "  "...)
	} else {
		dst = append(append(dst, '\n'), indent...)
		column = len(indent)
	}
	dst = t.appendColumn(dst, plain, safeText(fault.Error()), column)
	if t.explain {
		dst = append(dst, '\n')
	}
	return dst
}

// appendExplanation appends what an account's score is made of.
func (t *table) appendExplanation(dst []byte, p *store.Prediction) []byte {
	dst = append(dst, '\n')
	b := &p.Basis
	line := fmt.Sprintf("tweets: %d, of which its own: %d", b.Tweets, b.OwnTweets)
	if b.Tweets > 0 {
		line += fmt.Sprintf(", from %s to %s", b.FirstAt.Time().Format("2006-01-02"), b.LastAt.Time().Format("2006-01-02"))
	}
	dst = t.appendFlags(append(append(append(dst, indent...), line...), '\n'), p)
	if p.Class != 0 {
		dst = fmt.Appendf(dst, "%s  %6.3f  before any attribute is looked at\n", indent, p.Base)
		for _, r := range p.Reasons {
			words := inWords(r.Attribute, r.Value, &p.Basis)
			line := fmt.Sprintf("%s %+6.3f  %s  %s", arrow(r.Contribution), r.Contribution, pad(words, 30), r.Attribute)
			if t.width > 0 {
				line = fit(line, t.width-len(indent))
			}
			dst = append(append(append(dst, indent...), line...), '\n')
		}
		dst = fmt.Appendf(dst, "%s= %6.3f  score of class %d\n", indent, p.Scores[p.Class-1], p.Class)
	}
	return append(dst, '\n')
}

func padLeft(s string, columns int) string {
	return strings.Repeat(" ", max(columns-textWidth(s), 0)) + s
}
