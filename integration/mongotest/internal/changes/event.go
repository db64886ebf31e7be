package changes

import (
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// watches says whether an entry is of the stream's scope, and of a kind that it
// shows.
func (s *Stream) watches(e *engine.Entry) bool {
	switch e.Kind {
	case engine.Noop:
		return false
	case engine.Create, engine.Modify, engine.CreateIndexes, engine.DropIndexes:
		if !s.options.expanded {
			return false
		}
	}
	return s.within(e.DB, e.Coll) || e.Kind == engine.Rename && s.within(e.ToDB, e.ToColl)
}

func (s *Stream) within(db, coll string) bool {
	return (s.scope.DB == "" || s.scope.DB == db) && (s.scope.Coll == "" || s.scope.Coll == coll)
}

// invalidates says that an entry ends the stream.
func (s *Stream) invalidates(e *engine.Entry) bool {
	switch e.Kind {
	case engine.Drop, engine.Rename:
		return s.scope.Coll != ""
	case engine.DropDatabase:
		return s.scope.DB != ""
	}
	return false
}

var names = map[engine.Kind]string{
	engine.Insert: "insert", engine.Update: "update", engine.Replace: "replace", engine.Delete: "delete",
	engine.Create: "create", engine.Drop: "drop", engine.Rename: "rename", engine.DropDatabase: "dropDatabase",
	engine.Modify: "modify", engine.CreateIndexes: "createIndexes", engine.DropIndexes: "dropIndexes",
}

// make makes an entry's event; nil where it has none.
func (s *Stream) make(e *engine.Entry) (value.Doc, error) {
	b := value.NewBuilder(make([]byte, 0, 320+len(e.Doc)))
	s.head(b, e, tokenOf(e, 0), names[e.Kind])
	if s.options.expanded && e.Kind != engine.DropDatabase {
		b.Append("collectionUUID", e.UUID.Value())
	}
	if err := s.fullDocument(b, e); err != nil {
		return nil, err
	}
	b.Open("ns", false).Append("db", value.String(e.DB))
	if e.Kind != engine.DropDatabase {
		b.Append("coll", value.String(e.Coll))
	}
	b.Close()
	switch e.Kind {
	case engine.Rename:
		b.Open("to", false).Append("db", value.String(e.ToDB)).Append("coll", value.String(e.ToColl)).Close()
	case engine.Insert, engine.Update, engine.Replace, engine.Delete:
		b.Open("documentKey", false).Append("_id", e.ID).Close()
	}
	if e.Kind == engine.Update {
		s.description(b, e)
	}
	if s.options.expanded && e.Detail != nil {
		b.Append("operationDescription", value.Document(e.Detail))
		if e.State != nil {
			b.Append("stateBeforeChange", value.Document(e.State))
		}
	}
	if err := s.beforeChange(b, e); err != nil {
		return nil, err
	}
	return b.Doc(), nil
}

// head begins an event with the fields that all have.
func (s *Stream) head(b *value.Builder, e *engine.Entry, t token, kind string) {
	b.Append("_id", value.Document(t.doc()))
	b.Append("operationType", value.String(kind))
	b.Append("clusterTime", value.Timestamp(e.TS))
	if s.options.version >= 600 {
		b.Append("wallTime", value.DateTime(e.Wall))
	}
}

func (s *Stream) invalidate(e *engine.Entry, t token) value.Doc {
	b := value.NewBuilder(nil)
	s.head(b, e, t, "invalidate")
	return b.Doc()
}

func (s *Stream) fullDocument(b *value.Builder, e *engine.Entry) error {
	switch e.Kind {
	case engine.Insert, engine.Replace:
		b.Append("fullDocument", value.Document(e.Doc))
	case engine.Update:
		var doc value.Doc
		switch s.options.full {
		case "default":
			return nil
		case "updateLookup":
			doc = s.store.ByID(e.DB, e.Coll, e.UUID, e.ID)
		default:
			if doc = e.Doc; doc == nil && s.options.full == "required" {
				return fault.New(fault.NoMatchingDocument,
					"Change stream was configured to require a post-image for all update events, but the post-image for event %s was not found", tokenOf(e, 0).doc())
			}
		}
		if doc == nil {
			b.Append("fullDocument", value.Null())
		} else {
			b.Append("fullDocument", value.Document(doc))
		}
	}
	return nil
}

func (s *Stream) beforeChange(b *value.Builder, e *engine.Entry) error {
	switch e.Kind {
	case engine.Update, engine.Replace, engine.Delete:
	default:
		return nil
	}
	switch {
	case s.options.before == "off":
	case e.Before != nil:
		b.Append("fullDocumentBeforeChange", value.Document(e.Before))
	case s.options.before == "required":
		return fault.New(fault.NoMatchingDocument,
			"Change stream was configured to require a pre-image for all update, delete and replace events, but the pre-image for event %s was not found", tokenOf(e, 0).doc())
	default:
		b.Append("fullDocumentBeforeChange", value.Null())
	}
	return nil
}

// description says what an update changed.
func (s *Stream) description(b *value.Builder, e *engine.Entry) {
	b.Open("updateDescription", false)
	b.Open("updatedFields", false)
	for _, f := range e.Update.Updated {
		b.Append(f.Path, f.Value)
	}
	b.Close()
	b.Open("removedFields", true)
	for i, path := range e.Update.Removed {
		b.Append(value.Index(i), value.String(path))
	}
	b.Close()
	b.Open("truncatedArrays", true)
	for i, t := range e.Update.Truncated {
		b.Append(value.Index(i), value.Of(value.D("field", t.Path, "newSize", t.Size)))
	}
	b.Close()
	if s.options.expanded && s.options.version >= 601 {
		b.Open("disambiguatedPaths", false)
		for _, d := range e.Update.Disambiguated {
			b.Append(d.Path, d.Parts)
		}
		b.Close()
	}
	b.Close()
}

// byteAt gives the number of a fragment.
func byteAt(part value.Doc) byte {
	n, _ := value.Integer(value.Get(value.Doc(value.Get(part, "splitEvent").Value), "fragment"))
	return byte(n)
}

// split cuts an event into fragments, each within a document's size.
func split(event value.Doc, t token) ([]value.Doc, error) {
	const room = 512 // for _id and splitEvent
	var groups [][]field
	var group []field
	size := room
	for name, v := range value.Elements(event) {
		if name == "_id" {
			continue
		}
		n := 2 + len(name) + len(v.Value)
		if n+room > MaxEvent {
			return nil, fault.New(fault.BSONObjectTooLarge, "the field %s of an event is too large to be split", name)
		}
		if size+n > engine.MaxDocument && len(group) > 0 {
			groups, group, size = append(groups, group), nil, room
		}
		group = append(group, field{name, v})
		size += n
	}
	groups = append(groups, group)
	parts := make([]value.Doc, len(groups))
	for i, g := range groups {
		t.fragment = byte(i + 1)
		b := value.NewBuilder(nil)
		b.Append("_id", value.Document(t.doc()))
		b.Append("splitEvent", value.Of(value.D("fragment", i+1, "of", len(groups))))
		for _, f := range g {
			b.Append(f.name, f.value)
		}
		parts[i] = b.Doc()
	}
	return parts, nil
}

type field struct {
	name  string
	value value.Value
}
