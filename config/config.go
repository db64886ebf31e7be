// Package config holds botwatch's configuration: defaults, then a YAML file,
// then the environment, then flags, then a validation that finds every mistake
// at once.
package config

import (
	"time"
	_ "time/tzdata" // time zones on machines that have none

	"github.com/robfig/cron/v3"
)

// Config is the whole configuration. Each field's doc tag describes it, and is
// what Print and the command line's help show. A field's path is the names of
// its yaml tags with dots between, such as backfill.schedule; its variable is
// BOTWATCH_ and the path in capitals, such as BOTWATCH_BACKFILL_SCHEDULE.
type Config struct {
	Store             string     `yaml:"store" doc:"where accounts and predictions are: sqlite:FILE or mongodb://HOST/DATABASE"`
	StorePassword     string     `yaml:"store_password" doc:"password for a mongodb:// store; best given by the environment"`
	StorePasswordFile string     `yaml:"store_password_file" doc:"file with the password for a mongodb:// store"`
	Model             string     `yaml:"model" doc:"model file; empty for the built-in one"`
	Accounts          Accounts   `yaml:"accounts"`
	MongoDB           Mongo      `yaml:"mongodb"`
	Log               Log        `yaml:"log"`
	Pipeline          Pipeline   `yaml:"pipeline"`
	Checkpoint        Checkpoint `yaml:"checkpoint"`
	Shutdown          Shutdown   `yaml:"shutdown"`
	Timezone          string     `yaml:"timezone" doc:"time zone of the schedules, such as UTC or Europe/Berlin"`
	Backfill          Backfill   `yaml:"backfill"`
	Rescore           Rescore    `yaml:"rescore"`
	StaleAfter        Duration   `yaml:"stale_after" doc:"crawled longer ago, an account's prediction is marked stale; 0 for never"`
	TombstoneTTL      Duration   `yaml:"tombstone_ttl" doc:"how long a deleted account is remembered, so that no late write brings it back"`
}

// Accounts is about the crawler's collection.
type Accounts struct {
	Writable Writable `yaml:"writable" doc:"whether import and simulate may write accounts: true, false, or auto (on SQLite alone)"`
}

// Mongo is about a mongodb:// store.
type Mongo struct {
	PredictionsStore string `yaml:"predictions_store" doc:"mongodb://HOST/DATABASE for all that botwatch writes, where that is not the accounts' own"`
	Accounts         string `yaml:"accounts" doc:"collection of the crawler's accounts"`
	Predictions      string `yaml:"predictions" doc:"collection for predictions"`
	State            string `yaml:"state" doc:"collection for the daemon's own state"`
	DeadLetters      string `yaml:"dead_letters" doc:"collection for the accounts that could not be classified"`
	ReadPreference   string `yaml:"read_preference" doc:"where accounts are scanned: primary, primaryPreferred, secondary, secondaryPreferred or nearest"`
}

// ReadPreferences are the read preferences that a scan may have.
var ReadPreferences = []string{"primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level" doc:"least level that is logged: error, warn, info, debug or trace"`
	Format string `yaml:"format" doc:"text or json"`
}

// Pipeline bounds the work on accounts.
type Pipeline struct {
	Lanes      int      `yaml:"lanes" doc:"batches that are classified and written at once"`
	QueueItems int      `yaml:"queue_items" doc:"accounts that may wait; then reading stops"`
	QueueBytes Size     `yaml:"queue_bytes" doc:"bytes of accounts that may wait; then reading stops"`
	BatchItems int      `yaml:"batch_items" doc:"accounts a write"`
	FaultShare float64  `yaml:"fault_share" doc:"share, 0 to 1, of recent accounts that may fail before writing stops"`
	Timeout    Duration `yaml:"timeout" doc:"time limit of one look-up or write"`
}

// Checkpoint is about the place in the stream that is kept.
type Checkpoint struct {
	Interval Duration `yaml:"interval" doc:"how often the place in the stream is saved"`
}

// Shutdown is about an orderly end.
type Shutdown struct {
	Timeout Duration `yaml:"timeout" doc:"time limit for writing what was read when asked to stop"`
}

// Backfill says when the accounts are looked through for what the stream missed.
type Backfill struct {
	Schedule Schedule `yaml:"schedule" doc:"when to look for what the stream missed: a cron line, or off"`
	Jitter   Duration `yaml:"jitter" doc:"each run starts up to this much later"`
	Rate     float64  `yaml:"rate" doc:"accounts a second; 0 for no limit"`
}

// Rescore says when all accounts are classified anew.
type Rescore struct {
	Schedule Schedule `yaml:"schedule" doc:"when to classify all accounts anew: a cron line, or off"`
	Jitter   Duration `yaml:"jitter" doc:"each run starts up to this much later"`
	Rate     float64  `yaml:"rate" doc:"accounts a second; 0 for no limit"`
	MaxAge   Duration `yaml:"max_age" doc:"predictions older than this are rewritten, changed or not; 0 for never"`
}

// Default gives the configuration that needs no file.
func Default() Config {
	return Config{
		Store:    "sqlite:botwatch.db",
		Accounts: Accounts{Writable: WritableAuto},
		MongoDB: Mongo{
			Accounts: "accounts", Predictions: "predictions", State: "botwatch_state", DeadLetters: "botwatch_dead_letters",
			ReadPreference: "primary",
		},
		Log: Log{Level: "info", Format: "text"},
		Pipeline: Pipeline{
			Lanes: 2, QueueItems: 4096, QueueBytes: 32 << 20, BatchItems: 256, FaultShare: 0.5,
			Timeout: Duration(30 * time.Second),
		},
		Checkpoint:   Checkpoint{Interval: Duration(time.Second)},
		Shutdown:     Shutdown{Timeout: Duration(30 * time.Second)},
		Timezone:     "UTC",
		Backfill:     Backfill{Schedule: "0 * * * *", Jitter: Duration(time.Minute)},
		Rescore:      Rescore{Schedule: "30 3 * * *", Jitter: Duration(5 * time.Minute), MaxAge: Duration(720 * time.Hour)},
		StaleAfter:   Duration(8760 * time.Hour),
		TombstoneTTL: Duration(24 * time.Hour),
	}
}

// Writable says whether accounts may be written.
type Writable string

// The values of Writable.
const (
	WritableAuto  Writable = "auto" // true on SQLite, false on MongoDB
	WritableTrue  Writable = "true"
	WritableFalse Writable = "false"
)

// AccountsWritable decides accounts.writable, auto included.
func (c *Config) AccountsWritable() bool {
	if c.Accounts.Writable == WritableAuto {
		return c.StoreKind() == SQLite
	}
	return c.Accounts.Writable == WritableTrue
}

// Location gives the time zone of the schedules; UTC where Validate would
// refuse it.
func (c *Config) Location() *time.Location {
	zone, err := loadZone(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Schedule is a line of cron: minute, hour, day of month, month, day of week, or
// a name such as @daily; or "off".
type Schedule string

// Off is the Schedule of what never runs by itself.
const Off Schedule = "off"

// Parse gives the schedule for a scheduler; nil where it is Off.
func (s Schedule) Parse() (cron.Schedule, error) {
	if s == Off {
		return nil, nil
	}
	return parseCron(string(s))
}
