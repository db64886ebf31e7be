package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

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
