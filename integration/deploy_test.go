//go:build unix

package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"botwatch/config"
)

// These tests keep the files true by which botwatch is deployed: what they name
// of the program must be there.

// projectFile reads a file of the project.
func projectFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	check(t, err)
	return string(data)
}

// understood fails unless botwatch knows the command that args name, and each of
// their flags and its value; and unless env makes a good configuration.
func understood(t *testing.T, env []string, args ...string) {
	t.Helper()
	out, err := command(t, env, append(slices.Clone(args), "--help")...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n  botwatch "+args[0]+" [flags]\n") {
		t.Errorf("botwatch %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if out, err := command(t, env, "config", "check").CombinedOutput(); err != nil {
		t.Errorf("with %q: %v\n%s", env, err, out)
	}
}

// shutdown is what the daemon takes to end in order at most: the bound on writing
// what was read, and one call each for the last checkpoint and the lease.
var shutdown = config.Default().Shutdown.Timeout.D() + 20*time.Second

// TestVariables: every variable of botwatch's that the files name exists.
func TestVariables(t *testing.T) {
	known := []string{config.FileVariable}
	for _, f := range config.Fields() {
		known = append(known, f.Variable())
	}
	for _, path := range []string{"Dockerfile", "docker-compose.yml", "deploy/botwatch.service"} {
		for _, name := range regexp.MustCompile(`BOTWATCH_[A-Z][A-Z_]*`).FindAllString(projectFile(t, path), -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: no field of the configuration has the variable %s", path, name)
			}
		}
	}
}

type composeService struct {
	Image       string
	Command     []string
	Environment map[string]string
	Ports       []string
	Restart     string
	Profiles    []string
	Stop        string                                `yaml:"stop_grace_period"`
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct {
		Test    []string
		Disable bool
	}
}

func TestCompose(t *testing.T) {
	var file struct{ Services map[string]composeService }
	check(t, yaml.Unmarshal([]byte(projectFile(t, "docker-compose.yml")), &file))
	mongo, daemon, crawler := file.Services["mongo"], file.Services["botwatch"], file.Services["crawler"]
	for name, s := range file.Services {
		if s.Restart != "unless-stopped" {
			t.Errorf("%s: restart is %q", name, s.Restart)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: others reach %s", name, port)
			}
		}
	}
	for _, s := range []composeService{daemon, crawler} {
		if s.DependsOn["mongo"].Condition != "service_healthy" {
			t.Errorf("%v does not wait for the database", s.Command)
		}
		var env []string
		for name, value := range s.Environment {
			env = append(env, name+"="+value)
		}
		understood(t, env, s.Command...)
	}
	if grace, err := time.ParseDuration(daemon.Stop); err != nil || grace < shutdown {
		t.Errorf("the daemon gets %q to end, and takes %v", daemon.Stop, shutdown)
	}
	if !strings.HasPrefix(mongo.Image, "mongo:8") || !slices.Contains(mongo.Command, "--replSet") || len(mongo.Healthcheck.Test) == 0 {
		t.Errorf("no replica set of MongoDB 8 that says whether it is healthy: %+v", mongo)
	}
	if !slices.Equal(crawler.Profiles, []string{"crawler"}) || crawler.Environment["BOTWATCH_ACCOUNTS_WRITABLE"] != "true" || !crawler.Healthcheck.Disable {
		t.Errorf("the crawler has no profile of its own, may write no accounts, or is asked for a daemon's health: %+v", crawler)
	}
}

func TestDockerfile(t *testing.T) {
	file := projectFile(t, "Dockerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(projectFile(t, "go.mod"))[1]
	for _, want := range []string{" golang:" + version + " AS build\n", "CGO_ENABLED=0", "-trimpath", "\nFROM scratch\n", "\nLABEL org.opencontainers.image.title="} {
		if !strings.Contains(file, want) {
			t.Errorf("has no %q", want)
		}
	}
	if user := regexp.MustCompile(`(?m)^USER (\d+):\d+$`).FindStringSubmatch(file); user == nil || user[1] == "0" {
		t.Error("runs as root, or as a user without a number")
	}
	// In the order of the file: HEALTHCHECK's CMD, then the image's own.
	commands := regexp.MustCompile(`(?m)^ *CMD (\[.*\])$`).FindAllStringSubmatch(file, -1)
	if len(commands) != 2 {
		t.Fatalf("has %d commands; want the health check's and run", len(commands))
	}
	for i, c := range commands {
		var args []string
		check(t, yaml.Unmarshal([]byte(c[1]), &args)) // JSON is YAML
		if i == 0 {
			if args[0] != "/usr/local/bin/botwatch" {
				t.Errorf("the health check is %q", args)
			}
			args = args[1:]
		}
		understood(t, nil, args...)
	}
}

func TestService(t *testing.T) {
	settings := make(map[string][]string)
	for line := range strings.Lines(projectFile(t, "deploy/botwatch.service")) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(name, "#") {
			settings[name] = append(settings[name], value)
		}
	}
	program, args, _ := strings.Cut(settings["ExecStart"][0], " ")
	if filepath.Base(program) != "botwatch" {
		t.Errorf("starts %s", program)
	}
	understood(t, nil, strings.Fields(args)...)
	if limit, err := time.ParseDuration(settings["TimeoutStopSec"][0]); err != nil || limit < shutdown {
		t.Errorf("the daemon gets %q to end, and takes %v", settings["TimeoutStopSec"], shutdown)
	}
	for name, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "KillSignal": "SIGTERM", "Restart": "on-failure",
		"RestartPreventExitStatus": "2", "CapabilityBoundingSet": "",
	} {
		if got := settings[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	if settings["MemoryMax"] == nil || settings["EnvironmentFile"] == nil {
		t.Error("bounds no memory, or takes no environment")
	}
}

func TestWorkflow(t *testing.T) {
	text := projectFile(t, ".github/workflows/ci.yml")
	var file struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Strategy struct{ Matrix map[string][]string }
			Env      map[string]string
			Steps    []struct{ Uses, Run string }
		}
	}
	check(t, yaml.Unmarshal([]byte(text), &file))
	if strings.Contains(text, "secrets.") || len(file.Permissions) != 1 || file.Permissions["contents"] != "read" {
		t.Error("wants secrets, or may do more than read")
	}
	var scripts strings.Builder
	for name, job := range file.Jobs {
		for _, step := range job.Steps {
			scripts.WriteString(step.Run + "\n")
			if step.Uses != "" && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(step.Uses) {
				t.Errorf("%s: %s is not pinned", name, step.Uses)
			}
		}
	}
	if !strings.Contains(scripts.String(), "bash .ci/run") || !strings.Contains(scripts.String(), "enableTestCommands=1") {
		t.Error("runs no .ci/run, or servers without test commands")
	}
	mongo := file.Jobs["mongodb"]
	if !slices.Equal(mongo.Strategy.Matrix["mongo"], []string{"6", "7", "8"}) || mongo.Env["BOTWATCH_TEST_MONGODB_URI"] == "" {
		t.Errorf("tests against servers %v at %q", mongo.Strategy.Matrix, mongo.Env)
	}
	for _, folder := range regexp.MustCompile(`\./[a-z/]+/\.\.\.`).FindAllString(scripts.String(), -1) {
		if _, err := os.Stat(filepath.Join("..", strings.TrimSuffix(folder, "/..."))); err != nil {
			t.Error(err)
		}
	}
}

// TestDockerIgnore: the build gets every folder that the program is made of.
func TestDockerIgnore(t *testing.T) {
	ignore := strings.Fields(projectFile(t, ".dockerignore"))
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "botwatch/cmd/botwatch").Output()
	check(t, err)
	for path := range bytes.Lines(out) {
		folder, found := strings.CutPrefix(strings.TrimSpace(string(path)), "botwatch/")
		if top, _, _ := strings.Cut(folder, "/"); found && !slices.Contains(ignore, "!"+top) {
			t.Errorf("leaves out %s", folder)
		}
	}
}

// crawlerLines is the greatest length of examples/crawler.py, which is to be
// read at a glance.
const crawlerLines = 40

func TestCrawlerIsShort(t *testing.T) {
	if n := strings.Count(projectFile(t, "examples/crawler.py"), "\n"); n > crawlerLines {
		t.Errorf("examples/crawler.py has %d lines; want %d at most", n, crawlerLines)
	}
}
