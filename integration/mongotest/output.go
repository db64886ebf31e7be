package mongotest

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// write does what $out and $merge do with a pipeline's result.
func (s *Server) write(c *call, out *aggregate.Output, result aggregate.Iterator, env *expr.Env) error {
	db := out.DB
	if db == "" {
		db = c.db
	}
	if out.Merge == nil {
		return s.out(db, out.Collection, result, c.flag("bypassDocumentValidation", false))
	}
	if !s.identifies(db, out.Collection, out.Merge.On) {
		return fault.New(51183, "Cannot find index to verify that join fields will be unique")
	}
	for {
		doc, ok, err := result.Next()
		if !ok || err != nil {
			return err
		}
		if err := s.merge(db, out.Collection, out.Merge, doc, env); err != nil {
			return err
		}
	}
}

// out puts a result in the place of a collection: it is written beside it, and
// renamed onto it.
func (s *Server) out(db, coll string, result aggregate.Iterator, unchecked bool) error {
	temporary := "tmp.agg_out." + bson.NewObjectID().Hex()
	o := engine.CreateOptions{}
	if err := s.store.Create(db, temporary, o); err != nil {
		return err
	}
	defer func() {
		if s.store.Collection(db, temporary) != nil {
			s.store.Drop(db, temporary)
		}
	}()
	if s.store.Collection(db, coll) != nil {
		indexes, err := s.store.Indexes(db, coll)
		if err != nil {
			return err
		}
		var copies []*engine.Index
		for _, x := range indexes[1:] {
			fresh := engine.NewIndex(x.Name, x.Spec)
			fresh.Unique, fresh.Sparse, fresh.Partial, fresh.PartialDoc, fresh.Expire = x.Unique, x.Sparse, x.Partial, x.PartialDoc, x.Expire
			copies = append(copies, fresh)
		}
		if _, _, _, err := s.store.Index(db, temporary, copies); err != nil {
			return err
		}
	}
	for {
		doc, ok, err := result.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := s.store.Insert(db, temporary, doc, unchecked); err != nil {
			return err
		}
	}
	return s.store.Rename(db, temporary, db, coll, true)
}

// identifies says whether a collection has a unique index over just these fields.
func (s *Server) identifies(db, coll string, fields []string) bool {
	if len(fields) == 1 && fields[0] == "_id" {
		return true
	}
	indexes, err := s.store.Indexes(db, coll)
	return err == nil && slices.ContainsFunc(indexes, func(x *engine.Index) bool {
		n := 0
		for name := range value.Elements(x.Spec) {
			if !slices.Contains(fields, name) {
				return false
			}
			n++
		}
		return n == len(fields) && x.Unique && !x.Sparse && x.Partial == nil
	})
}

// merge puts one document into a collection, as $merge says.
func (s *Server) merge(db, coll string, m *aggregate.Merge, doc value.Doc, env *expr.Env) error {
	query, err := m.Filter(doc)
	if err != nil {
		return err
	}
	if query != nil {
		filter, err := match.Compile(query, env)
		if err != nil {
			return err
		}
		done, err := s.store.Update(db, coll, engine.Updating{Query: engine.Query{Filter: filter}, Update: merging{m, doc}})
		if err != nil || done.Matched > 0 {
			return err
		}
	}
	switch m.NotMatched {
	case "discard":
		return nil
	case "fail":
		return fault.New(13113, "$merge could not find a matching document in the target collection for at least one document in the source collection")
	}
	return s.store.Insert(db, coll, doc, false)
}

// merging is the change that $merge makes to a document that is there already.
type merging struct {
	how *aggregate.Merge
	doc value.Doc
}

func (m merging) Apply(existing value.Doc, _ int, _ bool) (update.Result, error) {
	return m.how.Apply(existing, m.doc)
}

func (m merging) IsReplacement() bool { return false }

// Upsert is for who asks for one, which merge does not.
func (m merging) Upsert(*match.Filter) (value.Doc, error) { return m.doc, nil }

// without gives a document without some of its fields.
func without(doc value.Doc, fields ...string) value.Doc {
	b := value.NewBuilder(nil)
	for name, v := range value.Elements(doc) {
		if !slices.Contains(fields, name) {
			b.Append(name, v)
		}
	}
	return b.Doc()
}
