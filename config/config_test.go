package config_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/config"
)

// others holds a valid text that is not the default for every field. The password
// is what a printed one is.
var others = map[string]string{
	"store": "mongodb://db.example:27017/watch", "store_password": "xxxxx", "store_password_file": "secret.txt", "model": "other.json",
	"mongodb.predictions_store": "mongodb://other.example/results", "mongodb.accounts": "users", "mongodb.predictions": "classes",
	"mongodb.state": "state", "mongodb.dead_letters": "letters", "mongodb.read_preference": "secondary",
	"accounts.writable": "true", "log.level": "debug", "log.format": "json",
	"pipeline.lanes": "3", "pipeline.queue_items": "17", "pipeline.queue_bytes": "5MB", "pipeline.batch_items": "9",
	"pipeline.fault_share": "0.25", "pipeline.timeout": "1m30s",
	"checkpoint.interval": "250ms", "shutdown.timeout": "2h", "timezone": "Europe/Berlin",
	"backfill.schedule": "@daily", "backfill.jitter": "90s", "backfill.rate": "12.5",
	"rescore.schedule": "off", "rescore.jitter": "0s", "rescore.rate": "3", "rescore.max_age": "7d12h",
	"stale_after": "30d", "tombstone_ttl": "90m",
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "botwatch.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// toYAML writes texts by path as a file.
func toYAML(texts map[string]string) string {
	var b strings.Builder
	section := ""
	for _, f := range config.Fields() {
		group, key, nested := strings.Cut(f.Path, ".")
		if !nested {
			b.WriteString(f.Path + ": '" + texts[f.Path] + "'\n")
			section = ""
			continue
		}
		if group != section {
			b.WriteString(group + ":\n")
			section = group
		}
		b.WriteString("  " + key + ": '" + texts[f.Path] + "'\n")
	}
	return b.String()
}

// settings leaves out where the values come from.
func settings(l *config.Loaded) config.Config { return l.Config }

// TestEveryFieldSurvives, but for one of the two that exclude each other.
func TestEveryFieldSurvives(t *testing.T) {
	for _, without := range []string{"StorePassword", "StorePasswordFile"} {
		t.Run("without "+without, func(t *testing.T) {
			texts := maps.Clone(others)
			texts[map[string]string{"StorePassword": "store_password", "StorePasswordFile": "store_password_file"}[without]] = ""
			everyFieldSurvives(t, texts, "."+without)
		})
	}
}

func everyFieldSurvives(t *testing.T, others map[string]string, without string) {
	fromFlags, err := config.Load(config.Sources{Flags: others})
	if err != nil {
		t.Fatal(err)
	}
	want := settings(fromFlags)
	differ(t, reflect.ValueOf(config.Default()), reflect.ValueOf(want), "", without)

	t.Run("file", func(t *testing.T) {
		l, err := config.Load(config.Sources{File: write(t, toYAML(others))})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, settings(l)); d != "" {
			t.Error(d)
		}
	})
	t.Run("environment", func(t *testing.T) {
		env := make(map[string]string)
		for _, f := range config.Fields() {
			env[f.Variable()] = others[f.Path]
		}
		l, err := config.Load(config.Sources{Getenv: func(k string) string { return env[k] }})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, settings(l)); d != "" {
			t.Error(d)
		}
		if got := l.Origin("backfill.schedule"); got != "BOTWATCH_BACKFILL_SCHEDULE" {
			t.Errorf("origin %q", got)
		}
	})
	t.Run("print", func(t *testing.T) {
		var out bytes.Buffer
		if err := fromFlags.WriteYAML(&out); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(config.Sources{File: write(t, out.String())})
		if err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if d := cmp.Diff(want, settings(l)); d != "" {
			t.Error(d)
		}
	})
	t.Run("print JSON", func(t *testing.T) {
		var out bytes.Buffer
		if err := fromFlags.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out.Bytes()) {
			t.Fatalf("no JSON: %s", &out)
		}
		l, err := config.Load(config.Sources{File: write(t, out.String())}) // YAML takes JSON
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, settings(l)); d != "" {
			t.Error(d)
		}
	})
}

// differ fails for every field that is the same in both: it was not set.
func differ(t *testing.T, a, b reflect.Value, path, without string) {
	for i := range a.NumField() {
		name := path + "." + a.Type().Field(i).Name
		if a.Field(i).Kind() == reflect.Struct {
			differ(t, a.Field(i), b.Field(i), name, without)
			continue
		}
		if same := a.Field(i).Interface() == b.Field(i).Interface(); same != (name == without) {
			t.Errorf("%s has its default: %v", name, same)
		}
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	for _, f := range config.Fields() {
		if f.Doc == "" {
			t.Errorf("%s has no description", f.Path)
		}
		if _, ok := others[f.Path]; !ok {
			t.Errorf("%s is not covered by the tests", f.Path)
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	l, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(config.Default(), settings(l)); d != "" {
		t.Error(d)
	}
	if !l.AccountsWritable() || l.StoreKind() != config.SQLite || l.SQLiteFile() != "botwatch.db" || l.Location() != time.UTC {
		t.Errorf("%+v", l.Config)
	}
}

func TestLayers(t *testing.T) {
	env := map[string]string{"BOTWATCH_CONFIG": write(t, "log: {level: warn, format: json}\ntimezone: Asia/Tokyo\n"), "BOTWATCH_LOG_LEVEL": "debug", "BOTWATCH_TIMEZONE": "Asia/Seoul"}
	l, err := config.Load(config.Sources{Getenv: func(k string) string { return env[k] }, Flags: map[string]string{"timezone": "UTC"}})
	if err != nil {
		t.Fatal(err)
	}
	if l.Log.Format != "json" || l.Log.Level != "debug" || l.Timezone != "UTC" {
		t.Errorf("%+v", l.Config)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		rule, yaml string
		want       []string // parts of the error
	}{
		{"unknown key names the nearest and its line", "log:\n  levle: info\n", []string{"botwatch.yaml:2: log.levle: unknown; the nearest is log.level"}},
		{"unknown section", "pipelines:\n  lanes: 2\n", []string{"botwatch.yaml:1: pipelines: unknown; the nearest is pipeline"}},
		{"key in the wrong section", "lanes: 2\n", []string{"lanes: unknown; the nearest is pipeline.lanes"}},
		{"twice", "model: a\nmodel: b\n", []string{"botwatch.yaml:2: model: stands in line 1 already"}},
		{"a list", "model: [a]\n", []string{"model: want a single value"}},
		{"a scalar for a section", "log: info\n", []string{"log: want keys and values"}},
		{"no value", "model:\n", []string{"model: has no value"}},
		{"two documents", "model: a\n---\nmodel: b\n", []string{"more than one document"}},
		{"no YAML", "a: [\n", []string{"botwatch.yaml: line"}},
		{"no unit", "tombstone_ttl: 24\npipeline: {queue_bytes: 1000}\n", []string{"tombstone_ttl: is \"24\"", "pipeline.queue_bytes: is \"1000\""}},
		{"all at once", "timezone: Mars/Base\nbackfill: {schedule: hourly, rate: -1}\npipeline: {lanes: 0, fault_share: 2}\nlog: {level: loud}\nstale_after: -1h\n",
			[]string{"timezone: is \"Mars/Base\"", "backfill.schedule: is \"hourly\"", "backfill.rate: is -1", "pipeline.lanes: is 0; want 1 to 64", "pipeline.fault_share: is 2", "log.level: is \"loud\"", "stale_after: is -1h"}},
		{"time zone in a schedule", "backfill: {schedule: TZ=UTC}\n", []string{"the time zone goes into timezone"}},
		{"store", "store: postgres://u:geheim@h/d\n", []string{"store: is \"postgres://u:xxxxx@h/d\"; want sqlite:FILE or mongodb://"}},
		{"no SQLite file", "store: 'sqlite:'\n", []string{"store: names no file"}},
		{"no database", "store: mongodb://u:geheim@h1:1,h2:2/?tls=true\n", []string{"store: names no database"}},
		{"no host", "store: mongodb:///db\n", []string{"store: names no host"}},
		{"a password for a file", "store_password_file: x\n", []string{"store_password_file: is for a mongodb:// store alone"}},
		{"a password itself for a file", "store_password: geheim\n", []string{"store_password: is for a mongodb:// store alone"}},
		{"two passwords", "store: mongodb://u@h/d\nstore_password: geheim\nstore_password_file: x\n", []string{"store_password: is set beside store_password_file"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			_, err := config.Load(config.Sources{File: write(t, tt.yaml)})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in\n%v", part, err)
				}
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("gives the password away: %v", err)
			}
		})
	}
	if _, err := config.Load(config.Sources{File: "no-such.yaml"}); err == nil || !strings.Contains(err.Error(), "no-such.yaml") {
		t.Errorf("absent file: %v", err)
	}
	for _, text := range []string{"", "# nothing\n", "log:\n  # level: info\n"} {
		if _, err := config.Load(config.Sources{File: write(t, text)}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "90s": 90 * time.Second, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.D() != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
		var again config.Duration
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%s prints as %s, which reads as %v, %v", text, d, again, err)
		}
	}
	for text, want := range map[string]config.Size{"0B": 0, "512B": 512, "64KiB": 64 << 10, "32 MiB": 32 << 20, "1GiB": 1 << 30, "10MB": 1e7} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		var again config.Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s prints as %s, which reads as %d, %v", text, s, again, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1d-1h", "99999999d", "5", "1dd", "week"} {
		if err := new(config.Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("duration %q is taken", text)
		}
	}
	for _, text := range []string{"", "B", "-1B", "5", "1.5MiB", "99999999999GiB"} {
		if err := new(config.Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("size %q is taken", text)
		}
	}
	if got := config.Size(math.MaxInt64).String(); got != "9223372036854775807B" {
		t.Error(got)
	}
}

func TestSecrets(t *testing.T) {
	for uri, want := range map[string]string{
		"sqlite:a.db":                      "sqlite:a.db",
		"mongodb://h/d":                    "mongodb://h/d",
		"mongodb://u@h/d":                  "mongodb://u@h/d",
		"mongodb://u:geheim@h/d":           "mongodb://u:xxxxx@h/d",
		"mongodb://u:geh@e/im@h1:1,h2:2/d": "mongodb://u:xxxxx@h1:1,h2:2/d",
		"mongodb://h/d?tls=true&tlsCertificateKeyFilePassword=geheim&w=1": "mongodb://h/d?tls=true&tlsCertificateKeyFilePassword=xxxxx&w=1",
		"mongodb://h/d?authMechanismProperties=AWS_SESSION_TOKEN:geheim":  "mongodb://h/d?authMechanismProperties=xxxxx",
	} {
		if got := config.RedactStore(uri); got != want {
			t.Errorf("%s: %s", uri, got)
		}
	}
	for _, flags := range []map[string]string{{"store": "mongodb+srv://u:geheim@h/d"}, {"store": "mongodb://u@h/d", "store_password": "geheim"}} {
		printsNoSecret(t, flags)
	}
}

func printsNoSecret(t *testing.T, flags map[string]string) {
	t.Helper()
	l, err := config.Load(config.Sources{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.WriteYAML(&out); err != nil {
		t.Fatal(err)
	}
	if err := l.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "geheim") {
		t.Errorf("the password is printed:\n%s", &out)
	}
}

func TestPassword(t *testing.T) {
	const want = "mongodb://u:p%40ss%20word@h1,h2/d?w=1"
	for _, field := range []string{"store_password", "store_password_file"} {
		with := func(store string) *config.Config {
			c := config.Default()
			c.Store = store
			if field == "store_password" {
				c.StorePassword = "p@ss word"
			} else {
				c.StorePasswordFile = write(t, "p@ss word\n")
			}
			return &c
		}
		if uri, err := with("mongodb://u@h1,h2/d?w=1").StoreURI(); err != nil || uri != want {
			t.Errorf("%s: %s, %v", field, uri, err)
		}
		for store, part := range map[string]string{"mongodb://h/d": "names no user", "mongodb://u:geheim@h/d": "holds a password"} {
			_, err := with(store).StoreURI()
			if err == nil || !strings.Contains(err.Error(), part+", and "+field+" is set") || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s for %s: %v", field, store, err)
			}
		}
	}
	env := map[string]string{"BOTWATCH_STORE": "mongodb://u@h/d", "BOTWATCH_STORE_PASSWORD": "secret"}
	l, err := config.Load(config.Sources{Getenv: func(k string) string { return env[k] }})
	if err != nil {
		t.Fatal(err)
	}
	if uri, err := l.StoreURI(); err != nil || uri != "mongodb://u:secret@h/d" {
		t.Errorf("%s, %v", uri, err)
	}
}

func TestSchedule(t *testing.T) {
	if s, err := config.Off.Parse(); s != nil || err != nil {
		t.Error(s, err)
	}
	s, err := config.Schedule("30 3 * * *").Parse()
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	if got := s.Next(from); !got.Equal(from.Add(3*time.Hour + 30*time.Minute)) {
		t.Error(got)
	}
}
