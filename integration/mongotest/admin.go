package mongotest

import (
	"math"
	"os"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/scram"
	"botwatch/integration/mongotest/internal/value"
)

func (s *Server) ping(*call) (value.Doc, error) { return ok(), nil }

func (s *Server) buildInfo(*call) (value.Doc, error) {
	parts := strings.Split(s.version.text, ".")
	numbers := make([]value.Value, 0, 4)
	for _, p := range append(parts, "0") {
		n := int64(0)
		for _, digit := range p {
			n = n*10 + int64(digit-'0')
		}
		numbers = append(numbers, value.Int(n))
	}
	return ok("version", s.version.text, "gitVersion", "mongotest", "modules", value.Array(),
		"versionArray", value.Array(numbers...), "bits", 64, "debug", false, "maxBsonObjectSize", 16<<20,
		"storageEngines", []string{"mongotest"}), nil
}

// negotiateAuth answers what a hello asks about authentication.
func (s *Server) negotiateAuth(c *call, b *value.Builder) error {
	if s.auth == nil {
		return nil
	}
	if user := c.text("saslSupportedMechs"); user != "" {
		mechanisms, err := s.auth.Mechanisms(user)
		if err != nil {
			return err
		}
		if mechanisms != nil {
			b.Append("saslSupportedMechs", value.Of(mechanisms))
		}
	}
	if spec := c.doc("speculativeAuthenticate"); spec != nil {
		db, _ := value.Text(value.Get(spec, "db"))
		conversation, reply, err := s.auth.SASLStart(spec, db)
		if err == nil {
			c.conn.conversation = conversation
			b.Append("speculativeAuthenticate", value.Document(reply))
		}
	}
	return c.bad()
}

func (s *Server) saslStart(c *call) (value.Doc, error) {
	if s.auth == nil {
		return nil, fault.New(fault.AuthenticationFailed, "Authentication failed.")
	}
	conversation, reply, err := s.auth.SASLStart(c.body, c.db)
	if err != nil {
		return nil, err
	}
	c.conn.conversation = conversation
	return reply, nil
}

func (s *Server) saslContinue(c *call) (value.Doc, error) {
	conversation := c.conn.conversation
	if conversation == nil {
		return nil, fault.New(fault.ProtocolError, "No SASL session state found")
	}
	reply, err := conversation.SASLContinue(c.body)
	if err != nil {
		c.conn.conversation = nil
		return nil, err
	}
	if conversation.Done() {
		c.conn.user, c.conn.conversation = conversation.User(), nil
	}
	return reply, nil
}

func (s *Server) logout(c *call) (value.Doc, error) {
	c.conn.user = ""
	return ok(), nil
}

func (s *Server) connectionStatus(c *call) (value.Doc, error) {
	users, roles := []value.Doc{}, []value.Doc{}
	if c.conn.user != "" {
		users = append(users, value.D("user", c.conn.user, "db", scram.Database))
		roles = append(roles, value.D("role", "root", "db", scram.Database))
	}
	info := value.NewBuilder(nil)
	info.Append("authenticatedUsers", value.Of(users)).Append("authenticatedUserRoles", value.Of(roles))
	if c.flag("showPrivileges", false) {
		return nil, fault.NotOffered("connectionStatus with showPrivileges")
	}
	return ok("authInfo", info.Doc()), nil
}

func (s *Server) startSession(c *call) (value.Doc, error) {
	var id engine.UUID
	oid := bson.NewObjectID()
	copy(id[:], oid[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return ok("id", value.D("id", id.Value()), "timeoutMinutes", 30), nil
}

func (s *Server) refreshSessions(c *call) (value.Doc, error) {
	for _, lsid := range c.docs("refreshSessions") {
		s.sessions.get(value.Get(lsid, "id"))
	}
	return ok(), nil
}

func (s *Server) endSessions(c *call) (value.Doc, error) {
	for _, lsid := range c.docs(c.name) {
		id := value.Get(lsid, "id")
		s.sessions.end(id)
		s.cursors.killSession(value.Key(id))
	}
	return ok(), nil
}

func (s *Server) killAllSessions(*call) (value.Doc, error) {
	s.sessions.clear()
	return ok(), nil
}

func (s *Server) collStats(c *call) (value.Doc, error) {
	coll := c.coll()
	scale := c.natural("scale", 1)
	if err := c.bad(); err != nil {
		return nil, err
	}
	if scale == 0 {
		return nil, fault.New(51024, "BSON field 'scale' value must be >= 1, actual value '0'")
	}
	if c.db == "local" && coll == "oplog.rs" && !s.options.Standalone {
		_, _, bytes, limit := s.store.Span()
		return ok("ns", "local.oplog.rs", "size", value.Int(bytes/scale), "storageSize", value.Int(bytes/scale),
			"capped", true, "maxSize", value.Int(limit/scale), "scaleFactor", value.Int(scale)), nil
	}
	found := s.store.Collection(c.db, coll)
	b := value.NewBuilder(nil)
	b.Append("ns", value.String(c.db+"."+coll))
	var stats engine.Stats
	if found != nil {
		stats = s.store.Stats(found)
	}
	b.Append("size", value.Int(stats.Bytes/scale)).Append("count", value.Int(stats.Count))
	if stats.Count > 0 {
		b.Append("avgObjSize", value.Int(stats.Bytes/stats.Count))
	}
	b.Append("storageSize", value.Int(stats.Bytes/scale)).Append("capped", value.Bool(stats.Capped))
	b.Append("nindexes", value.Int(int64(stats.Indexes))).Append("scaleFactor", value.Int(scale))
	return b.Doc(), nil
}

func (s *Server) dbStats(c *call) (value.Doc, error) {
	scale := max(1, c.natural("scale", 1))
	var total engine.Stats
	all := s.store.Collections(c.db)
	for _, coll := range all {
		stats := s.store.Stats(coll)
		total.Count += stats.Count
		total.Bytes += stats.Bytes
		total.Indexes += stats.Indexes
	}
	return ok("db", c.db, "collections", len(all), "objects", value.Int(total.Count), "dataSize", value.Int(total.Bytes/scale),
		"storageSize", value.Int(total.Bytes/scale), "indexes", total.Indexes, "scaleFactor", value.Int(scale)), nil
}

func (s *Server) serverStatus(*call) (value.Doc, error) {
	s.mu.Lock()
	current := len(s.conns)
	s.mu.Unlock()
	uptime := time.Since(s.began)
	b := value.NewBuilder(nil)
	b.Append("host", value.String(s.addr)).Append("version", value.String(s.version.text))
	b.Append("process", value.String("mongotest")).Append("pid", value.Int64(int64(os.Getpid())))
	b.Append("uptime", value.Double(uptime.Seconds())).Append("uptimeMillis", value.Int64(uptime.Milliseconds()))
	b.Append("localTime", value.Time(s.store.Now()))
	b.Append("connections", value.Of(value.D("current", current, "available", 1_000_000, "totalCreated", value.Int64(s.total.Load()))))
	n := s.Counts()
	b.Append("opcounters", value.Of(value.D("insert", value.Int64(n["insert"]), "query", value.Int64(n["find"]),
		"update", value.Int64(n["update"]), "delete", value.Int64(n["delete"]), "getmore", value.Int64(n["getMore"]))))
	b.Append("storageEngine", value.Of(value.D("name", "mongotest", "persistent", false)))
	if !s.options.Standalone {
		down, term, _, _ := s.topology.state()
		repl := value.NewBuilder(nil)
		s.member(repl, down, term)
		b.Append("repl", value.Document(repl.Doc()))
	}
	return b.Doc(), nil
}

func (s *Server) replSetGetStatus(*call) (value.Doc, error) {
	if s.options.Standalone {
		return nil, fault.New(fault.NoReplicationEnabled, "not running with --replSet")
	}
	down, term, _, _ := s.topology.state()
	state, text := 1, "PRIMARY"
	if down {
		state, text = 2, "SECONDARY"
	}
	applied, committed := s.store.Applied(), s.store.Committed()
	opTime := func(t bson.Timestamp) value.Doc { return value.D("ts", t, "t", value.Int64(term)) }
	member := value.D("_id", 0, "name", s.addr, "health", 1.0, "state", state, "stateStr", text,
		"optime", opTime(applied), "self", true)
	return ok("set", s.options.ReplicaSet, "date", s.store.Now(), "myState", state, "term", value.Int64(term),
		"majorityVoteCount", 1, "optimes", value.D("lastCommittedOpTime", opTime(committed), "appliedOpTime", opTime(applied)),
		"members", []value.Doc{member}), nil
}

// replSetStepDown makes the server a secondary for so many seconds. It must be
// forced: there is no other member that could catch up, and so be elected. (A
// real server waits for one before it says so.)
func (s *Server) replSetStepDown(c *call) (value.Doc, error) {
	if s.options.Standalone {
		return nil, fault.New(fault.NoReplicationEnabled, "not running with --replSet")
	}
	seconds, force := c.integer("replSetStepDown", 60), c.flag("force", false)
	wait := int64(10)
	if force {
		wait = 0
	}
	wait = c.natural("secondaryCatchUpPeriodSecs", wait)
	if err := c.bad(); err != nil {
		return nil, err
	}
	switch {
	case seconds <= 0 || seconds > math.MaxInt32:
		return nil, fault.New(fault.BadValue, "stepdown period must be a positive integer")
	case wait >= seconds:
		return nil, fault.New(fault.BadValue, "stepdown period must be longer than secondaryCatchUpPeriodSecs")
	case !s.topology.primary():
		return nil, fault.New(fault.NotWritablePrimary, "not primary so can't step down")
	case !force:
		return nil, fault.New(fault.ExceededTimeLimit, "No electable secondaries caught up. Please use the replSetStepDown command with the argument {force: true} to force node to step down.")
	}
	s.stepDownFor(time.Duration(seconds) * time.Second)
	return ok(), nil
}

// replSetResizeOplog bounds the oplog anew; as tests need it, below the 990 MB
// that real servers ask for.
func (s *Server) replSetResizeOplog(c *call) (value.Doc, error) {
	if s.options.Standalone {
		return nil, fault.New(fault.NoReplicationEnabled, "not running with --replSet")
	}
	size, okSize := value.Float(value.Get(c.body, "size"))
	if c.has("minRetentionHours") {
		return nil, fault.NotOffered("minRetentionHours")
	}
	if !okSize || size <= 0 {
		return nil, fault.New(fault.BadValue, "BSON field 'size' must be a positive number of MB")
	}
	s.store.Resize(int64(size * (1 << 20)))
	return ok(), nil
}

func (s *Server) getParameter(c *call) (value.Doc, error) {
	b := value.NewBuilder(nil)
	found := false
	all := value.IsDocument(value.Get(c.body, c.name))
	if text, _ := value.Text(value.Get(c.body, c.name)); text == "*" {
		all = true
	}
	if all || !value.Missing(value.Get(c.body, "featureCompatibilityVersion")) {
		b.Append("featureCompatibilityVersion", value.Of(value.D("version", s.version.fcv)))
		found = true
	}
	if all || !value.Missing(value.Get(c.body, "authenticationMechanisms")) {
		b.Append("authenticationMechanisms", value.Of([]string{scram.Mechanism}))
		found = true
	}
	if !found {
		return nil, fault.New(fault.InvalidOptions, "no option found to get")
	}
	return b.Doc(), nil
}

// oplog gives the oplog as the collection local.oplog.rs, the newest first where
// the sort or the hint say $natural: -1.
func (s *Server) oplog(q engine.Query) (source aggregate.Iterator, sorted bool) {
	natural := int64(1)
	sorted = len(q.Sort) <= 5
	if n, ok := value.Integer(value.Get(q.Sort, "$natural")); ok {
		natural, sorted = n, true
	}
	if value.IsDocument(q.Hint) {
		if n, ok := value.Integer(value.Get(value.Doc(q.Hint.Value), "$natural")); ok {
			natural = n
		}
	}
	first, end := s.store.Bounds()
	o := &oplog{server: s, filter: q.Filter, at: first, end: end}
	if natural < 0 {
		o.back, o.at = true, end
	}
	return o, sorted
}

type oplog struct {
	server  *Server
	filter  *match.Filter
	at, end uint64
	back    bool
}

func (o *oplog) Next() (value.Doc, bool, error) {
	for {
		if o.back {
			if o.at--; o.at+1 == 0 {
				return nil, false, nil
			}
		}
		if o.at >= o.end {
			return nil, false, nil
		}
		doc, ok := o.server.store.EntryDoc(o.at)
		if !ok { // it has left the oplog meanwhile
			return nil, false, nil
		}
		if !o.back {
			o.at++
		}
		if keep, err := o.filter.Match(doc); err != nil {
			return nil, false, err
		} else if keep {
			return doc, true, nil
		}
	}
}
