package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Levels are the levels of the log, fewest lines first.
var Levels = []string{"error", "warn", "info", "debug", "trace"}

// Formats are the formats of the log.
var Formats = []string{"text", "json"}

// Validate gives all mistakes joined, each with its field's path.
func (c *Config) Validate() error {
	var errs []error
	check := func(path string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	check("store", validateStore(c.Store))
	for _, f := range []struct{ path, text string }{{"store_password", c.StorePassword}, {"store_password_file", c.StorePasswordFile}} {
		if f.text != "" && c.StoreKind() != MongoDB {
			check(f.path, errors.New("is for a mongodb:// store alone"))
		}
	}
	if c.StorePassword != "" && c.StorePasswordFile != "" {
		check("store_password", errors.New("is set beside store_password_file; want one of them"))
	}
	if c.MongoDB.PredictionsStore != "" {
		check("mongodb.predictions_store", validateStore(c.MongoDB.PredictionsStore))
		if strings.HasPrefix(c.MongoDB.PredictionsStore, sqliteScheme) {
			check("mongodb.predictions_store", errors.New("is an SQLite file; want mongodb://HOST/DATABASE"))
		}
	}
	check("mongodb.accounts", validateCollection(c.MongoDB.Accounts))
	check("mongodb.predictions", validateCollection(c.MongoDB.Predictions))
	check("mongodb.state", validateCollection(c.MongoDB.State))
	check("mongodb.dead_letters", validateCollection(c.MongoDB.DeadLetters))
	check("mongodb.read_preference", oneOf(c.MongoDB.ReadPreference, ReadPreferences...))
	check("accounts.writable", oneOf(string(c.Accounts.Writable), string(WritableAuto), string(WritableTrue), string(WritableFalse)))
	check("log.level", oneOf(c.Log.Level, Levels...))
	check("log.format", oneOf(c.Log.Format, Formats...))

	p := &c.Pipeline
	check("pipeline.lanes", between(p.Lanes, 1, 64))
	check("pipeline.queue_items", between(p.QueueItems, 1, 1<<20))
	check("pipeline.queue_bytes", between(p.QueueBytes, 1<<20, 1<<40))
	check("pipeline.batch_items", between(p.BatchItems, 1, 1<<14))
	if !(p.FaultShare > 0 && p.FaultShare <= 1) {
		check("pipeline.fault_share", fmt.Errorf("is %v; want above 0, and 1 at most", p.FaultShare))
	}
	const year = Duration(366 * 24 * time.Hour)
	check("pipeline.timeout", between(p.Timeout, Duration(100*time.Millisecond), Duration(time.Hour)))
	check("checkpoint.interval", between(c.Checkpoint.Interval, Duration(10*time.Millisecond), Duration(time.Hour)))
	check("shutdown.timeout", between(c.Shutdown.Timeout, Duration(time.Millisecond), Duration(24*time.Hour)))

	_, err := loadZone(c.Timezone)
	check("timezone", err)
	_, err = c.Backfill.Schedule.Parse()
	check("backfill.schedule", err)
	check("backfill.jitter", between(c.Backfill.Jitter, 0, Duration(24*time.Hour)))
	check("backfill.rate", validateRate(c.Backfill.Rate))
	_, err = c.Rescore.Schedule.Parse()
	check("rescore.schedule", err)
	check("rescore.jitter", between(c.Rescore.Jitter, 0, Duration(24*time.Hour)))
	check("rescore.rate", validateRate(c.Rescore.Rate))
	check("rescore.max_age", between(c.Rescore.MaxAge, 0, 100*year))
	check("stale_after", between(c.StaleAfter, 0, 100*year))
	check("tombstone_ttl", between(c.TombstoneTTL, Duration(time.Minute), 10*year))
	return errors.Join(errs...)
}

func validateCollection(name string) error {
	if name == "" || strings.HasPrefix(name, "system.") || strings.ContainsAny(name, "$\x00") {
		return fmt.Errorf("is %q; want the name of a collection", name)
	}
	return nil
}

func oneOf(text string, known ...string) error {
	if slices.Contains(known, text) {
		return nil
	}
	return fmt.Errorf("is %q; want %s", text, strings.Join(known, ", "))
}

func between[T int | Duration | Size](v, least, most T) error {
	if v >= least && v <= most {
		return nil
	}
	return fmt.Errorf("is %v; want %v to %v", v, least, most)
}

func validateRate(rate float64) error {
	if rate >= 0 && !math.IsInf(rate, 0) {
		return nil
	}
	return fmt.Errorf("is %v; want accounts a second, or 0 for no limit", rate)
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, errors.New("is empty; want UTC, Local or a name such as Europe/Berlin")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("is %q; want UTC, Local or a name such as Europe/Berlin", name)
	}
	return zone, nil
}

func parseCron(line string) (cron.Schedule, error) {
	if strings.Contains(line, "TZ=") {
		return nil, fmt.Errorf("is %q; the time zone goes into timezone", line)
	}
	schedule, err := cron.ParseStandard(line)
	if err != nil {
		return nil, fmt.Errorf(`is %q (%w); want minute, hour, day, month and weekday, such as "30 3 * * *", or off`, line, err)
	}
	return schedule, nil
}
