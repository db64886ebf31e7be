package scenarios

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
)

// observed is one event of a client, of a command or of a connection pool.
type observed struct {
	kind     string // as in files: "commandStartedEvent"
	command  string
	database string
	body     bson.Raw // the command, or the reply
}

// The kinds of events that are recorded.
const (
	commandStarted   = "commandStartedEvent"
	commandSucceeded = "commandSucceededEvent"
	commandFailed    = "commandFailedEvent"
)

// poolKinds are the events of connection pools by the driver's names.
var poolKinds = map[string]string{
	event.ConnectionPoolCreated:     "poolCreatedEvent",
	event.ConnectionPoolReady:       "poolReadyEvent",
	event.ConnectionPoolCleared:     "poolClearedEvent",
	event.ConnectionPoolClosed:      "poolClosedEvent",
	event.ConnectionCreated:         "connectionCreatedEvent",
	event.ConnectionReady:           "connectionReadyEvent",
	event.ConnectionClosed:          "connectionClosedEvent",
	event.ConnectionCheckOutStarted: "connectionCheckOutStartedEvent",
	event.ConnectionCheckOutFailed:  "connectionCheckOutFailedEvent",
	event.ConnectionCheckedOut:      "connectionCheckedOutEvent",
	event.ConnectionCheckedIn:       "connectionCheckedInEvent",
}

// sensitive are the commands of which nothing is recorded.
var sensitive = []string{"authenticate", "saslStart", "saslContinue", "getnonce", "createUser", "updateUser",
	"copydbgetnonce", "copydbsaslstart", "copydb", "configureFailPoint"}

// recorder keeps what a client's monitors see. It is safe for concurrent use.
type recorder struct {
	kinds  []string // those to be kept
	ignore []string // commands of which nothing is kept

	mu      sync.Mutex
	events  []observed
	stopped bool
}

// newRecorder keeps events of these kinds, except those of some commands.
func newRecorder(kinds, ignore []string) (*recorder, error) {
	for _, kind := range kinds {
		if !isCommandKind(kind) && !isPoolKind(kind) {
			return nil, fmt.Errorf("unknown kind of event %s", kind)
		}
	}
	return &recorder{kinds: kinds, ignore: append(slices.Clone(sensitive), ignore...)}, nil
}

func isCommandKind(kind string) bool {
	return kind == commandStarted || kind == commandSucceeded || kind == commandFailed
}

func isPoolKind(kind string) bool {
	for _, k := range poolKinds {
		if k == kind {
			return true
		}
	}
	return false
}

func (r *recorder) keep(o observed) {
	if !slices.Contains(r.kinds, o.kind) || slices.Contains(r.ignore, o.command) {
		return
	}
	o.body = slices.Clone(o.body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.events = append(r.events, o)
	}
}

// stop leaves out all that comes later.
func (r *recorder) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}

// seen gives the events up to now, of commands or of the pool.
func (r *recorder) seen(pool bool) []observed {
	r.mu.Lock()
	defer r.mu.Unlock()
	var seen []observed
	for _, o := range r.events {
		if isPoolKind(o.kind) == pool {
			seen = append(seen, o)
		}
	}
	return seen
}

func (r *recorder) commands() *event.CommandMonitor {
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			r.keep(observed{commandStarted, e.CommandName, e.DatabaseName, e.Command})
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			r.keep(observed{commandSucceeded, e.CommandName, e.DatabaseName, e.Reply})
		},
		Failed: func(_ context.Context, e *event.CommandFailedEvent) {
			r.keep(observed{commandFailed, e.CommandName, e.DatabaseName, nil})
		},
	}
}

func (r *recorder) pool() *event.PoolMonitor {
	return &event.PoolMonitor{Event: func(e *event.PoolEvent) { r.keep(observed{kind: poolKinds[e.Type]}) }}
}

// check compares the events of a client with those expected of it.
func (r *recorder) check(m matcher, expected EventsForClient) error {
	switch expected.Type {
	case "", "command", "cmap":
	default:
		return fmt.Errorf("events of type %s are not recorded", expected.Type)
	}
	seen := r.seen(expected.Type == "cmap")
	for i, e := range expected.Events {
		if i == len(seen) {
			return fmt.Errorf("event %d of %s is missing, expected %s; there were %s", i, expected.Client, e, list(seen))
		}
		if err := matchEvent(m, e, seen[i]); err != nil {
			return fmt.Errorf("event %d of %s (all: %s): %w", i, expected.Client, list(seen), err)
		}
	}
	if len(seen) > len(expected.Events) && !expected.IgnoreExtra {
		return fmt.Errorf("%s had %d events, expected %d: %s", expected.Client, len(seen), len(expected.Events), list(seen))
	}
	return nil
}

// matchEvent compares one event with the assertions of it.
func matchEvent(m matcher, expected bson.Raw, o observed) error {
	elements, err := expected.Elements()
	if err != nil {
		return err
	}
	if len(elements) != 1 {
		return fmt.Errorf("expected event %s has not exactly one key", expected)
	}
	if kind := elements[0].Key(); kind != o.kind {
		return fmt.Errorf("is a %s, expected a %s", o.kind, kind)
	}
	assertions, err := elements[0].Value().Document().Elements()
	if err != nil {
		return err
	}
	for _, a := range assertions {
		if err := matchProperty(m, a.Key(), a.Value(), o); err != nil {
			return fmt.Errorf("%s of %s: %w", a.Key(), o.command, err)
		}
	}
	return nil
}

func matchProperty(m matcher, name string, expected bson.RawValue, o observed) error {
	want, _ := expected.StringValueOK()
	switch {
	case name == "commandName" && isCommandKind(o.kind):
		if want != o.command {
			return fmt.Errorf("is %q, expected %s", o.command, expected)
		}
	case name == "databaseName" && isCommandKind(o.kind):
		if want != o.database {
			return fmt.Errorf("is %q, expected %s", o.database, expected)
		}
	case name == "command" && o.kind == commandStarted, name == "reply" && o.kind == commandSucceeded:
		return m.match(expected, document(o.body), true)
	default:
		return fmt.Errorf("unknown assertion of a %s", o.kind)
	}
	return nil
}

// list names events for a message.
func list(events []observed) string {
	text := ""
	for _, o := range events {
		if text != "" {
			text += ", "
		}
		switch {
		case o.kind == commandStarted:
			text += o.command
		case isCommandKind(o.kind):
			text += o.command + " " + o.kind
		default:
			text += o.kind
		}
	}
	return "[" + text + "]"
}
