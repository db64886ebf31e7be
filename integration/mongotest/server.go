// Package mongotest is a MongoDB server for tests: in memory, in this process or
// one of its own, with faults on demand. It behaves as published; what it does
// not offer, it says so. README.md beside it lists both.
package mongotest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/scram"
	"botwatch/integration/mongotest/internal/value"
)

// Options say what kind of server it is. The zero value is a replica set of one
// member, of the newest version that is offered, on a free port of 127.0.0.1.
type Options struct {
	// Addr is where the server listens; "127.0.0.1:0" by default.
	Addr string
	// ReplicaSet is the set's name; "rs0" by default.
	ReplicaSet string
	// Standalone makes a server that is in no replica set, and so has no change
	// streams, no sessions of retryable writes and no cluster time.
	Standalone bool
	// Version is "6.0", "7.0" or "8.0"; the last by default.
	Version string
	// OplogMB bounds the oplog in MiB; 1,024 by default.
	OplogMB int
	// User and Password, where they are set, must be given by clients
	// (SCRAM-SHA-256, database admin).
	User, Password string
	// TTLInterval is the time between two removals of expired documents; 60 s by
	// default.
	TTLInterval time.Duration
}

// TB is what Start needs of a test.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	options  Options
	version  version
	store    *engine.Store
	listener net.Listener
	addr     string
	began    time.Time
	auth     *scram.Server // nil for none

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	topology   topology
	sessions   sessions
	cursors    cursors
	failPoints failPoints
	rules      rules
	counts     counts

	mu    sync.Mutex
	conns map[*conn]struct{}
	total atomic.Int64 // connections ever accepted
}

// Start starts a server that ends with the test.
func Start(t TB, o Options) *Server {
	t.Helper()
	s, err := Listen(o)
	if err != nil {
		t.Fatalf("start mongotest: %v", err)
		return nil
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Listen starts a server. The error says which option is wrong, or that the
// address cannot be listened on.
func Listen(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.ReplicaSet == "" {
		o.ReplicaSet = "rs0"
	}
	if o.Version == "" {
		o.Version = "8.0"
	}
	if o.TTLInterval == 0 {
		o.TTLInterval = time.Minute
	}
	v, ok := versions[o.Version]
	if !ok {
		return nil, fmt.Errorf("version %q is none of 6.0, 7.0, 8.0", o.Version)
	}
	if o.OplogMB < 0 {
		return nil, fmt.Errorf("an oplog of %d MiB", o.OplogMB)
	}
	if o.TTLInterval < 0 {
		return nil, fmt.Errorf("a TTL interval of %v", o.TTLInterval)
	}
	if (o.User == "") != (o.Password == "") {
		return nil, errors.New("a user goes with a password")
	}
	s := &Server{options: o, version: v, began: time.Now(), conns: map[*conn]struct{}{}}
	s.store = engine.New(engine.Options{Log: !o.Standalone, LogBytes: int64(o.OplogMB) << 20})
	if o.User != "" {
		auth, err := scram.New(o.User, o.Password)
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		s.auth = auth
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.listener, s.addr = listener, listener.Addr().String()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.topology.init()
	s.cursors.init()
	s.failPoints.active, s.failPoints.count = map[string]*failPoint{}, map[string]int64{}
	s.work.Add(2)
	go s.accept()
	go s.tend()
	return s, nil
}

// Addr gives the address that the server listens on, "127.0.0.1:40123".
func (s *Server) Addr() string { return s.addr }

// URI gives the connection string, with user and password where there are.
func (s *Server) URI() string {
	login, query := "", "/?directConnection=true"
	if s.options.User != "" {
		login = url.UserPassword(s.options.User, s.options.Password).String() + "@"
	}
	if !s.options.Standalone {
		query = "/?replicaSet=" + url.QueryEscape(s.options.ReplicaSet)
	}
	return "mongodb://" + login + s.addr + query
}

// Close ends the server: its connections, and all that it does. It returns when
// nothing of it runs any more.
func (s *Server) Close() {
	s.stop()
	s.topology.stop()
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

func (s *Server) accept() {
	defer s.work.Done()
	for {
		nc, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if !sleep(s.ctx, 10*time.Millisecond) { // too many files, perhaps
				return
			}
			continue
		}
		c := newConn(s, nc)
		s.mu.Lock()
		if s.ctx.Err() != nil {
			s.mu.Unlock()
			nc.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.work.Add(1)
		s.mu.Unlock()
		go func() {
			defer s.work.Done()
			c.serve()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

// tend does what a server does by itself: an entry in the oplog every ten
// seconds of idleness, expired documents, cursors and sessions nobody uses.
func (s *Server) tend() {
	defer s.work.Done()
	noop := time.NewTicker(10 * time.Second)
	defer noop.Stop()
	ttl := time.NewTicker(s.options.TTLInterval)
	defer ttl.Stop()
	var last bson.Timestamp
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-noop.C:
			if now := s.store.Applied(); now != last {
				last = now
			} else if s.topology.primary() {
				s.store.Noop()
				last = s.store.Applied()
			}
			s.cursors.reap(time.Now())
			s.sessions.reap(time.Now())
		case <-ttl.C:
			s.ExpireNow()
		}
	}
}

// version is what a server says of itself.
type version struct {
	text  string
	major int
	wire  int32
	fcv   string
}

var versions = map[string]version{
	"6.0": {"6.0.19", 600, 17, "6.0"},
	"7.0": {"7.0.15", 700, 21, "7.0"},
	"8.0": {"8.0.4", 800, 25, "8.0"},
}

// ok makes a reply of names and values.
func ok(pairs ...any) value.Doc { return value.D(pairs...) }

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
