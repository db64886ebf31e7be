package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"botwatch/classifier"
	"botwatch/config"
	"botwatch/daemon"
	"botwatch/store"
)

// trial is a store in a temporary folder, with all defaults, and what a daemon
// needs that works on it.
type trial struct {
	a      *app
	folder string
	file   string
	config *config.Loaded
	model  *classifier.Model
}

// newTrial makes the folder, for the caller to remove.
func (a *app) newTrial(command string) (*trial, error) {
	m, err := loadModel("")
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "botwatch-"+command+"-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary store: %w", err)
	}
	t := &trial{a: a, folder: folder, file: filepath.Join(folder, command+".db"), model: m}
	if t.config, err = config.Load(config.Sources{Flags: map[string]string{setStore: "sqlite:" + t.file}}); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

func (t *trial) remove() error { return os.RemoveAll(t.folder) }

func (t *trial) open(ctx context.Context) (store.Store, error) {
	return t.a.openStore(ctx, t.config, openMade)
}

// lead runs a daemon on the store until work returns, whose context ends early
// where the daemon fails.
func (t *trial) lead(ctx context.Context, s store.Store, log logrus.FieldLogger, work func(context.Context) error) error {
	o, err := t.a.daemonOptions(t.config, s, t.model, log)
	if err != nil {
		return err
	}
	o.Now = nil // the real clock, whatever the program's is
	running, stop := context.WithCancel(ctx)
	defer stop()
	g, running := errgroup.WithContext(running)
	g.Go(func() error { return daemon.New(o).Run(running) })
	g.Go(func() error {
		defer stop()
		return work(running)
	})
	return g.Wait()
}
