package mongotest

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// maxStatements is how many statements a batch has at most, as hello says.
const maxStatements = 100_000

// outcome is what one statement of a batch did.
type outcome struct {
	n, modified int64
	upserted    value.Value
	err         *fault.Error
}

func (o outcome) doc() value.Doc {
	return value.D("n", value.Int64(o.n), "m", value.Int64(o.modified), "u", value.Array(present(o.upserted)...))
}

func present(v value.Value) []value.Value {
	if value.Missing(v) {
		return nil
	}
	return []value.Value{v}
}

func recalled(d value.Doc) outcome {
	var o outcome
	o.n, _ = value.Integer(value.Get(d, "n"))
	o.modified, _ = value.Integer(value.Get(d, "m"))
	for _, v := range value.Items(value.Get(d, "u")) {
		o.upserted = v
	}
	return o
}

// batch does statements one after the other: all, or up to the first that fails
// where they are ordered. One that came before is not done again.
func (s *Server) batch(c *call, n int, ordered bool, do func(i int) outcome) ([]outcome, error) {
	if err := c.bad(); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fault.New(fault.InvalidLength, "Write batch sizes must be between 1 and %d. Got 0 operations.", maxStatements)
	}
	if n > maxStatements {
		return nil, fault.New(fault.InvalidLength, "Write batch sizes must be between 1 and %d. Got %d operations.", maxStatements, n)
	}
	release, err := c.statements()
	if err != nil {
		return nil, err
	}
	defer release()
	outcomes := make([]outcome, 0, n)
	inserted := false
	for i := range n {
		if d := c.before(i); d != nil {
			outcomes = append(outcomes, recalled(d))
			continue
		}
		if errors.Is(c.ctx.Err(), context.DeadlineExceeded) {
			return nil, c.ctx.Err()
		}
		var o outcome
		if c.txn >= 0 && (c.name != "insert" || !inserted) { // documents are inserted all at once
			inserted = true
			o = outcomeOf(0, 0, s.failPoints.statement(c))
		}
		if o.err == nil {
			o = do(i)
		}
		if o.err == nil && c.txn >= 0 {
			c.after(i, o.doc())
		}
		outcomes = append(outcomes, o)
		if o.err != nil && ordered {
			break
		}
	}
	return outcomes, nil
}

// written makes the reply of a batch.
func written(outcomes []outcome, updates bool) value.Doc {
	var n, modified int64
	failures := value.NewBuilder(nil)
	upserts := value.NewBuilder(nil)
	failed, upserted := 0, 0
	for i, o := range outcomes {
		n += o.n
		modified += o.modified
		if !value.Missing(o.upserted) {
			upserts.Append(value.Index(upserted), value.Of(value.D("index", i, "_id", o.upserted)))
			upserted++
		}
		if o.err == nil {
			continue
		}
		failures.Append(value.Index(failed), value.Document(writeError(i, o.err)))
		failed++
	}
	b := value.NewBuilder(nil)
	b.Append("n", value.Int(n))
	if updates {
		b.Append("nModified", value.Int(modified))
		if upserted > 0 {
			b.Append("upserted", value.Value{Type: bson.TypeArray, Value: upserts.Doc()})
		}
	}
	if failed > 0 {
		b.Append("writeErrors", value.Value{Type: bson.TypeArray, Value: failures.Doc()})
	}
	return b.Doc()
}

func writeError(i int, e *fault.Error) value.Doc {
	b := value.NewBuilder(nil)
	b.Append("index", value.Int(int64(i)))
	b.Append("code", value.Int32(int32(e.Code)))
	for name, v := range value.Elements(e.Extra) {
		b.Append(name, v)
	}
	b.Append("errmsg", value.String(e.Message))
	return b.Doc()
}

func outcomeOf(n, modified int64, err error) outcome {
	if err != nil {
		return outcome{n: n, modified: modified, err: fault.Of(err)}
	}
	return outcome{n: n, modified: modified}
}

// insert inserts documents.
func (s *Server) insert(c *call) (value.Doc, error) {
	coll := c.coll()
	docs := c.required("documents")
	unchecked := c.flag("bypassDocumentValidation", false)
	outcomes, err := s.batch(c, len(docs), c.flag("ordered", true), func(i int) outcome {
		return outcomeOf(1, 0, s.store.Insert(c.db, coll, docs[i], unchecked)).unlessFailed()
	})
	if err != nil {
		return nil, err
	}
	return written(outcomes, false), nil
}

func (o outcome) unlessFailed() outcome {
	if o.err != nil {
		o.n, o.modified = 0, 0
	}
	return o
}

var (
	updateFields = set("q", "u", "c", "upsert", "multi", "collation", "arrayFilters", "hint", "upsertSupplied", "sort")
	deleteFields = set("q", "limit", "collation", "hint")
)

// modification is an update of a batch, as it came.
type modification struct {
	filter, sort  value.Doc
	change        value.Value
	constants     value.Doc
	arrayFilters  []value.Doc
	upsert, multi bool
	hint          value.Value
	collation     value.Doc
}

// update updates documents.
func (s *Server) update(c *call) (value.Doc, error) {
	coll := c.coll()
	updates := c.required("updates")
	unchecked := c.flag("bypassDocumentValidation", false)
	env := c.env()
	parsed := make([]modification, len(updates))
	for i, d := range updates {
		var err error
		if parsed[i], err = c.modification("updates", d, updateFields, "q", "u", "c"); err != nil {
			return nil, err
		}
	}
	outcomes, err := s.batch(c, len(updates), c.flag("ordered", true), func(i int) outcome {
		return s.modify(c, coll, c.db, parsed[i], env, unchecked)
	})
	if err != nil {
		return nil, err
	}
	return written(outcomes, true), nil
}

// modification reads an update: the names of its filter, change and constants
// differ between the commands.
func (c *call) modification(list string, d value.Doc, fields map[string]bool, filter, change, constants string) (modification, error) {
	var m modification
	for name, v := range value.Elements(d) {
		if !fields[name] {
			return m, fault.New(fault.UnknownField, "BSON field '%s.%s.%s' is an unknown field.", c.name, list, name)
		}
		switch name {
		case filter, "sort", "collation", constants:
			if !value.IsDocument(v) {
				if value.Nullish(v) {
					continue
				}
				return m, fault.New(fault.TypeMismatch, "BSON field '%s.%s.%s' is the wrong type '%s', expected type 'object'", c.name, list, name, value.TypeName(v.Type))
			}
			switch doc := value.Doc(v.Value); name {
			case filter:
				m.filter = doc
			case "sort":
				if c.version.major < 800 {
					return m, fault.New(fault.UnknownField, "BSON field '%s.%s.sort' is an unknown field.", c.name, list)
				}
				m.sort = doc
			case "collation":
				m.collation = doc
			case constants:
				m.constants = doc
			}
		case change:
			m.change = v
		case "arrayFilters":
			for _, item := range value.Items(v) {
				if !value.IsDocument(item) {
					return m, fault.New(fault.TypeMismatch, "BSON field '%s.%s.arrayFilters' must have objects", c.name, list)
				}
				m.arrayFilters = append(m.arrayFilters, value.Doc(item.Value))
			}
			if m.arrayFilters == nil {
				m.arrayFilters = []value.Doc{}
			}
		case "upsert":
			m.upsert = c.bool(list+".upsert", v)
		case "multi":
			m.multi = c.bool(list+".multi", v)
		case "hint":
			m.hint = c.hint(v)
		}
	}
	switch {
	case m.filter == nil:
		return m, fault.New(fault.MissingField, "BSON field '%s.%s.%s' is missing but a required field", c.name, list, filter)
	case value.Missing(m.change):
		return m, fault.New(fault.MissingField, "BSON field '%s.%s.%s' is missing but a required field", c.name, list, change)
	case m.multi && m.sort != nil:
		return m, fault.New(fault.FailedToParse, "Cannot specify sort with multi=true")
	}
	return m, c.bad()
}

// modify does one update.
func (s *Server) modify(c *call, coll, db string, m modification, env *expr.Env, unchecked bool) outcome {
	if c.txn >= 0 && m.multi {
		return outcomeOf(0, 0, fault.New(fault.InvalidOptions, "Cannot use retryable writes with multi-document updates"))
	}
	u, err := s.updating(m, env)
	if err != nil {
		return outcomeOf(0, 0, err)
	}
	u.Unchecked = unchecked
	done, err := s.store.Update(db, coll, u)
	if err != nil { // what it did before counts for nothing
		return outcomeOf(0, 0, err)
	}
	o := outcomeOf(done.Matched, done.Modified, nil)
	if !value.Missing(done.Upserted) {
		o.n, o.upserted = 1, done.Upserted
	}
	return o
}

// updating compiles an update.
func (s *Server) updating(m modification, env *expr.Env) (engine.Updating, error) {
	inner := *env
	if m.collation != nil {
		parsed, err := collation.Parse(m.collation)
		if err != nil {
			return engine.Updating{}, err
		}
		inner.Collation = parsed
	}
	if m.constants != nil {
		inner.Let = map[string]value.Value{}
		for name, v := range env.Let {
			inner.Let[name] = v
		}
		for name, v := range value.Elements(m.constants) {
			inner.Let[name] = v
		}
	}
	f, err := match.Compile(m.filter, &inner)
	if err != nil {
		return engine.Updating{}, err
	}
	u, err := update.Compile(m.change, m.arrayFilters, &inner)
	if err != nil {
		return engine.Updating{}, err
	}
	if m.multi && u.IsReplacement() {
		return engine.Updating{}, fault.New(fault.FailedToParse, "multi update is not supported for replacement-style update")
	}
	q := engine.Query{Filter: f, Sort: m.sort, Hint: m.hint, Collated: inner.Collation != nil}
	up := engine.Updating{Query: q, Update: u, Multi: m.multi, Upsert: m.upsert}
	if m.sort != nil {
		if up.Order, err = aggregate.CompileOrder(m.sort, inner.Collation); err != nil {
			return up, err
		}
	}
	return up, nil
}

// delete deletes documents.
func (s *Server) delete(c *call) (value.Doc, error) {
	coll := c.coll()
	deletes := c.required("deletes")
	env := c.env()
	parsed := make([]removal, len(deletes))
	for i, d := range deletes {
		var err error
		if parsed[i], err = c.removal("deletes", d, deleteFields, "q"); err != nil {
			return nil, err
		}
	}
	outcomes, err := s.batch(c, len(deletes), c.flag("ordered", true), func(i int) outcome {
		return s.remove(c, coll, c.db, parsed[i], env)
	})
	if err != nil {
		return nil, err
	}
	return written(outcomes, false), nil
}

// removal is a deletion of a batch, as it came.
type removal struct {
	filter    value.Doc
	one       bool
	hint      value.Value
	collation value.Doc
}

func (c *call) removal(list string, d value.Doc, fields map[string]bool, filter string) (removal, error) {
	r := removal{one: fields["multi"]}
	for name, v := range value.Elements(d) {
		switch {
		case !fields[name]:
			return r, fault.New(fault.UnknownField, "BSON field '%s.%s.%s' is an unknown field.", c.name, list, name)
		case (name == filter || name == "collation") && !value.IsDocument(v):
			c.typed(list+"."+name, v, "object")
			return r, c.bad()
		case name == filter:
			r.filter = value.Doc(v.Value)
		case name == "collation":
			r.collation = value.Doc(v.Value)
		case name == "hint":
			r.hint = c.hint(v)
		case name == "multi":
			r.one = !c.bool(list+".multi", v)
		case name == "limit":
			n, ok := value.Integer(v)
			if !ok || n != 0 && n != 1 {
				return r, fault.New(fault.FailedToParse, "The limit field in delete objects must be 0 or 1. Got %d", n)
			}
			r.one = n == 1
		}
	}
	if r.filter == nil {
		return r, fault.New(fault.MissingField, "BSON field '%s.%s.%s' is missing but a required field", c.name, list, filter)
	}
	if fields["limit"] && value.Missing(value.Get(d, "limit")) {
		return r, fault.New(fault.MissingField, "BSON field '%s.%s.limit' is missing but a required field", c.name, list)
	}
	return r, c.bad()
}

// remove does one deletion.
func (s *Server) remove(c *call, coll, db string, r removal, env *expr.Env) outcome {
	if c.txn >= 0 && !r.one {
		return outcomeOf(0, 0, fault.New(fault.InvalidOptions, "Cannot use retryable writes with limit=0"))
	}
	inner := *env
	if r.collation != nil {
		parsed, err := collation.Parse(r.collation)
		if err != nil {
			return outcomeOf(0, 0, err)
		}
		inner.Collation = parsed
	}
	f, err := match.Compile(r.filter, &inner)
	if err != nil {
		return outcomeOf(0, 0, err)
	}
	q := engine.Query{Filter: f, Hint: r.hint, Collated: inner.Collation != nil}
	done, err := s.store.Delete(db, coll, q, nil, r.one)
	return outcomeOf(done.Matched, 0, err)
}
