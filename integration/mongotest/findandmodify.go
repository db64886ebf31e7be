package mongotest

import (
	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// findAndModify changes or removes one document, and gives it.
func (s *Server) findAndModify(c *call) (value.Doc, error) {
	coll := c.coll()
	env := c.env()
	m := modification{
		filter: c.doc("query"), sort: c.doc("sort"), change: value.Get(c.body, "update"), upsert: c.flag("upsert", false),
		hint: c.hint(value.Get(c.body, "hint")),
	}
	if m.filter == nil {
		m.filter = value.D()
	}
	if c.has("arrayFilters") {
		m.arrayFilters = c.docs("arrayFilters")
	}
	remove, after := c.flag("remove", false), c.flag("new", false)
	fields := c.doc("fields")
	switch {
	case remove && !value.Missing(m.change):
		c.fail(fault.New(fault.FailedToParse, "Cannot specify both an update and remove=true"))
	case remove && m.upsert:
		c.fail(fault.New(fault.FailedToParse, "Cannot specify both upsert=true and remove=true"))
	case remove && after:
		c.fail(fault.New(fault.FailedToParse, "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document"))
	case !remove && value.Missing(m.change):
		c.fail(fault.New(fault.FailedToParse, "Either an update or remove=true must be specified"))
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	release, err := c.statements()
	if err != nil {
		return nil, err
	}
	defer release()
	if d := c.before(0); d != nil {
		return d, nil
	}
	if c.txn >= 0 {
		if err := s.failPoints.statement(c); err != nil {
			return nil, err
		}
	}
	result, err := s.changeOne(c, coll, m, remove, after, fields, env)
	if err == nil {
		c.after(0, result)
	}
	return result, err
}

func (s *Server) changeOne(c *call, coll string, m modification, remove, after bool, fields value.Doc, env *expr.Env) (value.Doc, error) {
	filter, err := match.Compile(m.filter, env)
	if err != nil {
		return nil, err
	}
	projection, err := projection(fields, filter, env)
	if err != nil {
		return nil, err
	}
	var done engine.Changed
	if remove {
		q := engine.Query{Filter: filter, Sort: m.sort, Hint: m.hint, Collated: env.Collation != nil}
		var order engine.Order
		if m.sort != nil {
			if order, err = aggregate.CompileOrder(m.sort, env.Collation); err != nil {
				return nil, err
			}
		}
		done, err = s.store.Delete(c.db, coll, q, order, true)
	} else {
		var u engine.Updating
		if u, err = s.updating(m, env); err != nil {
			return nil, err
		}
		u.Unchecked = c.flag("bypassDocumentValidation", false)
		done, err = s.store.Update(c.db, coll, u)
	}
	if err != nil {
		return nil, err
	}
	last := value.NewBuilder(nil)
	n := done.Matched
	if !value.Missing(done.Upserted) {
		n = 1
	}
	last.Append("n", value.Int(n))
	if !remove {
		last.Append("updatedExisting", value.Bool(done.Matched > 0))
		last.Append("upserted", done.Upserted)
	}
	given := done.Before
	if after {
		given = done.After
	}
	result := value.Null()
	if given != nil {
		if projection != nil {
			if given, err = projection.Apply(given); err != nil {
				return nil, err
			}
		}
		result = value.Document(given)
	}
	return ok("lastErrorObject", last.Doc(), "value", result), nil
}
