package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/config"
	"botwatch/daemon"
	"botwatch/store"
)

// statusReport is what `botwatch status` knows.
type statusReport struct {
	Store    string         `json:"store"`
	Accounts int            `json:"accounts"`
	Counts   store.Counts   `json:"predictions"`
	Letters  map[string]int `json:"dead_letters"`
	Daemon   *daemon.Status `json:"daemon,omitempty"` // none ever ran: absent
	Stale    bool           `json:"daemon_silent"`    // it said nothing for silentAfter
}

// silentAfter is how long a daemon may say nothing before it is taken for dead.
const silentAfter = 30 * time.Second

func (a *app) statusCommand() *cobra.Command {
	var form *string
	var healthy bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "What the store holds, and what the daemon is doing",
		Example: "  botwatch status\n  botwatch status --format json\n  botwatch status --healthy || echo trouble",
		Args:    cobra.NoArgs,
	}
	form = formatFlag(cmd, "table", "json")
	cmd.Flags().BoolVar(&healthy, "healthy", false, "count and print nothing; exit with 1 unless a daemon is at work on the store")
	settingFlags(cmd, setStore)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), c, openToLook)
		if err != nil {
			return err
		}
		defer s.Close()
		if healthy {
			return a.healthy(cmd.Context(), s)
		}
		r, err := a.readStatus(cmd.Context(), s)
		if err != nil {
			return err
		}
		r.Store = config.RedactStore(c.Store)
		if *form == "json" {
			return writeJSON(a.stdout, r)
		}
		return r.write(a.stdout, a.now())
	}
	return cmd
}

// healthy is an error unless a daemon works on the store, whichever it is: for
// the checks of a container, which may come every few seconds.
func (a *app) healthy(ctx context.Context, s store.Desk) error {
	d, silent, err := a.published(ctx, s)
	switch {
	case err != nil:
		return err
	case d == nil:
		return errors.New("no daemon has run on this store")
	case d.Role != "leader":
		return fmt.Errorf("no daemon works on this store: %s ended in order %s ago", d.Holder, age(a.now(), d.At))
	case silent:
		return fmt.Errorf("the daemon is silent for %s: %s may be dead", age(a.now(), d.At), d.Holder)
	}
	return nil
}

func (a *app) readStatus(ctx context.Context, s store.Store) (*statusReport, error) {
	var r statusReport
	var err error
	if r.Accounts, err = s.CountAccounts(ctx); err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	if r.Counts, err = s.Count(ctx); err != nil {
		return nil, fmt.Errorf("count predictions: %w", err)
	}
	if r.Letters, err = s.CountLetters(ctx); err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	if r.Daemon, r.Stale, err = a.published(ctx, s); err != nil {
		return nil, err
	}
	return &r, nil
}

// published gives what the daemon last said of itself, nil where none ever ran,
// and whether it says nothing any more.
func (a *app) published(ctx context.Context, s store.Desk) (d *daemon.Status, silent bool, err error) {
	text, err := s.Published(ctx)
	if err == nil && text != nil {
		d = new(daemon.Status)
		err = json.Unmarshal(text, d)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the daemon's status: %w", err)
	}
	return d, d != nil && d.Role == "leader" && a.now().Sub(d.At) > silentAfter, nil
}

func (r *statusReport) write(w io.Writer, now time.Time) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s "+format+"\n", append([]any{name}, args...)...)
	}
	line("store", "%s", r.Store)
	line("accounts", "%d", r.Accounts)
	line("predictions", "%d, of them %d stale, %d with an error", r.Counts.Total, r.Counts.Stale, r.Counts.Errors)
	for _, slug := range slices.Sorted(maps.Keys(r.Counts.Classes)) {
		by := r.Counts.Classes[slug]
		line("", "%-20s %6d strong %6d weak %6d none", cmp.Or(slug, "(no class)"), by["strong"], by["weak"], by["none"])
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Letters)) {
		line("dead letters", "%d %s", r.Letters[reason], reason)
	}
	d := r.Daemon
	switch {
	case d == nil:
		line("daemon", "none has run on this store; start one with `botwatch run`")
	case d.Role != "leader":
		line("daemon", "ended in order %s ago (%s)", age(now, d.At), d.Holder)
	case r.Stale:
		line("daemon", "silent for %s: %s may be dead", age(now, d.At), d.Holder)
	default:
		line("daemon", "running: %s, epoch %d, for %s", d.Holder, d.Epoch, age(now, d.Started))
	}
	if d != nil {
		r.writeDaemon(line, now)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *statusReport) writeDaemon(line func(name, format string, args ...any), now time.Time) {
	d := r.Daemon
	line("model", "%s (%.19s…)", d.Model.Name, d.Model.Digest)
	if d.LagKnown && d.Role == "leader" && !r.Stale {
		line("stream", "%.1f s behind, %d waiting", d.LagSeconds, d.QueueItems)
	}
	if d.Polling {
		line("polling", "there is no stream of changes here (no replica set): the scheduled backfill notices them")
	}
	if h := d.History; h != nil {
		line("history", "%.0f %% of %s are left behind the checkpoint", 100*h.Share(), age(now, now.Add(-h.Window)))
	}
	if d.Stalled != nil && d.Role == "leader" && !r.Stale {
		line("STALLED", "nothing becomes durable, for %s: %s", age(now, d.Stalled.Since), safeText(d.Stalled.Reason))
	}
	line("since start", "%d upserts and %d deletes read, %d predictions written, %d faults", d.Upserts, d.Deletes, d.Written, d.Faults)
	if d.HistoryLost > 0 {
		line("history lost", "%d times", d.HistoryLost)
	}
	if d.Owed != nil {
		line("owed", "a look at all accounts: %s", d.Owed.Reason)
	}
	if d.Scan != "" {
		line("scan", "%s, %s", d.Scan, d.ScanProgress)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Jobs)) {
		j := d.Jobs[name]
		next := ""
		if at, ok := d.Next[name]; ok {
			next = ", next " + at.Local().Format("2006-01-02 15:04")
		}
		state := "done " + age(now, j.LastSuccess) + " ago"
		if j.LastError != "" {
			state = "failed: " + j.LastError
		}
		line("job", "%s: %s%s", name, state, next)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Breakers)) {
		remedy := "botwatch resume --help"
		if name == daemon.BreakerRemovals {
			remedy = "botwatch backfill --help"
		}
		line("BREAKER OPEN", "%s, since %s: %s; see `%s`", name, d.Breakers[name].Since.Local().Format("2006-01-02 15:04"), d.Breakers[name].Reason, remedy)
	}
}

// age gives how long ago a moment was, in words.
func age(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func (a *app) checkCommand() *cobra.Command {
	var form *string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look at store, accounts and model before anything is written",
		Long: `check looks at the store without writing: whether it can be used, what it holds,
and whether a sample of 100 accounts can be read and classified. It exits with 1
where something cannot work.`,
		Example: "  botwatch check --store sqlite:accounts.db",
		Args:    cobra.NoArgs,
	}
	form = formatFlag(cmd, "table", "json")
	settingFlags(cmd, setStore, setModel)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		m, err := loadModel(c.Model)
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), c, openToLook)
		if err != nil {
			return err
		}
		defer s.Close()
		findings, err := examine(cmd.Context(), s, m)
		if err != nil {
			return err
		}
		return a.writeFindings(findings, *form)
	}
	return cmd
}

// examine looks at a store and at a sample of its accounts, and writes nothing.
func examine(ctx context.Context, s store.Store, m *classifier.Model) ([]store.Finding, error) {
	findings, err := s.Check(ctx)
	if err != nil {
		return nil, err
	}
	sampled, err := sample(ctx, s, m)
	if err != nil {
		return nil, err
	}
	findings = append(findings, store.Finding{Level: store.LevelOK, Subject: "model", Message: m.Name() + ", " + m.Digest()})
	return append(findings, sampled...), nil
}

func (a *app) writeFindings(findings []store.Finding, form string) error {
	failed := 0
	for _, f := range findings {
		if f.Level == store.LevelFail {
			failed++
		}
	}
	if form == "json" {
		if err := writeJSON(a.stdout, findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Fprintf(a.stdout, "%-8s %-14s %s\n", f.Level, f.Subject, safeText(f.Message))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d findings keep botwatch from working here", failed)
	}
	return nil
}

// sampleSize is the number of accounts that check reads.
const sampleSize = 100

// sample reads the first accounts and tries to classify them.
func sample(ctx context.Context, s store.Store, m *classifier.Model) ([]store.Finding, error) {
	feed, err := s.Scan(ctx, nil, store.ScanDocs)
	if err != nil {
		return nil, fmt.Errorf("sample accounts: %w", err)
	}
	defer feed.Close()
	c := classifier.New(m)
	var b classifier.Builder
	var r classifier.Result
	var bad []store.Finding
	read := 0
	for read < sampleSize {
		batch, err := feed.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("sample accounts: %w", err)
		}
		for _, change := range batch.Changes[:min(len(batch.Changes), sampleSize-read)] {
			read++
			err := change.Err
			var account *classifier.Account
			if err == nil {
				err = s.Decode(change.Doc, &b)
			}
			if err == nil {
				account, err = b.Finish()
			}
			if err == nil {
				err = c.Classify(account, &r)
			}
			if err != nil {
				bad = append(bad, store.Finding{Level: store.LevelWarn, Subject: "account " + change.ID.String(), Message: err.Error()})
			}
		}
	}
	level := store.LevelOK
	if read > 0 && len(bad) == read {
		level = store.LevelFail
	}
	return append(bad, store.Finding{Level: level, Subject: "sample", Message: fmt.Sprintf("%d of %d accounts can be classified", read-len(bad), read)}), nil
}
