package mongotest

import (
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/changes"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/project"
	"botwatch/integration/mongotest/internal/value"
)

// maxViews is how many views may stand on one another.
const maxViews = 20

// open opens what a query reads: a collection; or the oplog, or a view of a
// collection, of which the scan is nil. sorted says that the query's order is
// kept.
func (s *Server) open(c *call, coll string, q engine.Query, env *expr.Env) (source aggregate.Iterator, scan *engine.Scan, sorted bool, err error) {
	if c.db == "local" && coll == "oplog.rs" && !s.options.Standalone {
		source, sorted = s.oplog(q)
		return source, nil, sorted, nil
	}
	var stages []value.Doc
	base := coll
	for range maxViews {
		found := s.store.Collection(c.db, base)
		if found == nil || found.View == nil {
			break
		}
		base, stages = found.View.On, append(slices.Clone(found.View.Pipeline), stages...)
	}
	if base == coll {
		scan, err = s.store.Open(c.db, coll, q)
		if err != nil {
			return nil, nil, false, err
		}
		return scan, scan, scan.Sorted(), nil
	}
	pipeline, err := aggregate.Compile(stages, c.pipelineEnv(env))
	if err != nil {
		return nil, nil, false, err
	}
	under := engine.Query{Filter: pipeline.Leading(), Majority: q.Majority, Collated: q.Collated}
	if under.Filter == nil {
		if under.Filter, err = match.Compile(nil, env); err != nil {
			return nil, nil, false, err
		}
	}
	if scan, err = s.store.Open(c.db, base, under); err != nil {
		return nil, nil, false, err
	}
	return &filtered{pipeline.Run(scan), q.Filter}, nil, len(q.Sort) <= 5, nil
}

type filtered struct {
	aggregate.Iterator
	filter *match.Filter
}

func (f *filtered) Next() (value.Doc, bool, error) {
	for {
		doc, ok, err := f.Iterator.Next()
		if !ok || err != nil {
			return nil, false, err
		}
		if ok, err = f.filter.Match(doc); ok || err != nil {
			return doc, ok, err
		}
	}
}

// all gives all documents of a collection.
func (s *Server) all(c *call, coll string) (aggregate.Iterator, error) {
	everything, err := match.Compile(nil, nil)
	if err != nil {
		return nil, err
	}
	source, _, _, err := s.open(c, coll, engine.Query{Filter: everything, Majority: c.majority}, &expr.Env{})
	return source, err
}

// query reads the fields that say which documents a command means.
func (c *call) query(filter value.Doc, env *expr.Env) engine.Query {
	f, err := match.Compile(filter, env)
	c.fail(err)
	q := engine.Query{Filter: f, Hint: c.hint(value.Get(c.body, "hint")), Majority: c.majority, Collated: env.Collation != nil}
	return q
}

// hint checks a hint: a name or a key pattern.
func (c *call) hint(v value.Value) value.Value {
	switch v.Type {
	case 0, bson.TypeString:
		return v
	case bson.TypeEmbeddedDocument:
		if len(v.Value) <= 5 {
			return value.Value{}
		}
		return v
	}
	c.fail(fault.New(fault.FailedToParse, "Hint must be a string or an object"))
	return v
}

// find answers with documents.
func (s *Server) find(c *call) (value.Doc, error) {
	coll := c.coll()
	env := c.env()
	q := c.query(c.doc("filter"), env)
	q.Sort, q.Min, q.Max = c.doc("sort"), c.doc("min"), c.doc("max")
	skip, limit := c.natural("skip", 0), c.integer("limit", 0)
	batch := c.natural("batchSize", firstBatch)
	single := c.flag("singleBatch", false)
	if limit < 0 { // of clients before OP_MSG
		c.fail(fault.New(51024, "BSON field 'limit' value must be >= 0, actual value '%d'", limit))
	}
	for _, option := range []string{"tailable", "awaitData", "returnKey", "showRecordId", "oplogReplay"} {
		if c.flag(option, false) && !(option == "oplogReplay") {
			c.fail(fault.NotOffered("find with %s", option))
		}
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	projection, err := projection(c.doc("projection"), q.Filter, env)
	if err != nil {
		return nil, err
	}
	cur := &cursor{db: c.db, coll: coll, size: 0, forget: !c.flag("noCursorTimeout", false)}
	var sorted bool
	if cur.source, cur.scan, sorted, err = s.open(c, coll, q, env); err != nil {
		return nil, err
	}
	if !sorted {
		if cur.source, err = arrange(cur.source, q.Sort, skip, limit, c.pipelineEnv(env)); err != nil {
			return nil, err
		}
		skip = 0
	}
	if skip > 0 {
		cur.source = &skipped{cur.source, skip}
	}
	if projection != nil {
		cur.source = &projected{cur.source, projection}
	}
	if limit > 0 {
		cur.source = &limited{cur.source, limit}
	}
	return s.answer(c, cur, batch, single)
}

// arrange sorts a result, of which only the first skip + limit matter, and skips.
func arrange(source aggregate.Iterator, sort value.Doc, skip, limit int64, env *aggregate.Env) (aggregate.Iterator, error) {
	stages := []value.Doc{value.D("$sort", sort)}
	if limit > 0 {
		stages = append(stages, value.D("$limit", value.Int64(skip+limit)))
	}
	if skip > 0 {
		stages = append(stages, value.D("$skip", value.Int64(skip)))
	}
	p, err := aggregate.Compile(stages, env)
	if err != nil {
		return nil, err
	}
	return p.Run(source), nil
}

// skipped passes the first documents of a result over.
type skipped struct {
	aggregate.Iterator
	left int64
}

func (s *skipped) Next() (value.Doc, bool, error) {
	for s.left > 0 {
		if _, ok, err := s.Iterator.Next(); !ok || err != nil {
			return nil, false, err
		}
		s.left--
	}
	return s.Iterator.Next()
}

// projection compiles a projection; nil for none.
func projection(spec value.Doc, filter *match.Filter, env *expr.Env) (*project.Projection, error) {
	if len(spec) <= 5 {
		return nil, nil
	}
	return project.CompileFind(spec, filter, env)
}

type projected struct {
	aggregate.Iterator
	projection *project.Projection
}

func (p *projected) Next() (value.Doc, bool, error) {
	doc, ok, err := p.Iterator.Next()
	if !ok || err != nil {
		return nil, false, err
	}
	doc, err = p.projection.Apply(doc)
	return doc, err == nil, err
}

// count counts documents.
func (s *Server) count(c *call) (value.Doc, error) {
	coll := c.coll()
	env := c.env()
	q := c.query(c.doc("query"), env)
	skip, limit := c.natural("skip", 0), c.integer("limit", 0)
	if err := c.bad(); err != nil {
		return nil, err
	}
	scan, _, _, err := s.open(c, coll, q, env)
	if err != nil {
		return nil, err
	}
	limit = max(limit, -limit)
	n := int64(0)
	for limit == 0 || n < skip+limit {
		_, ok, err := scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		n++
	}
	return ok("n", value.Int(max(0, n-skip))), nil
}

// distinct gives the values of a field, each once.
func (s *Server) distinct(c *call) (value.Doc, error) {
	coll := c.coll()
	env := c.env()
	q := c.query(c.doc("query"), env)
	key := c.text("key")
	if key == "" {
		c.fail(fault.New(fault.MissingField, "BSON field 'distinct.key' is missing but a required field"))
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	scan, _, _, err := s.open(c, coll, q, env)
	if err != nil {
		return nil, err
	}
	var values []value.Value
	seen := map[string]bool{}
	for {
		doc, ok, err := scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		for _, v := range at(value.Document(doc), strings.Split(key, "."), nil) {
			if k := env.Collation.Key(v); !seen[k] {
				seen[k] = true
				values = append(values, v)
			}
		}
	}
	return ok("values", value.Array(values...)), nil
}

// at gives the values at a path, those of an array one by one.
func at(v value.Value, path []string, to []value.Value) []value.Value {
	if value.IsArray(v) {
		if len(path) > 0 {
			if _, err := strconv.Atoi(path[0]); err == nil {
				return at(value.Get(value.Doc(v.Value), path[0]), path[1:], to)
			}
		}
		for _, item := range value.Items(v) {
			if len(path) == 0 {
				to = append(to, item)
			} else if value.IsDocument(item) {
				to = at(item, path, to)
			}
		}
		return to
	}
	if len(path) == 0 {
		if !value.Missing(v) {
			to = append(to, v)
		}
		return to
	}
	if !value.IsDocument(v) {
		return to
	}
	return at(value.Get(value.Doc(v.Value), path[0]), path[1:], to)
}

// outputs says whether an aggregate writes its result.
func (s *Server) outputs(c *call) bool {
	stages := c.docs("pipeline")
	if len(stages) == 0 {
		return false
	}
	name := command(stages[len(stages)-1])
	return name == "$out" || name == "$merge"
}

// aggregate runs a pipeline, or opens a change stream.
func (s *Server) aggregate(c *call) (value.Doc, error) {
	target := value.Get(c.body, "aggregate")
	coll, named := value.Text(target)
	if n, ok := value.Integer(target); !named && (!ok || n != 1) {
		return nil, fault.New(fault.FailedToParse, "Invalid command format: the 'aggregate' field must specify a collection name or 1")
	}
	if named && coll == "" {
		c.coll()
	}
	if !named {
		coll = "$cmd.aggregate"
	}
	if c.flag("explain", false) {
		return nil, fault.NotOffered("explain")
	}
	options := c.doc("cursor")
	if err := c.bad(); err != nil {
		return nil, err
	}
	if options == nil {
		return nil, fault.New(fault.FailedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
	}
	batch := int64(firstBatch)
	if v := value.Get(options, "batchSize"); !value.Missing(v) {
		batch, _ = value.Integer(v)
	}
	env := c.env()
	stages := c.required("pipeline")
	if err := c.bad(); err != nil {
		return nil, err
	}
	cur := &cursor{db: c.db, coll: coll, forget: true}
	if len(stages) > 0 && command(stages[0]) == "$changeStream" {
		return s.changeStream(c, cur, stages, named, env, batch)
	}
	source, stages, err := s.sourceStage(c, cur, coll, named, stages)
	if err != nil {
		return nil, err
	}
	pipeline, err := aggregate.Compile(stages, c.pipelineEnv(env))
	if err != nil {
		return nil, err
	}
	if source == nil {
		if source, err = s.sourceOf(c, cur, coll, named, pipeline, env); err != nil {
			return nil, err
		}
	}
	cur.source = pipeline.Run(source)
	if out := pipeline.Output(); out != nil {
		if err := s.write(c, out, cur.source, env); err != nil {
			return nil, err
		}
		cur.source = aggregate.Docs()
		return s.answer(c, cur, batch, true)
	}
	return s.answer(c, cur, batch, false)
}

// sourceOf opens the collection that a pipeline reads.
func (s *Server) sourceOf(c *call, cur *cursor, coll string, named bool, p *aggregate.Pipeline, env *expr.Env) (aggregate.Iterator, error) {
	if !p.NeedsSource() {
		if named {
			return nil, fault.New(fault.InvalidNamespace, "$documents is not allowed to run on a collection")
		}
		return aggregate.Docs(), nil
	}
	if !named {
		return nil, fault.New(fault.InvalidNamespace, "{aggregate: 1} is not valid for this pipeline; a collection is required")
	}
	q := c.query(nil, env)
	if leading := p.Leading(); leading != nil {
		q.Filter = leading
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	source, scan, _, err := s.open(c, coll, q, env)
	cur.scan = scan
	return source, err
}

// sourceStage answers the first stages that the server itself does.
func (s *Server) sourceStage(c *call, cur *cursor, coll string, named bool, stages []value.Doc) (aggregate.Iterator, []value.Doc, error) {
	if len(stages) == 0 {
		return nil, stages, nil
	}
	switch command(stages[0]) {
	case "$listLocalSessions":
		if named {
			return nil, nil, fault.New(fault.InvalidNamespace, "$listLocalSessions must be run against the database with {aggregate: 1}")
		}
		return aggregate.Docs(s.sessions.list()...), stages[1:], nil
	case "$collStats":
		spec := value.Get(stages[0], "$collStats")
		for name := range value.Elements(value.Doc(spec.Value)) {
			if name != "count" {
				return nil, nil, fault.NotOffered("$collStats with %s", name)
			}
		}
		found := s.store.Collection(c.db, coll)
		if found == nil {
			return nil, nil, fault.New(fault.NamespaceNotFound, "Unable to retrieve count in $collStats: Collection [%s.%s] not found.", c.db, coll)
		}
		stats := value.D("ns", c.db+"."+coll, "localTime", s.store.Now(), "count", value.Int(s.store.Stats(found).Count))
		return aggregate.Docs(stats), stages[1:], nil
	}
	return nil, stages, nil
}

// changeStream opens a change stream.
func (s *Server) changeStream(c *call, cur *cursor, stages []value.Doc, named bool, env *expr.Env, batch int64) (value.Doc, error) {
	if s.options.Standalone {
		return nil, fault.New(fault.ChangeStreamsNeedReplicaSet, "The $changeStream stage is only supported on replica sets")
	}
	spec := value.Get(stages[0], "$changeStream")
	if !value.IsDocument(spec) {
		return nil, fault.New(50808, "$changeStream stage expects a document as argument")
	}
	if level, ok := value.Text(value.Get(c.doc("readConcern"), "level")); ok && level != "majority" {
		return nil, fault.New(fault.InvalidOptions, "$changeStream cannot run with a readConcern other than 'majority'")
	}
	scope := changes.Scope{DB: c.db}
	if named {
		scope.Coll = cur.coll
	}
	cluster := value.Truthy(value.Get(value.Doc(spec.Value), "allChangesForCluster"))
	switch {
	case cluster && (c.db != "admin" || named):
	case cluster:
		scope = changes.Scope{}
	case c.db == "admin" || c.db == "config" || c.db == "local":
		return nil, fault.New(fault.InvalidNamespace, "$changeStream may not be opened on the internal %s database", c.db)
	}
	c.majority = true
	var err error
	cur.stream, err = changes.Open(s.store, scope, value.Doc(spec.Value), stages[1:], changes.Version(s.version.major), c.pipelineEnv(env))
	if err != nil {
		return nil, err
	}
	cur.source = cur.stream
	return s.answer(c, cur, batch, false)
}

// streams says that the command is one of a change stream: a getMore only when
// it has the cursor.
func (c *call) streams() bool {
	switch c.name {
	case "getMore":
		return c.streaming
	case "aggregate":
		v := value.Get(c.body, "pipeline")
		if !value.IsArray(v) {
			return false
		}
		for _, stage := range value.Elements(value.Doc(v.Value)) {
			return value.IsDocument(stage) && command(value.Doc(stage.Value)) == "$changeStream"
		}
	}
	return false
}
