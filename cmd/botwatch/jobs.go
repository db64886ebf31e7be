package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"botwatch/config"
	"botwatch/daemon"
	"botwatch/store"
)

func (a *app) backfillCommand() *cobra.Command {
	var confirm bool
	cmd := a.jobCommand("backfill", "Predict what is missing now, and remove what has no account",
		`backfill looks through all accounts for predictions that are missing, faulty, of
an older crawl or of another model, makes them, and removes predictions whose
account is gone. A mass removal is held back until it is confirmed.

A daemon that runs on the store does it; else this command does it itself.`,
		`  botwatch backfill
  botwatch backfill --confirm-removals`,
		func() store.Request {
			r := store.Request{Kind: daemon.JobBackfill}
			if confirm {
				r.Args = map[string]string{daemon.ArgConfirm: "true"}
			}
			return r
		})
	cmd.Flags().BoolVar(&confirm, "confirm-removals", false, "let a mass removal of predictions without account pass")
	return cmd
}

func (a *app) rescoreCommand() *cobra.Command {
	return a.jobCommand("rescore", "Look at every account anew, and refresh old predictions",
		`rescore reads every account, rewrites the predictions that are wrong or older
than rescore.max_age, and marks those stale that were crawled too long ago.

A daemon that runs on the store does it; else this command does it itself.`,
		`  botwatch rescore`,
		func() store.Request { return store.Request{Kind: daemon.JobRescore} })
}

func (a *app) resumeCommand() *cobra.Command {
	return a.jobCommand("resume", "Close the breakers, so that writing goes on",
		`resume closes the breakers that stopped the daemon from writing: too many
accounts failed, or history was lost again and again. 'botwatch status' shows
them, with their reasons. The breaker that holds back a mass removal is not one
of them: 'botwatch backfill --confirm-removals' lets that pass.`,
		`  botwatch resume`,
		func() store.Request { return store.Request{Kind: daemon.JobResume} })
}

// jobCommand makes a command that asks the daemon for a job, or does it.
func (a *app) jobCommand(use, short, long, example string, request func() store.Request) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: cobra.NoArgs}
	settingFlags(cmd, setStore, setModel, setLogLevel, setLogFormat)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), c, openThere)
		if err != nil {
			return err
		}
		defer s.Close()
		return a.ask(cmd.Context(), c, s, request())
	}
	return cmd
}

// askEvery is how often a request's progress is looked at.
const askEvery = 200 * time.Millisecond

// ask files a request and sees it through: by the daemon that holds the lease,
// or, where none does, by one of its own that ends with the request.
func (a *app) ask(ctx context.Context, c *config.Loaded, s store.Store, r store.Request) error {
	r.Filed, r.State = a.now(), store.RequestFiled
	id, err := s.Submit(ctx, r)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", r.Kind, err)
	}
	m, err := loadModel(c.Model)
	if err != nil {
		return err
	}
	log := a.newLog(c)
	o, err := a.daemonOptions(c, s, m, log)
	if err != nil {
		return err
	}
	o.Once, o.Standby = true, false
	err = daemon.New(o).Run(ctx)
	var held *store.HeldError
	if errors.As(err, &held) {
		fmt.Fprintf(a.stderr, "asked %s for %s\n", held.Holder, r.Kind)
		err = nil
	}
	if err != nil {
		return err
	}
	return a.await(ctx, s, id)
}

// await waits for a request's end and says how it ended, and what holds it up
// meanwhile. A daemon that falls silent is an error: its successor does the job.
func (a *app) await(ctx context.Context, s store.Desk, id string) error {
	told, held := "", ""
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		requests, err := s.Requests(ctx, true)
		if err != nil {
			return fmt.Errorf("look at the request: %w", err)
		}
		for _, r := range requests {
			if r.ID != id {
				continue
			}
			if r.Progress != "" && r.Progress != told {
				fmt.Fprintf(a.stderr, "%s: %s\n", r.Kind, r.Progress)
				told = r.Progress
			}
			switch r.State {
			case store.RequestDone:
				return nil
			case store.RequestFailed:
				return fmt.Errorf("%s: %s", r.Kind, r.Error)
			}
			d, silent, err := a.published(ctx, s)
			switch {
			case err != nil:
				return err
			case silent:
				return fmt.Errorf("%s says nothing since %s; the next `botwatch run` on this store does the %s",
					d.Holder, d.At.UTC().Format(time.RFC3339), r.Kind)
			}
			if why := waitsFor(d); why != held {
				held = why
				if why != "" {
					fmt.Fprintf(a.stderr, "%s: waits, since %s\n", r.Kind, why)
				}
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// waitsFor says which breaker keeps a daemon from writing; "" for none.
func waitsFor(d *daemon.Status) string {
	if d == nil {
		return ""
	}
	for name, b := range d.Breakers {
		if name != daemon.BreakerRemovals {
			return fmt.Sprintf("breaker %s is open (%s); `botwatch resume` closes it", name, b.Reason)
		}
	}
	return ""
}

func (a *app) deadLettersCommand() *cobra.Command {
	return family("dead-letters", "Accounts that could not be read or classified",
		a.lettersListCommand(), a.lettersShowCommand(), a.lettersReplayCommand(), a.lettersDiscardCommand())
}

// lettersCommand makes a subcommand of dead-letters with an open store.
func (a *app) lettersCommand(use, short, example string, args cobra.PositionalArgs,
	do func(cmd *cobra.Command, c *config.Loaded, s store.Store, ids []store.ID) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example, Args: args}
	settingFlags(cmd, setStore)
	cmd.RunE = func(cmd *cobra.Command, texts []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), c, openThere)
		if err != nil {
			return err
		}
		defer s.Close()
		ids := make([]store.ID, len(texts))
		for i, t := range texts {
			if ids[i], err = idFromText(cmd.Context(), s, t); err != nil {
				return err
			}
		}
		return do(cmd, c, s, ids)
	}
	return cmd
}

// idFromText reads an id as people type it: extended JSON where it is an object
// or quoted, else the text itself. Where that text has no letter, and the number,
// the ObjectId or the other value that it writes has one, it is that.
func idFromText(ctx context.Context, s store.Letters, text string) (store.ID, error) {
	ids := []store.ID{store.StringID(text)}
	if id, err := store.ParseID([]byte(text)); err == nil {
		if text[0] == '{' || text[0] == '"' {
			return id, nil
		}
		ids = append(ids, id)
	}
	if id, err := store.ParseID([]byte(`{"$oid":"` + text + `"}`)); err == nil {
		ids = append(ids, id)
	}
	if len(ids) == 1 {
		return ids[0], nil
	}
	letters, err := s.GetLetters(ctx, ids)
	if err != nil {
		return "", fmt.Errorf("look for the dead letter of %s: %w", text, err)
	}
	for _, id := range ids {
		if slices.ContainsFunc(letters, func(l store.Letter) bool { return l.ID == id }) {
			return id, nil
		}
	}
	return ids[0], nil
}

func (a *app) lettersListCommand() *cobra.Command {
	var form *string
	cmd := a.lettersCommand("list", "List the dead letters", "  botwatch dead-letters list --format ndjson", cobra.NoArgs,
		func(cmd *cobra.Command, _ *config.Loaded, s store.Store, _ []store.ID) error {
			return a.eachLetter(cmd.Context(), s, func(l store.Letter) error {
				if *form == "ndjson" {
					return json.NewEncoder(a.stdout).Encode(l)
				}
				where := ""
				if l.Field != "" {
					where = l.Field + ": "
				}
				_, err := fmt.Fprintf(a.stdout, "%-24s %-12s %3d×  %s  %s\n", safeText(l.ID.String()), l.Reason, l.Attempts,
					l.LastSeen.UTC().Format("2006-01-02 15:04"), safeText(where+l.Error))
				return err
			})
		})
	form = formatFlag(cmd, "table", "ndjson")
	return cmd
}

// eachLetter walks all letters, page by page.
func (a *app) eachLetter(ctx context.Context, s store.Letters, do func(store.Letter) error) error {
	const page = 500
	var after store.ID
	for {
		letters, err := s.ListLetters(ctx, after, page)
		if err != nil {
			return fmt.Errorf("list dead letters: %w", err)
		}
		for _, l := range letters {
			if err := do(l); err != nil {
				return err
			}
			after = l.ID
		}
		if len(letters) < page {
			return nil
		}
	}
}

func (a *app) lettersShowCommand() *cobra.Command {
	return a.lettersCommand("show ID...", "Show dead letters in full, as JSON", "  botwatch dead-letters show 1000000042", cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, _ *config.Loaded, s store.Store, ids []store.ID) error {
			letters, err := s.GetLetters(cmd.Context(), ids)
			if err != nil {
				return fmt.Errorf("read dead letters: %w", err)
			}
			for _, l := range letters {
				if err := writeJSON(a.stdout, l); err != nil {
					return err
				}
			}
			if missing := len(ids) - len(letters); missing > 0 {
				return fmt.Errorf("%d of %d ids have no dead letter", missing, len(ids))
			}
			return nil
		})
}

func (a *app) lettersReplayCommand() *cobra.Command {
	return a.lettersCommand("replay [ID...]", "Try accounts with dead letters again: those named, or all", "  botwatch dead-letters replay", nil,
		func(cmd *cobra.Command, c *config.Loaded, s store.Store, ids []store.ID) error {
			r := store.Request{Kind: daemon.JobReplay}
			if len(ids) > 0 {
				texts := make([]string, len(ids))
				for i, id := range ids {
					texts[i] = string(id.AppendJSON(nil))
				}
				r.Args = map[string]string{"ids": strings.Join(texts, "\n")}
			}
			return a.ask(cmd.Context(), c, s, r)
		})
}

func (a *app) lettersDiscardCommand() *cobra.Command {
	return a.lettersCommand("discard ID...", "Remove dead letters", "  botwatch dead-letters discard 1000000042", cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, _ *config.Loaded, s store.Store, ids []store.ID) error {
			n, err := s.DiscardLetters(cmd.Context(), ids)
			if err != nil {
				return fmt.Errorf("discard dead letters: %w", err)
			}
			fmt.Fprintf(a.stderr, "%d discarded\n", n)
			if missing := len(ids) - n; missing > 0 {
				return fmt.Errorf("%d of %d ids have no dead letter", missing, len(ids))
			}
			return nil
		})
}
