package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"botwatch/simulate"
	"botwatch/store"
)

// demo is one run of the command: a crawler and a daemon on a store of their own.
type demo struct {
	a        *app
	duration time.Duration // 0 for until the interrupt
	rate     float64
	accounts int
	seed     uint64
	keep     bool

	file     string
	store    store.Store
	crawler  *simulate.Crawler
	meter    *meter
	warnings lastWarning
	start    time.Time
}

func (a *app) demoCommand() *cobra.Command {
	d := &demo{a: a}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch botwatch at work on invented accounts",
		Long: `demo runs the daemon on a temporary store while a simulated crawler inserts,
updates and deletes accounts, and shows live what comes of it: accounts by class
and support, and the time from the moment at which a change was due to be
written until its prediction is stored. All accounts are invented.

It ends after --duration or on an interrupt, with a summary, once it has looked
whether each account has its prediction or its dead letter. Then the store is
removed, unless --keep.`,
		Example: `  botwatch demo
  botwatch demo --duration 30s --rate 1000
  botwatch demo --keep`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.DurationVar(&d.duration, "duration", 0, "end after this `time`, such as 30s; 0 for not before an interrupt")
	f.Float64Var(&d.rate, "rate", 200, "`number` of changes a second")
	f.IntVar(&d.accounts, "accounts", 2000, "`number` of accounts that the crawler comes to know")
	f.Uint64Var(&d.seed, "seed", 1, "`number` that decides what is invented")
	f.BoolVar(&d.keep, "keep", false, "keep the store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) }
	wrapArgs(cmd, func() error {
		if d.duration < 0 {
			return fmt.Errorf("--duration: is %v; want 0 or more", d.duration)
		}
		return d.makeCrawler()
	})
	return cmd
}

func (d *demo) makeCrawler() error {
	d.meter = newMeter(time.Now)
	o := simulate.DefaultOptions()
	o.Generator = simulate.Generator{Seed: d.seed, Lean: true}
	o.Rate, o.Accounts, o.Poison = d.rate, d.accounts, 0.01
	o.OnChange = d.meter.change
	c, err := simulate.NewCrawler(o)
	d.crawler = c
	return err
}

func (d *demo) run(ctx context.Context) (err error) {
	t, err := d.a.newTrial("demo")
	if err != nil {
		return err
	}
	d.file = t.file
	if !d.keep {
		defer func() { err = errors.Join(err, t.remove()) }()
	}
	working := context.WithoutCancel(ctx) // until all is predicted
	if d.store, err = t.open(working); err != nil {
		return err
	}
	defer d.store.Close()
	log := logrus.New()
	log.SetOutput(&d.warnings)
	log.SetLevel(logrus.WarnLevel)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, DisableTimestamp: true})
	d.start = time.Now()
	return t.lead(working, d.meter.wrap(d.store), log, func(running context.Context) error { return d.show(running, ctx.Done()) })
}

// How often the display is drawn anew, and a line is written where there is
// none; and how long the daemon has to catch up in the end.
const (
	drawEvery  = 250 * time.Millisecond
	lineEvery  = 2 * time.Second
	catchUpFor = 30 * time.Second
)

// show runs the crawler and shows what happens, until interrupted or for the
// duration; then it waits until all is predicted, and sums up. ctx ends early
// only where the daemon fails.
func (d *demo) show(ctx context.Context, interrupted <-chan struct{}) error {
	v := newDemoView(d)
	v.introduce()
	crawling, stop := context.WithCancel(ctx)
	defer stop()
	crawled := make(chan error, 1)
	go func() { crawled <- d.crawler.Run(crawling, d.store) }()
	end := make(<-chan time.Time)
	if d.duration > 0 {
		end = time.After(d.duration)
	}
	tick := time.NewTicker(v.every)
	defer tick.Stop()
	for {
		select {
		case <-interrupted:
			interrupted = nil
			stop()
		case <-end:
			stop()
		case err := <-crawled:
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("crawl: %w", err)
			}
			return d.sumUp(ctx, v)
		case <-tick.C:
			if err := v.show(ctx); err != nil && ctx.Err() == nil {
				stop()
				<-crawled
				return err
			}
		}
	}
}

// sumUp waits until each account has its prediction, or its letter, and nothing
// else has one: so it must be once all changes are read.
func (d *demo) sumUp(ctx context.Context, v *demoView) error {
	elapsed := time.Since(d.start)
	patient, cancel := context.WithTimeout(ctx, catchUpFor)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	ctx = context.WithoutCancel(ctx)
	live := d.crawler.Live()
	var s *scene
	missing := -1
	for done := false; !done; {
		select {
		case <-poll.C:
		case <-patient.Done():
			done = true
		}
		if _, waiting := d.meter.view(); waiting > 0 && !done {
			continue
		}
		var err error
		if s, err = v.look(ctx); err != nil {
			return err
		}
		if missing, err = d.missing(ctx, live); err != nil {
			return err
		}
		done = done || missing == 0 && s.accounts == len(live)
	}
	s.elapsed = elapsed
	v.end(s)
	if missing > 0 || s.accounts != len(live) {
		return fmt.Errorf("of %d accounts, %d have neither a prediction nor a dead letter; there are %d predictions", len(live), missing, s.accounts)
	}
	fmt.Fprintf(d.a.stdout, "\nLooked at each of the %s accounts: it has its prediction, or its dead letter;\nnothing else has one.\n", grouped(float64(len(live))))
	if d.keep {
		fmt.Fprintf(d.a.stdout, "The store stays: %s\n", d.file)
	} else {
		fmt.Fprintln(d.a.stdout, "The store is removed.")
	}
	return nil
}

// missing counts the live accounts that have neither a prediction nor a letter.
func (d *demo) missing(ctx context.Context, live map[store.ID]int) (int, error) {
	missing := 0
	page := make([]store.ID, 0, 500)
	look := func() error {
		predictions, err := d.store.Predictions(ctx, page)
		if err != nil {
			return fmt.Errorf("read predictions: %w", err)
		}
		letters, err := d.store.GetLetters(ctx, page)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		told := make(map[store.ID]bool)
		for _, p := range predictions {
			told[p.ID] = p.Status != store.StatusDeleted && p.Error == nil
		}
		for _, l := range letters {
			told[l.ID] = true
		}
		for _, id := range page {
			if !told[id] {
				missing++
			}
		}
		page = page[:0]
		return nil
	}
	for id := range live {
		if page = append(page, id); len(page) == cap(page) {
			if err := look(); err != nil {
				return 0, err
			}
		}
	}
	return missing, look()
}

// lastWarning keeps the last line of a log.
type lastWarning struct {
	mu   sync.Mutex
	line string
}

func (l *lastWarning) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = string(line)
	return len(line), nil
}

func (l *lastWarning) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line
}
