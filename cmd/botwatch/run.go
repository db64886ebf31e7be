package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"botwatch/classifier"
	"botwatch/config"
	"botwatch/daemon"
	"botwatch/store"
)

func (a *app) runCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Follow the store's accounts and keep their predictions true",
		Long: `run is the daemon: it follows every insert, update and delete of accounts in the
store, classifies what changed and writes the predictions. Scheduled scans find
what the stream could not see, and refresh what got old. One daemon works on a
store at a time.

It ends on an interrupt, once everything that it read is written; a second
interrupt ends it at once. Whatever the moment of a kill, a restart goes on from
the last checkpoint and loses nothing.`,
		Example: `  botwatch run
  botwatch run --store sqlite:accounts.db --log-format json
  botwatch run --dry-run`,
		Args: cobra.NoArgs,
	}
	settingFlags(cmd, setStore, setModel, setLogLevel, setLogFormat)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "classify, and write nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		m, err := loadModel(c.Model)
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		s, err := a.openStore(ctx, c, openMade)
		if err != nil {
			return err
		}
		defer s.Close()
		log := a.newLog(c)
		o, err := a.daemonOptions(c, s, m, log)
		if err != nil {
			return err
		}
		o.DryRun = dryRun
		log.WithField("store", config.RedactStore(c.Store)).WithField("model", m.Name()).WithField("dry_run", dryRun).Info("botwatch run")
		if err := preflight(ctx, s, m, log); err != nil {
			return err
		}
		err = daemon.New(o).Run(ctx)
		var held *store.HeldError
		if errors.As(err, &held) {
			return fmt.Errorf("another botwatch works on this store: %s, since %s; end it first, or use another --store",
				held.Holder, held.Since.Local().Format("2006-01-02 15:04:05"))
		}
		switch {
		case err != nil:
		case dryRun:
			log.Info("ended in order; nothing was written")
		default:
			log.Info("ended in order; everything that was read is written")
		}
		return err
	}
	return cmd
}

// preflight looks whether the store can be worked with, as `botwatch check` does,
// before anything is written to it. Accounts that cannot be read keep nothing from
// working: they get their letters.
func preflight(ctx context.Context, s store.Store, m *classifier.Model, log logrus.FieldLogger) error {
	findings, err := s.Check(ctx)
	if err != nil {
		return err
	}
	var failed []string
	for _, f := range findings {
		line := log.WithField("subject", f.Subject)
		switch f.Level {
		case store.LevelFail:
			failed = append(failed, f.Subject+": "+f.Message)
		case store.LevelWarn:
			line.Warn(f.Message)
		default:
			line.Debug(f.Message)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("the store cannot be worked with (`botwatch check` looks without writing):\n  %s", strings.Join(failed, "\n  "))
	}
	sampled, err := sample(ctx, s, m)
	if err != nil {
		return err
	}
	if summary := sampled[len(sampled)-1]; len(sampled) > 1 {
		log.WithField("subject", summary.Subject).Warn(summary.Message + "; `botwatch check` names the others")
	}
	return nil
}
