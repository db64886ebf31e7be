package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"botwatch/classifier"
	"botwatch/classifier/model"
)

// demoView shows a demo: on a terminal as a block that is drawn anew in place,
// else as a line now and then.
type demoView struct {
	d      *demo
	screen screen
	live   bool // the terminal can draw anew
	every  time.Duration
	slugs  []string
	drawn  int // lines of the block on the terminal

	lastChanges int
	lastAt      time.Time
}

func newDemoView(d *demo) *demoView {
	v := &demoView{d: d, screen: d.a.screenOf(d.a.stdout), every: lineEvery, lastAt: d.start}
	v.live = v.screen.terminal && d.a.getenv("TERM") != "dumb"
	if v.live {
		v.every = drawEvery
	}
	if spec, err := model.Default(); err == nil {
		for _, c := range spec.Classes {
			v.slugs = append(v.slugs, c.Slug)
		}
	}
	return v
}

// introduce says what will be seen, and where to look at it.
func (v *demoView) introduce() {
	kept := "removed in the end; --keep keeps it"
	if v.d.keep {
		kept = "kept"
	}
	fmt.Fprintf(v.d.a.stdout, `%s
All accounts here are invented: a simulated crawler inserts, updates and deletes
them, %s changes a second, and the daemon keeps their predictions true.

store  %s (%s)
look   botwatch status --store sqlite:%s
       sqlite3 %s \
         "SELECT class, support, count(*) FROM predictions GROUP BY 1, 2"
end    %s

`, v.screen.paint(bold, "botwatch demo"), grouped(v.d.rate), v.d.file, kept, v.d.file, v.d.file, v.ending())
}

func (v *demoView) ending() string {
	if v.d.duration > 0 {
		return "after " + v.d.duration.String() + ", or Ctrl-C"
	}
	return "Ctrl-C"
}

// scene is what there is to show.
type scene struct {
	elapsed  time.Duration
	changes  int
	rate     float64 // changes a second of late
	waiting  int
	times    histogram
	classes  map[string]map[string]int
	accounts int // with a prediction
	letters  int
}

func (v *demoView) look(ctx context.Context) (*scene, error) {
	counts, err := v.d.store.Count(ctx)
	if err != nil {
		return nil, fmt.Errorf("count predictions: %w", err)
	}
	letters, err := v.d.store.CountLetters(ctx)
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	now := time.Now()
	s := &scene{elapsed: now.Sub(v.d.start), classes: counts.Classes, accounts: counts.Total}
	for _, n := range letters {
		s.letters += n
	}
	s.times, s.waiting = v.d.meter.view()
	s.changes = s.times.n + s.waiting
	if d := now.Sub(v.lastAt).Seconds(); d > 0 {
		s.rate = float64(s.changes-v.lastChanges) / d
	}
	if now.Sub(v.lastAt) >= lineEvery { // a rate over less would jump about
		v.lastChanges, v.lastAt = s.changes, now
	}
	return s, nil
}

// show draws the block anew, or writes a line.
func (v *demoView) show(ctx context.Context) error {
	s, err := v.look(ctx)
	if err != nil {
		return err
	}
	if v.live {
		v.draw(v.block(s))
		return nil
	}
	var classes []string
	for _, slug := range v.slugs {
		by := s.classes[slug]
		classes = append(classes, fmt.Sprintf("%s %d", slug, by["strong"]+by["weak"]+by["none"]))
	}
	_, err = fmt.Fprintf(v.d.a.stdout, "%3.0f s  %d changes, %.0f/s; write → prediction p50 %s, p99 %s; %s\n",
		s.elapsed.Seconds(), s.changes, s.rate, short(s.times.quantile(0.5)), short(s.times.quantile(0.99)), strings.Join(classes, ", "))
	return err
}

// draw puts lines in the place of those drawn before. None of them wraps, so that
// the next ones find their place on a narrow screen too.
func (v *demoView) draw(lines []string) {
	var b strings.Builder
	b.WriteString("\x1b[?7l")
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", v.drawn)
	}
	for _, line := range lines {
		b.WriteString(line)
		b.WriteString("\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?7h")
	v.drawn = len(lines)
	fmt.Fprint(v.d.a.stdout, b.String())
}

// block gives what happens, as lines for the screen as wide as it is now.
func (v *demoView) block(s *scene) []string {
	v.screen = v.d.a.screenOf(v.d.a.stdout)
	lines := []string{
		fmt.Sprintf("%-20s %s changes in %s, %s/s of late", "crawler", grouped(float64(s.changes)), s.elapsed.Round(100*time.Millisecond), grouped(s.rate)),
		fmt.Sprintf("%-20s p50 %s, p99 %s, longest %s; %d wait", "write → prediction",
			short(s.times.quantile(0.5)), short(s.times.quantile(0.99)), short(s.times.longest), s.waiting),
		fmt.Sprintf("%-20s %s predictions, %s dead letters", "store", grouped(float64(s.accounts)), grouped(float64(s.letters))),
		"",
		v.screen.paint(faint, fmt.Sprintf("%-24s%7s%7s%7s", "class", "strong", "weak", "none")),
	}
	most := 1
	for _, by := range s.classes {
		most = max(most, by["strong"]+by["weak"]+by["none"])
	}
	room := 24
	if v.screen.width > 0 {
		room = min(max(v.screen.width-48, 0), 60)
	}
	for i, slug := range v.slugs {
		lines = append(lines, v.classLine(fmt.Sprintf("%d %s", i+1, slug), s.classes[slug], most, room))
	}
	if none := s.classes[""]; len(none) > 0 {
		lines = append(lines, v.classLine("- no prediction", none, most, room))
	}
	if w := strings.TrimSpace(v.d.warnings.String()); w != "" {
		lines = append(lines, "", v.screen.paint(yellow, safeText(w)))
	}
	return lines
}

// The supports of a class's line, with the shade of their bar.
var shades = []struct {
	support classifier.Support
	shade   string
	style   style
}{
	{classifier.SupportStrong, "█", plain},
	{classifier.SupportWeak, "▓", yellow},
	{classifier.SupportNone, "░", faint},
}

func (v *demoView) classLine(name string, by map[string]int, most, room int) string {
	line := fmt.Sprintf("%-24s", name)
	bar := ""
	sum, columns := 0, 0
	for _, s := range shades {
		n := by[s.support.String()]
		line += fmt.Sprintf("%7s", grouped(float64(n)))
		sum += n
		upTo := (sum*room + most/2) / most // rounded as a sum, so that the bar is
		bar += v.screen.paint(s.style, strings.Repeat(s.shade, upTo-columns))
		columns = upTo
	}
	return line + "  " + bar
}

// end shows the last state for good.
func (v *demoView) end(s *scene) {
	s.rate = float64(s.changes) / s.elapsed.Seconds()
	lines := v.block(s)
	lines[0] = strings.TrimSuffix(lines[0], " of late")
	if v.live {
		v.draw(lines)
	} else {
		fmt.Fprintf(v.d.a.stdout, "\n%s\n", strings.Join(lines, "\n"))
	}
}

// short gives a duration in two or three figures.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 100*time.Millisecond:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
