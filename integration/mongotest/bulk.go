package mongotest

import (
	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

var (
	bulkInsert = set("insert", "document")
	bulkUpdate = set("update", "filter", "updateMods", "constants", "multi", "upsert", "arrayFilters", "hint", "collation", "sort")
	bulkDelete = set("delete", "filter", "multi", "hint", "collation")
)

// bulkWrite does statements of all kinds, on several collections (8.0 and later).
func (s *Server) bulkWrite(c *call) (value.Doc, error) {
	ops, spaces := c.docs("ops"), c.docs("nsInfo")
	names, err := namespaces(spaces)
	if err != nil {
		return nil, err
	}
	unchecked := c.flag("bypassDocumentValidation", false)
	errorsOnly := c.flag("errorsOnly", false)
	env := c.env()
	do := make([]func() outcome, len(ops))
	for i, op := range ops {
		n, ok := value.Integer(value.Get(op, command(op)))
		if !ok || n < 0 || int(n) >= len(names) {
			return nil, fault.New(fault.BadValue, "BulkWrite ops entry %d has an invalid nsInfo index.", i)
		}
		if do[i], err = s.bulkStatement(c, op, names[n], env, unchecked); err != nil {
			return nil, err
		}
	}
	outcomes, err := s.batch(c, len(ops), c.flag("ordered", true), func(i int) outcome { return do[i]() })
	if err != nil {
		return nil, err
	}
	return s.bulkResult(c, ops, outcomes, errorsOnly)
}

// bulkStatement reads a statement, and gives what does it.
func (s *Server) bulkStatement(c *call, op value.Doc, ns namespace, env *expr.Env, unchecked bool) (func() outcome, error) {
	switch kind := command(op); kind {
	case "insert":
		for name := range value.Elements(op) {
			if !bulkInsert[name] {
				return nil, fault.New(fault.UnknownField, "BSON field 'bulkWrite.ops.%s' is an unknown field.", name)
			}
		}
		doc := value.Get(op, "document")
		if !value.IsDocument(doc) {
			return nil, fault.New(fault.MissingField, "BSON field 'bulkWrite.ops.document' is missing but a required field")
		}
		return func() outcome {
			return outcomeOf(1, 0, s.store.Insert(ns.db, ns.coll, value.Doc(doc.Value), unchecked)).unlessFailed()
		}, nil
	case "update":
		m, err := c.modification("ops", without(op, "update"), bulkUpdate, "filter", "updateMods", "constants")
		return func() outcome { return s.modify(c, ns.coll, ns.db, m, env, unchecked) }, err
	case "delete":
		r, err := c.removal("ops", without(op, "delete"), bulkDelete, "filter")
		return func() outcome { return s.remove(c, ns.coll, ns.db, r, env) }, err
	default:
		return nil, fault.New(fault.UnknownField, "BSON field 'bulkWrite.ops.%s' is an unknown field.", kind)
	}
}

type namespace struct{ db, coll string }

func namespaces(spaces []value.Doc) ([]namespace, error) {
	var names []namespace
	for _, d := range spaces {
		ns, _ := value.Text(value.Get(d, "ns"))
		db, coll, _ := cutNamespace(ns)
		if err := engine.CheckNamespace(db, coll); err != nil {
			return nil, err
		}
		names = append(names, namespace{db, coll})
	}
	return names, nil
}

func (s *Server) bulkResult(c *call, ops []value.Doc, outcomes []outcome, errorsOnly bool) (value.Doc, error) {
	var inserted, matched, modified, upserted, deleted, failed int64
	var docs []value.Doc
	for i, o := range outcomes {
		kind := command(ops[i])
		b := value.NewBuilder(nil)
		if o.err != nil {
			failed++
			b.Append("ok", value.Double(0)).Append("idx", value.Int(int64(i)))
			b.Append("code", value.Int32(int32(o.err.Code))).Append("errmsg", value.String(o.err.Message))
			for name, v := range value.Elements(o.err.Extra) {
				b.Append(name, v)
			}
			b.Append("n", value.Int(o.n))
			if kind == "update" {
				b.Append("nModified", value.Int(o.modified))
			}
			docs = append(docs, b.Doc())
			continue
		}
		b.Append("ok", value.Double(1)).Append("idx", value.Int(int64(i))).Append("n", value.Int(o.n))
		switch kind {
		case "insert":
			inserted += o.n
		case "delete":
			deleted += o.n
		case "update":
			b.Append("nModified", value.Int(o.modified))
			modified += o.modified
			if value.Missing(o.upserted) {
				matched += o.n
			} else {
				upserted++
				b.Append("upserted", value.Of(value.D("_id", o.upserted)))
			}
		}
		if !errorsOnly {
			docs = append(docs, b.Doc())
		}
	}
	batch := int64(firstBatch)
	if v := value.Get(c.doc("cursor"), "batchSize"); !value.Missing(v) {
		batch, _ = value.Integer(v)
	} else {
		batch = -1
	}
	cur := &cursor{db: "admin", coll: "$cmd.bulkWrite", source: aggregate.Docs(docs...), forget: true}
	result, err := s.answer(c, cur, batch, false)
	if err != nil {
		return nil, err
	}
	b := value.NewBuilder(nil)
	for name, v := range value.Elements(result) {
		b.Append(name, v)
	}
	for _, f := range []struct {
		name string
		n    int64
	}{
		{"nErrors", failed}, {"nInserted", inserted}, {"nMatched", matched},
		{"nModified", modified}, {"nUpserted", upserted}, {"nDeleted", deleted},
	} {
		b.Append(f.name, value.Int(f.n))
	}
	return b.Doc(), nil
}
