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
	"botwatch/store/mongo"
)

// trial is a store for a while, with all defaults, and what a daemon needs that
// works on it.
type trial struct {
	a      *app
	file   string // of a temporary one
	config *config.Loaded
	model  *classifier.Model
	remove func() error
}

// newTrial makes a store in a temporary folder, for the caller to remove.
func (a *app) newTrial(command string) (*trial, error) {
	m, err := loadModel("")
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "botwatch-"+command+"-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary store: %w", err)
	}
	t := &trial{a: a, file: filepath.Join(folder, command+".db"), model: m, remove: func() error { return os.RemoveAll(folder) }}
	if t.config, err = config.Load(config.Sources{Flags: map[string]string{setStore: "sqlite:" + t.file}}); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

// trialOn takes a MongoDB database that is empty, for the caller to remove what
// the trial makes of it. Passwords may come from the environment.
func (a *app) trialOn(ctx context.Context, uri string) (*trial, error) {
	m, err := loadModel("")
	if err != nil {
		return nil, err
	}
	c, err := config.Load(config.Sources{Flags: map[string]string{
		setStore: uri, "accounts.writable": "true",
		"store_password": a.getenv("BOTWATCH_STORE_PASSWORD"), "store_password_file": a.getenv("BOTWATCH_STORE_PASSWORD_FILE"),
	}})
	if err != nil {
		return nil, err
	}
	if c.StoreKind() != config.MongoDB {
		return nil, usagef("--store: is %q; want mongodb://HOST/DATABASE, or none for a temporary SQLite file", config.RedactStore(uri))
	}
	o, err := a.mongoOptions(c)
	if err != nil {
		return nil, err
	}
	scratch, err := mongo.Claim(ctx, o)
	if err != nil {
		return nil, err
	}
	// An interrupt ends the measurement, and not what tidies up.
	remove := func() error { return scratch.Drop(context.WithoutCancel(ctx)) }
	return &trial{a: a, config: c, model: m, remove: remove}, nil
}

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
