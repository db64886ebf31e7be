package mongotest

import (
	"maps"
	"slices"
	"sync"
	"time"

	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/value"
)

// Rule is a fault that meets commands as they come. What is not set does
// nothing; what is, happens in the order of the fields.
type Rule struct {
	// App, Commands and Match choose commands: by the client's appName, by name,
	// by a function of its own, which must not call the server; each that is not
	// set chooses all.
	App      string
	Commands []string
	Match    func(Command) bool
	// Skip commands pass first. Then it acts Times times; without end for 0.
	Skip, Times int

	// Arrived is told of each command that it acts on. The channel must have room,
	// or a reader: the command waits.
	Arrived chan<- Command
	// Hold keeps a command back until the channel gives a value or is closed. It
	// is never done if its client goes meanwhile.
	Hold <-chan struct{}
	// Delay keeps it back for a time.
	Delay time.Duration
	// Cut ends the connection before the command is done.
	Cut bool
	// CutReply ends the connection after the command is done, instead of a reply.
	CutReply bool
}

// Command is a command that arrived.
type Command struct {
	Name string // "insert"
	DB   string
	Coll string // empty where it is about none
	App  string // the client's appName
}

// command gives what a rule sees of a call.
func (c *call) command() Command {
	cmd := Command{Name: c.name, App: c.conn.appName()}
	cmd.DB, _ = value.Text(value.Get(c.body, "$db"))
	field := c.name
	switch c.name {
	case "getMore":
		field = "collection"
	case "hello", "isMaster", "ismaster": // the first one says the name itself
		if client := value.Get(c.body, "client"); cmd.App == "" && value.IsDocument(client) {
			cmd.App = applicationName(value.Doc(client.Value))
		}
	}
	cmd.Coll, _ = value.Text(value.Get(c.body, field))
	return cmd
}

type rule struct {
	Rule
	skip, left int
}

type rules struct {
	mu  sync.Mutex
	all []*rule
}

// Inject adds a rule, which holds until remove is called.
func (s *Server) Inject(r Rule) (remove func()) {
	added := &rule{Rule: r, skip: r.Skip, left: r.Times}
	rs := &s.rules
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = append(slices.Clone(rs.all), added)
	return func() {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		rs.all = slices.DeleteFunc(slices.Clone(rs.all), func(x *rule) bool { return x == added })
	}
}

// taken gives the rules that act on a command, and counts that they do.
func (rs *rules) taken(cmd Command) []*rule {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var taken []*rule
	for _, r := range rs.all {
		switch {
		case r.App != "" && r.App != cmd.App:
		case len(r.Commands) > 0 && !slices.Contains(r.Commands, cmd.Name):
		case r.Match != nil && !r.Match(cmd):
		case r.skip > 0:
			r.skip--
		case r.Times > 0 && r.left == 0:
		default:
			r.left--
			taken = append(taken, r)
		}
	}
	return taken
}

// before does what rules say before a command; false cuts the connection.
func (rs *rules) before(c *call) bool {
	rs.mu.Lock()
	none := len(rs.all) == 0
	rs.mu.Unlock()
	if none {
		return true
	}
	cmd := c.command()
	for _, r := range rs.taken(cmd) {
		if r.Arrived != nil {
			select {
			case r.Arrived <- cmd:
			case <-c.ctx.Done():
				return false
			}
		}
		if r.Hold != nil {
			select {
			case <-r.Hold:
			case <-c.ctx.Done():
				return false
			}
		}
		if r.Delay > 0 && !sleep(c.ctx, r.Delay) {
			return false
		}
		if r.Cut {
			return false
		}
		c.cutReply = c.cutReply || r.CutReply
	}
	return true
}

// Cut ends the connections of a client, by its appName; all for "".
func (s *Server) Cut(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if app == "" || c.appName() == app {
			c.Close()
		}
	}
}

// counts are how often each command came.
type counts struct {
	mu sync.Mutex
	of map[string]int64
}

func (n *counts) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = map[string]int64{}
	}
	if _, known := handlers[name]; !known {
		name = "?" // of which there may be any number
	}
	n.of[name]++
}

// Count says how often a command came, by its name.
func (s *Server) Count(command string) int64 {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.of[command]
}

// Counts says how often each command came.
func (s *Server) Counts() map[string]int64 {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return maps.Clone(s.counts.of)
}

// Freeze lets replication stand still: what is written from now on reaches no
// majority until thaw is called. Writes that wait for one stall, and so do change
// streams; majority reads see what was committed before.
func (s *Server) Freeze() (thaw func()) {
	s.store.Freeze()
	return s.store.Thaw
}

// ShortenOplog drops the oplog but for its newest n entries, at least one.
func (s *Server) ShortenOplog(n int) { s.store.Shorten(n) }

// Backup is a copy of a server's data and oplog, as a snapshot of its files is.
type Backup struct{ backup *engine.Backup }

// Backup copies the data and the oplog.
func (s *Server) Backup() Backup { return Backup{s.store.Backup()} }

// Restore puts a backup in place of the data and the oplog, and sets the clock to
// its time. As with a real server, which must be stopped for it, connections end
// and cursors are gone.
func (s *Server) Restore(b Backup) {
	s.store.Restore(b.backup)
	s.cursors.clear()
	s.Cut("")
}

// SetClockBack sets the clock back, over an empty oplog and the same data.
// Connections end and cursors are gone.
func (s *Server) SetClockBack(by time.Duration) {
	s.store.SetBack(by)
	s.cursors.clear()
	s.Cut("")
}

// ReplaceCollection puts a collection with the same documents and another UUID in
// place of one, without an event: as where the name leads to another server.
// Connections end and cursors are gone. It is an error if there is no such
// collection.
func (s *Server) ReplaceCollection(db, coll string) error {
	if err := s.store.Replace(db, coll); err != nil {
		return err
	}
	s.cursors.clear()
	s.Cut("")
	return nil
}

// ExpireNow removes expired documents at once, as is else done every
// Options.TTLInterval, and says how many. A secondary removes none.
func (s *Server) ExpireNow() int {
	s.topology.writing.RLock()
	defer s.topology.writing.RUnlock()
	if !s.topology.primary() {
		return 0
	}
	return s.store.Expire()
}
