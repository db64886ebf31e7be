package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"botwatch/config"
	"botwatch/simulate"
	"botwatch/store"
)

// tellEvery is how often simulate says how far it is.
const tellEvery = 10 * time.Second

// simulation is one run of the command. The crawler counts into it.
type simulation struct {
	a        *app
	o        simulate.Options
	duration time.Duration // 0 for no end
	crawler  *simulate.Crawler

	writes, deletes atomic.Int64
}

func (a *app) simulateCommand() *cobra.Command {
	s := &simulation{a: a, o: simulate.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Write invented accounts to the store, as a crawler does",
		Long: `simulate inserts, updates and deletes invented accounts of all six classes at a
rate, to try things out on a store of one's own; run the daemon beside it. Their
ids begin at 9000000000000, where no real account has one. The same --seed invents
the same accounts.

On MongoDB accounts are the crawler's alone, unless accounts.writable is true.

It ends on an interrupt, after --duration or after --changes, and then says what
it wrote.`,
		Example: `  botwatch simulate --store sqlite:try.db
  botwatch simulate --store sqlite:try.db --rate 500 --accounts 20000 --duration 1m
  botwatch simulate --store sqlite:try.db --changes 1000 --poison 0.05`,
		Args: cobra.NoArgs,
	}
	settingFlags(cmd, setStore)
	f := cmd.Flags()
	f.Float64Var(&s.o.Rate, "rate", s.o.Rate, "`number` of changes a second")
	f.IntVar(&s.o.Accounts, "accounts", s.o.Accounts, "`number` of accounts that the population grows to")
	f.IntVar(&s.o.Generator.Tweets, "tweets", 0, "`number` of tweets of each account; 0 for 5 to 200")
	f.Float64Var(&s.o.Poison, "poison", 0, "`share` of writes that cannot be read, 0 to 1")
	f.IntVar(&s.o.Changes, "changes", 0, "end after this `number` of changes; 0 for no such end")
	f.DurationVar(&s.duration, "duration", 0, "end after this `time`, such as 30s; 0 for no such end")
	f.Uint64Var(&s.o.Generator.Seed, "seed", 1, "`number` that decides what is invented")
	wrapArgs(cmd, func() (err error) {
		if s.duration < 0 {
			return fmt.Errorf("--duration: is %v; want 0 or more", s.duration)
		}
		s.o.OnChange, s.o.OnRetry = s.changed, s.retried
		s.crawler, err = simulate.NewCrawler(s.o)
		return err
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		if err := mayWriteAccounts(c); err != nil {
			return err
		}
		s.o.Generator.Strict = c.StoreKind() != config.SQLite
		if s.crawler, err = simulate.NewCrawler(s.o); err != nil {
			return err
		}
		target, err := a.openStore(cmd.Context(), c, openMade)
		if err != nil {
			return err
		}
		defer target.Close()
		return s.run(cmd.Context(), target)
	}
	return cmd
}

func (s *simulation) changed(_ store.ID, op store.Op, _ time.Time) {
	if op == store.OpDelete {
		s.deletes.Add(1)
	} else {
		s.writes.Add(1)
	}
}

func (s *simulation) retried(err error, attempts int) {
	fmt.Fprintf(s.a.stderr, "write, attempt %d: %s; trying again\n", attempts, oneBlock(err))
}

func (s *simulation) run(ctx context.Context, target simulate.Writer) error {
	if s.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.duration)
		defer cancel()
	}
	ended := make(chan error, 1)
	go func() { ended <- s.crawler.Run(ctx, target) }()
	tell := time.NewTicker(tellEvery)
	defer tell.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("simulate: %w", err)
			}
			s.tell("")
			return nil
		case <-tell.C:
			s.tell(" so far")
		}
	}
}

// tell says on standard error what was written.
func (s *simulation) tell(when string) {
	writes, deletes := s.writes.Load(), s.deletes.Load()
	fmt.Fprintf(s.a.stderr, "%s changes%s: %s writes, %s deletes; %s invented accounts in the store\n",
		grouped(float64(writes+deletes)), when, grouped(float64(writes)), grouped(float64(deletes)), grouped(float64(len(s.crawler.Live()))))
}
