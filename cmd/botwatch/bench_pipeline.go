package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/simulate"
	"botwatch/store"
)

// benchPipeline is one run of the command.
type benchPipeline struct {
	a        *app
	accounts int
	tweets   int
	rate     float64
	steady   time.Duration
	store    string // mongodb://…; "" for a temporary SQLite file

	trial  *trial
	meter  *meter
	log    *logrus.Logger
	report pipelineReport
}

// pipelineReport is what was measured. Peaks are of resident memory, 0 where they
// cannot be known.
type pipelineReport struct {
	Machine      machine       `json:"machine"`
	Store        string        `json:"store"` // its kind: "SQLite" or "MongoDB"
	Accounts     int           `json:"accounts"`
	Tweets       int           `json:"tweets"`        // of each account
	AccountBytes int           `json:"account_bytes"` // the mean
	Fill         bulkReport    `json:"fill"`          // the store, by the crawler's part
	Predict      predictReport `json:"predict"`       // of what the store's scan gives
	Backlog      bulkReport    `json:"backlog"`       // worked off: written and checkpointed
	Steady       steadyReport  `json:"steady"`
	Stalled      stalledReport `json:"stalled"`
}

// predictReport is of decoding and classifying accounts as a scan gives them, on
// one core.
type predictReport struct {
	Accounts     int     `json:"accounts"`
	Bytes        int     `json:"bytes"` // of each, the mean
	Microseconds float64 `json:"microseconds"`
}

type bulkReport struct {
	Accounts          int     `json:"accounts"`
	Seconds           float64 `json:"seconds"`
	AccountsPerSecond float64 `json:"accounts_per_second"`
	BytesPerSecond    float64 `json:"bytes_per_second"`
	PeakBytes         int64   `json:"peak_bytes"`
}

// steadyReport times changes from the moment at which each was due until its
// prediction was durable.
type steadyReport struct {
	Rate      float64 `json:"rate"`
	Changes   int     `json:"changes"`
	P50       float64 `json:"p50_seconds"`
	P99       float64 `json:"p99_seconds"`
	Longest   float64 `json:"longest_seconds"`
	PeakBytes int64   `json:"peak_bytes"`
}

// stalledReport is of a backlog that grew while no prediction could be written;
// its peak is that of both.
type stalledReport struct {
	StallSeconds float64 `json:"stall_seconds"`
	bulkReport
}

func (a *app) benchPipelineCommand() *cobra.Command {
	b := &benchPipeline{a: a}
	cmd := &cobra.Command{
		Use:   "pipeline",
		Short: "Measure the daemon on a store of invented accounts",
		Long: `bench pipeline measures the daemon on a temporary SQLite store, or on an empty
MongoDB database (--store), in five phases:

  fill      invented accounts are put into the store, while no daemon runs
  predict   some of them are read, decoded and classified on one core
  backlog   the daemon works them off: every prediction written, checkpoint saved
  steady    accounts change at a rate; each change is timed from the moment at
            which it was due to be written until its prediction is durable, so
            that a late crawler hides no delay
  stalled   predictions cannot be written while half of the accounts
            change; then they are worked off

The peak of resident memory is that of each phase: it must not depend on how long
the backlog is. The crawler is part of the same process. The store takes about
20 kB an account, and is removed in the end: of a database, the collections that
the daemon and the crawler made. One that is not empty is refused.`,
		Example: `  botwatch bench pipeline
  botwatch bench pipeline --accounts 10000 --for 5s
  botwatch bench pipeline --store mongodb://127.0.0.1:27017/botwatch_bench --rate 1000
  botwatch bench pipeline --format json > pipeline.json`,
		Args: cobra.NoArgs,
	}
	form := formatFlag(cmd, formTable, formJSON)
	f := cmd.Flags()
	f.StringVar(&b.store, "store", "", "an empty MongoDB `database` (mongodb://HOST/DATABASE) to measure on")
	f.IntVar(&b.accounts, "accounts", 100_000, "`number` of accounts in the backlog")
	f.IntVar(&b.tweets, "tweets", 20, "`number` of tweets of each account")
	f.Float64Var(&b.rate, "rate", 500, "`number` of changes a second in the steady phase")
	f.DurationVar(&b.steady, "for", 20*time.Second, "how much `time` the steady phase takes")
	wrapArgs(cmd, func() error {
		switch {
		case b.accounts < 2:
			return fmt.Errorf("--accounts: is %d; want 2 or more", b.accounts)
		case b.tweets < 2:
			return fmt.Errorf("--tweets: is %d; want 2 or more", b.tweets)
		case b.rate <= 0 || b.rate > 1e6:
			return fmt.Errorf("--rate: is %v; want above 0, at most 1000000", b.rate)
		case b.changes() < 1:
			return fmt.Errorf("--for: is %v; want as long as one change takes, or longer", b.steady)
		}
		return nil
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := b.run(cmd.Context()); err != nil {
			return err
		}
		if *form == formJSON {
			return writeJSON(a.stdout, &b.report)
		}
		return b.write()
	}
	return cmd
}

// changes is how many there are in the steady phase.
func (b *benchPipeline) changes() int { return int(b.rate * b.steady.Seconds()) }

func (b *benchPipeline) run(ctx context.Context) (err error) {
	kind := "SQLite"
	if b.store == "" {
		b.trial, err = b.a.newTrial("bench")
	} else {
		kind = "MongoDB"
		b.trial, err = b.a.trialOn(ctx, b.store)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.trial.remove()) }()
	b.report = pipelineReport{Machine: thisMachine(), Store: kind, Accounts: b.accounts, Tweets: b.tweets}
	b.meter = newMeter(time.Now)
	b.log = logrus.New()
	b.log.SetOutput(b.a.stderr)
	b.log.SetLevel(logrus.WarnLevel)
	if err := b.fill(ctx); err != nil {
		return err
	}
	// What the fill held is not the daemon's.
	debug.FreeOSMemory()
	s, err := b.trial.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := b.predict(ctx, s); err != nil {
		return err
	}
	return b.lead(ctx, s)
}

// predict times the classification of the first accounts, each several times, on
// this goroutine alone. The best round counts: others are the machine's noise.
func (b *benchPipeline) predict(ctx context.Context, s store.Source) error {
	feed, err := s.Scan(ctx, nil, store.ScanDocs)
	if err != nil {
		return fmt.Errorf("scan accounts: %w", err)
	}
	defer feed.Close()
	batch, err := feed.Next(ctx)
	if err != nil {
		return fmt.Errorf("scan accounts: %w", err)
	}
	var builder classifier.Builder
	var result classifier.Result
	c := classifier.New(b.trial.model)
	const rounds = 10
	bytes, best := 0, time.Duration(math.MaxInt64)
	for range rounds {
		start := time.Now()
		bytes = 0
		for i := range batch.Changes {
			bytes += len(batch.Changes[i].Doc)
			err := s.Decode(batch.Changes[i].Doc, &builder)
			var account *classifier.Account
			if err == nil {
				account, err = builder.Finish()
			}
			if err == nil {
				err = c.Classify(account, &result)
			}
			if err != nil {
				return fmt.Errorf("classify %s: %w", batch.Changes[i].ID, err)
			}
		}
		best = min(best, time.Since(start))
	}
	n := len(batch.Changes)
	b.report.Predict = predictReport{Accounts: n, Bytes: bytes / n, Microseconds: best.Seconds() * 1e6 / float64(n)}
	return nil
}

// say tells what is being done, on standard error.
func (b *benchPipeline) say(format string, args ...any) {
	fmt.Fprintf(b.a.stderr, format+"\n", args...)
}

// fill puts the accounts into a store that a daemon has looked at before: the
// next one has a backlog then, and not a store that it sees for the first time.
func (b *benchPipeline) fill(ctx context.Context) error {
	s, err := b.trial.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w := b.stalling(s)
	if err := b.trial.lead(ctx, w, b.log, w.drained); err != nil {
		return err
	}
	b.say("fill: %s accounts", grouped(float64(b.accounts)))
	resetPeak()
	start := time.Now()
	bytes, err := b.put(ctx, s, b.accounts, 0)
	if err != nil {
		return err
	}
	b.report.AccountBytes = int(bytes / int64(b.accounts))
	b.report.Fill = b.bulk(b.accounts, time.Since(start))
	return nil
}

// generator invents the same accounts each time.
func (b *benchPipeline) generator() simulate.Generator {
	return simulate.Generator{Seed: 1, Tweets: b.tweets, Lean: true}
}

// stalling is the store as the phases need it.
func (b *benchPipeline) stalling(s store.Store) *stalling {
	extra := b.generator().Account(b.accounts, 0, time.Now())
	return newStalling(s, store.Account{ID: store.StringID(extra.ID), Doc: extra.JSON})
}

// put writes the first n accounts at a revision, and gives their size.
func (b *benchPipeline) put(ctx context.Context, s store.Accounts, n, revision int) (bytes int64, err error) {
	g, now := b.generator(), time.Now()
	const batchItems = 256
	batch := make([]store.Account, 0, batchItems)
	for i := range n {
		doc := g.Account(i, revision, now)
		bytes += int64(len(doc.JSON))
		batch = append(batch, store.Account{ID: store.StringID(doc.ID), Doc: doc.JSON})
		if len(batch) == batchItems || i == n-1 {
			if err := s.PutAccounts(ctx, batch); err != nil {
				return 0, fmt.Errorf("put accounts: %w", err)
			}
			batch = batch[:0]
		}
	}
	return bytes, nil
}

func (b *benchPipeline) bulk(accounts int, took time.Duration) bulkReport {
	each := took.Seconds() / float64(accounts)
	return bulkReport{
		Accounts: accounts, Seconds: took.Seconds(), AccountsPerSecond: 1 / each,
		BytesPerSecond: float64(b.report.AccountBytes) / each, PeakBytes: peakResident(),
	}
}

// lead runs the phases that need a daemon.
func (b *benchPipeline) lead(ctx context.Context, s store.Store) error {
	w := b.stalling(s)
	b.say("backlog: %s accounts", grouped(float64(b.accounts)))
	resetPeak()
	start := time.Now()
	return b.trial.lead(ctx, b.meter.wrap(w), b.log, func(ctx context.Context) error {
		if err := w.drained(ctx); err != nil {
			return err
		}
		b.report.Backlog = b.bulk(b.accounts, time.Since(start))
		counts, err := s.Count(ctx)
		if err != nil {
			return fmt.Errorf("count predictions: %w", err)
		}
		if counts.Total < b.accounts { // the extra one may still be there
			return fmt.Errorf("of %d accounts, %d have a prediction", b.accounts, counts.Total)
		}
		if err := b.follow(ctx, w); err != nil {
			return err
		}
		return b.stall(ctx, w)
	})
}

// follow is the steady phase.
func (b *benchPipeline) follow(ctx context.Context, w *stalling) error {
	b.say("steady: %s changes a second for %v", grouped(b.rate), b.steady)
	o := simulate.DefaultOptions()
	o.Generator, o.Rate, o.Accounts, o.Changes, o.OnChange = b.generator(), b.rate, b.accounts, b.changes(), b.meter.change
	crawler, err := simulate.NewCrawler(o)
	if err != nil {
		return err
	}
	resetPeak()
	if err := crawler.Run(ctx, newUnlike(w, b.meter)); err != nil {
		return fmt.Errorf("crawl: %w", err)
	}
	if err := w.drained(ctx); err != nil {
		return err
	}
	times, waiting := b.meter.view()
	if waiting > 0 {
		return fmt.Errorf("%d of %d changes have no prediction", waiting, waiting+times.n)
	}
	b.report.Steady = steadyReport{
		Rate: b.rate, Changes: times.n, P50: times.quantile(0.5).Seconds(), P99: times.quantile(0.99).Seconds(),
		Longest: times.longest.Seconds(), PeakBytes: peakResident(),
	}
	return nil
}

// stall lets a backlog grow while nothing can be written, and has it worked off.
func (b *benchPipeline) stall(ctx context.Context, w *stalling) error {
	n := b.accounts / 2
	b.say("stalled: %s accounts change while no prediction can be written", grouped(float64(n)))
	resetPeak()
	start := time.Now()
	release := w.stall()
	_, err := b.put(ctx, w, n, 1)
	release()
	if err != nil {
		return err
	}
	released := time.Now()
	if err := w.drained(ctx); err != nil {
		return err
	}
	b.report.Stalled = stalledReport{StallSeconds: released.Sub(start).Seconds(), bulkReport: b.bulk(n, time.Since(released))}
	return nil
}

func (b *benchPipeline) write() error {
	r, out := &b.report, b.a.stdout
	s := b.a.screenOf(out)
	_, err := fmt.Fprintf(out, "%s invented accounts of %d tweets, %s each as JSON, in %s\n%s\n\n",
		grouped(float64(r.Accounts)), r.Tweets, bytesText(float64(r.AccountBytes)), r.Store, r.Machine)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, phase := range []struct {
		name string
		bulkReport
	}{{"fill", r.Fill}, {"backlog", r.Backlog}, {"stalled", r.Stalled.bulkReport}} {
		rows = append(rows, []string{
			phase.name, grouped(float64(phase.Accounts)), fmt.Sprintf("%.1f s", phase.Seconds), grouped(phase.AccountsPerSecond),
			bytesText(phase.BytesPerSecond) + "/s", memoryText(phase.PeakBytes),
		})
	}
	err = s.writeColumns(out, []string{"PHASE", "ACCOUNTS", "TIME", "ACCOUNTS/S", "BYTES/S", "PEAK MEMORY"}, rows)
	if err != nil {
		return err
	}
	seconds := func(s float64) string { return short(time.Duration(s * float64(time.Second))) }
	_, err = fmt.Fprintf(out, `
predict  %.1f µs an account on one core, of %s as the store gives it
steady   %s changes, %s a second; write → prediction p50 %s, p99 %s, longest %s; peak memory %s
stalled  the time is that of catching up, after writes had stalled for %.1f s
`, r.Predict.Microseconds, bytesText(float64(r.Predict.Bytes)), grouped(float64(r.Steady.Changes)), grouped(r.Steady.Rate), seconds(r.Steady.P50), seconds(r.Steady.P99), seconds(r.Steady.Longest),
		memoryText(r.Steady.PeakBytes), r.Stalled.StallSeconds)
	return err
}
