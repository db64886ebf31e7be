package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/sirupsen/logrus"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/config"
	"botwatch/daemon"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/mongo"
	"botwatch/store/sqlite"
)

// How a store is opened.
type openMode int

const (
	openMade   openMode = iota // for writing; made where it is missing
	openThere                  // for writing
	openToLook                 // for reading
)

// openStore opens the store that the configuration names.
func (a *app) openStore(ctx context.Context, c *config.Loaded, mode openMode) (store.Store, error) {
	if c.StoreKind() == config.MongoDB {
		return a.openMongo(ctx, c)
	}
	s, err := sqlite.Open(ctx, c.SQLiteFile(), sqlite.Options{
		Now: a.now, ReadOnly: mode == openToLook, Existing: mode == openThere, ProtectAccounts: !c.AccountsWritable(),
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// mayWriteAccounts is an error where the configuration keeps botwatch from writing
// accounts.
func mayWriteAccounts(c *config.Loaded) error {
	if c.AccountsWritable() {
		return nil
	}
	return fmt.Errorf("accounts.writable is %s: the accounts in %s are the crawler's alone; set it to true ($BOTWATCH_ACCOUNTS_WRITABLE) to write some",
		c.Accounts.Writable, config.RedactStore(c.Store))
}

func (a *app) openMongo(ctx context.Context, c *config.Loaded) (store.Store, error) {
	o, err := a.mongoOptions(c)
	if err != nil {
		return nil, err
	}
	s, err := mongo.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// mongoOptions turns the configuration into those of a store.
func (a *app) mongoOptions(c *config.Loaded) (mongo.Options, error) {
	uri, err := c.StoreURI()
	if err != nil {
		return mongo.Options{}, err
	}
	m := c.MongoDB
	return mongo.Options{
		URI: uri, PredictionsURI: m.PredictionsStore, ReadPreference: m.ReadPreference, Now: a.now,
		Names:           mongo.Names{Accounts: m.Accounts, Predictions: m.Predictions, State: m.State, DeadLetters: m.DeadLetters},
		ProtectAccounts: !c.AccountsWritable(),
	}, nil
}

// loadModel reads a model file; the built-in model where path is empty.
func loadModel(path string) (*classifier.Model, error) {
	spec, err := model.Default()
	if path != "" {
		spec, err = model.Read(path)
	}
	if err != nil {
		return nil, err
	}
	return classifier.NewModel(spec)
}

// newLog makes the log that the configuration asks for, on standard error.
func (a *app) newLog(c *config.Loaded) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(a.stderr)
	if level, err := logrus.ParseLevel(c.Log.Level); err == nil {
		log.SetLevel(level)
	}
	log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: a.getenv("NO_COLOR") != ""})
	if c.Log.Format == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	}
	return log
}

// holder names this process to other daemons: also where containers restart under
// one name and number.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s, process %d (%04x)", host, os.Getpid(), rand.N(1<<16))
}

// daemonOptions turns the configuration into a daemon's options.
func (a *app) daemonOptions(c *config.Loaded, s store.Store, m *classifier.Model, log logrus.FieldLogger) (daemon.Options, error) {
	backfill, err := c.Backfill.Schedule.Parse()
	if err != nil {
		return daemon.Options{}, fmt.Errorf("backfill.schedule: %w", err)
	}
	rescore, err := c.Rescore.Schedule.Parse()
	if err != nil {
		return daemon.Options{}, fmt.Errorf("rescore.schedule: %w", err)
	}
	return daemon.Options{
		Store: s, Model: m, Holder: holder(), Log: log, Now: a.now, Zone: c.Location(),
		Pipeline: pipeline.Options{
			Lanes: c.Pipeline.Lanes, QueueItems: c.Pipeline.QueueItems, QueueBytes: int64(c.Pipeline.QueueBytes),
			BatchItems: c.Pipeline.BatchItems, Timeout: c.Pipeline.Timeout.D(), FaultShare: c.Pipeline.FaultShare,
			StaleAfter: c.StaleAfter.D(), MaxAge: c.Rescore.MaxAge.D(), TombstoneTTL: c.TombstoneTTL.D(),
		},
		Backfill:        daemon.Schedule{Cron: backfill, Jitter: c.Backfill.Jitter.D(), Rate: c.Backfill.Rate},
		Rescore:         daemon.Schedule{Cron: rescore, Jitter: c.Rescore.Jitter.D(), Rate: c.Rescore.Rate},
		Standby:         c.StoreKind() == config.MongoDB,
		CheckpointEvery: c.Checkpoint.Interval.D(),
		ShutdownTimeout: c.Shutdown.Timeout.D(),
	}, nil
}
