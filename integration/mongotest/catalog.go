package mongotest

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// create makes a collection.
func (s *Server) create(c *call) (value.Doc, error) {
	coll := c.coll()
	b := value.NewBuilder(nil)
	o := engine.CreateOptions{Validator: c.doc("validator"), Level: c.text("validationLevel"), Action: c.text("validationAction")}
	for name, v := range value.Elements(c.body) {
		switch name {
		case "capped", "size", "max", "validator", "validationLevel", "validationAction", "changeStreamPreAndPostImages", "viewOn", "pipeline":
			b.Append(name, v)
		case "collation", "timeseries", "clusteredIndex", "expireAfterSeconds", "encryptedFields":
			return nil, fault.NotOffered("collections with %s", name)
		case "storageEngine", "indexOptionDefaults":
			return nil, fault.NotOffered("create with %s", name)
		}
	}
	o.Doc = b.Doc()
	if on := c.text("viewOn"); on != "" {
		o.View = &engine.View{On: on, Pipeline: c.docs("pipeline")}
	} else if c.has("pipeline") {
		c.fail(fault.New(fault.InvalidOptions, "'pipeline' requires 'viewOn' to also be specified"))
	}
	if c.flag("capped", false) {
		if o.Capped = c.natural("size", 0); o.Capped == 0 {
			c.fail(fault.New(fault.InvalidOptions, "the 'size' field is required when 'capped' is true"))
		}
		o.MaxDocs = c.natural("max", 0)
	}
	images, err := c.images()
	if err != nil {
		return nil, err
	}
	o.Images = images != nil && *images
	if err := c.bad(); err != nil {
		return nil, err
	}
	return ok(), s.store.Create(c.db, coll, o)
}

// images reads changeStreamPreAndPostImages; nil where it is not there.
func (c *call) images() (*bool, error) {
	spec := c.doc("changeStreamPreAndPostImages")
	if spec == nil {
		return nil, nil
	}
	on := value.Get(spec, "enabled")
	if on.Type != bson.TypeBoolean {
		return nil, fault.New(fault.MissingField, "BSON field 'changeStreamPreAndPostImages.enabled' is missing or of the wrong type")
	}
	enabled := value.Truthy(on)
	return &enabled, nil
}

// collMod changes a collection's options.
func (s *Server) collMod(c *call) (value.Doc, error) {
	coll := c.coll()
	found := s.store.Collection(c.db, coll)
	if found == nil {
		return nil, fault.New(fault.NamespaceNotFound, "ns does not exist: %s.%s", c.db, coll)
	}
	images, err := c.images()
	if err != nil {
		return nil, err
	}
	m := engine.Modification{
		Images: images, Validator: c.doc("validator"), Level: c.text("validationLevel"), Action: c.text("validationAction"),
	}
	if index := c.doc("index"); index != nil {
		m.Index, _ = value.Text(value.Get(index, "name"))
		if pattern := value.Get(index, "keyPattern"); value.IsDocument(pattern) {
			m.IndexSpec = value.Doc(pattern.Value)
		}
		if n, ok := value.Integer(value.Get(index, "expireAfterSeconds")); ok {
			m.Expire = &n
		}
		if hidden := value.Get(index, "hidden"); !value.Missing(hidden) {
			h := value.Truthy(hidden)
			m.Hidden = &h
		}
	}
	detail, options := value.NewBuilder(nil), value.NewBuilder(nil)
	for name, v := range value.Elements(found.Options) {
		if value.Missing(value.Get(c.body, name)) {
			options.Append(name, v)
		}
	}
	for name, v := range value.Elements(c.body) {
		switch name {
		case "validator", "validationLevel", "validationAction", "changeStreamPreAndPostImages":
			detail.Append(name, v)
			options.Append(name, v)
		case "index":
			detail.Append(name, v)
		}
	}
	m.Detail, m.NewOptions = detail.Doc(), options.Doc()
	if err := c.bad(); err != nil {
		return nil, err
	}
	before, after, err := s.store.Modify(c.db, coll, m)
	if err != nil {
		return nil, err
	}
	b := value.NewBuilder(nil)
	if before != nil && before.Expire != after.Expire {
		b.Append("expireAfterSeconds_old", value.Int(before.Expire)).Append("expireAfterSeconds_new", value.Int(after.Expire))
	}
	if before != nil && before.Hidden != after.Hidden {
		b.Append("hidden_old", value.Bool(before.Hidden)).Append("hidden_new", value.Bool(after.Hidden))
	}
	return b.Doc(), nil
}

// drop drops a collection.
func (s *Server) drop(c *call) (value.Doc, error) {
	coll := c.coll()
	if err := c.bad(); err != nil {
		return nil, err
	}
	indexes, found := s.store.Drop(c.db, coll)
	if !found {
		if s.version.major >= 700 {
			return ok(), nil
		}
		return nil, fault.New(fault.NamespaceNotFound, "ns not found")
	}
	return ok("nIndexesWas", indexes, "ns", c.db+"."+coll), nil
}

func (s *Server) dropDatabase(c *call) (value.Doc, error) {
	switch c.db {
	case "admin", "config", "local":
		return nil, fault.New(fault.IllegalOperation, "Dropping the '%s' database is prohibited.", c.db)
	}
	found := len(s.store.Collections(c.db)) > 0
	s.store.DropDatabase(c.db)
	if !found {
		return ok(), nil
	}
	return ok("dropped", c.db), nil
}

func (s *Server) renameCollection(c *call) (value.Doc, error) {
	from, to := c.text("renameCollection"), c.text("to")
	db, coll, okFrom := cutNamespace(from)
	toDB, toColl, okTo := cutNamespace(to)
	if !okFrom || !okTo {
		c.fail(fault.New(fault.InvalidNamespace, "Invalid namespace specified '%s' or '%s'", from, to))
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	return ok(), s.store.Rename(db, coll, toDB, toColl, c.flag("dropTarget", false))
}

var indexFields = set("v", "key", "name", "unique", "sparse", "hidden", "partialFilterExpression", "expireAfterSeconds", "background", "ns")

// createIndexes builds indexes.
func (s *Server) createIndexes(c *call) (value.Doc, error) {
	coll := c.coll()
	specs := c.docs("indexes")
	if len(specs) == 0 {
		c.fail(fault.New(fault.BadValue, "Must specify at least one index to create"))
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	if err := engine.CheckNamespace(c.db, coll); err != nil {
		return nil, err
	}
	var indexes []*engine.Index
	for _, spec := range specs {
		x, err := s.index(spec)
		if err != nil {
			return nil, err
		}
		indexes = append(indexes, x)
	}
	before, after, created, err := s.store.Index(c.db, coll, indexes)
	if err != nil {
		return nil, err
	}
	b := value.NewBuilder(nil)
	b.Append("numIndexesBefore", value.Int(int64(before))).Append("numIndexesAfter", value.Int(int64(after)))
	b.Append("createdCollectionAutomatically", value.Bool(created))
	if before == after {
		b.Append("note", value.String("all indexes already exist"))
	}
	return b.Doc(), nil
}

func (s *Server) index(spec value.Doc) (*engine.Index, error) {
	name, _ := value.Text(value.Get(spec, "name"))
	key := value.Get(spec, "key")
	if !value.IsDocument(key) || len(key.Value) <= 5 {
		return nil, fault.New(fault.CannotCreateIndex, "The 'key' field must be an object with at least one field")
	}
	if name == "" {
		return nil, fault.New(fault.FailedToParse, "The 'name' field is a required property of an index specification")
	}
	if name == "*" {
		return nil, fault.New(fault.BadValue, "The index name '*' is not valid.")
	}
	for field, v := range value.Elements(value.Doc(key.Value)) {
		n, number := value.Float(v)
		switch {
		case value.IsNumber(v) && (!number || n == 0), v.Type != bson.TypeString && !value.IsNumber(v):
			return nil, fault.New(fault.CannotCreateIndex, "Values in the index key pattern must be numbers other than 0, or strings")
		case v.Type == bson.TypeString:
			switch kind, _ := value.Text(v); kind {
			case "text", "hashed", "2d", "2dsphere":
				return nil, fault.NotOffered("indexes of the kind %s", kind)
			default:
				return nil, fault.New(fault.CannotCreateIndex, "Unknown index plugin '%s'", kind)
			}
		case strings.Contains(field, "$**"):
			return nil, fault.NotOffered("wildcard indexes")
		case field == "" || strings.HasPrefix(field, "$") || strings.HasSuffix(field, ".") || strings.HasPrefix(field, "."):
			return nil, fault.New(fault.CannotCreateIndex, "Index keys cannot be an empty field, begin with '$', or begin or end with '.'")
		}
	}
	x := engine.NewIndex(name, value.Doc(append([]byte(nil), key.Value...)))
	for field, v := range value.Elements(spec) {
		if !indexFields[field] {
			if field == "collation" || field == "wildcardProjection" || field == "weights" {
				return nil, fault.NotOffered("indexes with %s", field)
			}
			return nil, fault.New(fault.InvalidIndexSpecificationOption, "The field '%s' is not valid for an index specification.", field)
		}
		switch field {
		case "unique":
			x.Unique = value.Truthy(v)
		case "sparse":
			x.Sparse = value.Truthy(v)
		case "hidden":
			x.Hidden = value.Truthy(v)
		case "expireAfterSeconds":
			n, ok := value.Integer(v)
			if !ok || n < 0 || n > 1<<31-1 {
				return nil, fault.New(fault.CannotCreateIndex, "TTL index 'expireAfterSeconds' option must be within an acceptable range")
			}
			if len(value.Items(key)) != 1 {
				return nil, fault.New(fault.CannotCreateIndex, "TTL indexes are single-field indexes, compound indexes do not support TTL")
			}
			x.Expire = n
		case "partialFilterExpression":
			if !value.IsDocument(v) {
				return nil, fault.New(fault.TypeMismatch, "'partialFilterExpression' must be an object")
			}
			f, err := match.Compile(value.Doc(v.Value), &expr.Env{})
			if err != nil {
				return nil, err
			}
			x.Partial, x.PartialDoc = f, value.Doc(append([]byte(nil), v.Value...))
		}
	}
	if x.Sparse && x.Partial != nil {
		return nil, fault.New(fault.CannotCreateIndex, "cannot mix \"partialFilterExpression\" and \"sparse\" options")
	}
	return x, nil
}

func (s *Server) dropIndexes(c *call) (value.Doc, error) {
	coll := c.coll()
	which := []value.Value{value.Get(c.body, "index")}
	if value.IsArray(which[0]) {
		which = value.Items(which[0])
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	before, err := s.store.DropIndexes(c.db, coll, which)
	if err != nil {
		return nil, err
	}
	return ok("nIndexesWas", before), nil
}

func (s *Server) listIndexes(c *call) (value.Doc, error) {
	coll := c.coll()
	if err := c.bad(); err != nil {
		return nil, err
	}
	indexes, err := s.store.Indexes(c.db, coll)
	if err != nil {
		return nil, err
	}
	var docs []value.Doc
	for _, x := range indexes {
		docs = append(docs, x.Describe())
	}
	return s.list(c, coll, docs)
}

// list answers with a cursor over a list.
func (s *Server) list(c *call, coll string, docs []value.Doc) (value.Doc, error) {
	batch := int64(-1)
	if v := value.Get(c.doc("cursor"), "batchSize"); !value.Missing(v) {
		batch, _ = value.Integer(v)
	}
	cur := &cursor{db: c.db, coll: coll, source: aggregate.Docs(docs...), forget: true}
	return s.answer(c, cur, batch, false)
}

func (s *Server) listCollections(c *call) (value.Doc, error) {
	keep, err := match.Compile(c.doc("filter"), c.env())
	if err != nil {
		return nil, err
	}
	names := c.flag("nameOnly", false)
	var docs []value.Doc
	for _, coll := range s.store.Collections(c.db) {
		b := value.NewBuilder(nil)
		kind := "collection"
		if coll.View != nil {
			kind = "view"
		}
		b.Append("name", value.String(coll.Name)).Append("type", value.String(kind))
		if !names && coll.View != nil {
			b.Append("options", value.Document(coll.Options))
			b.Append("info", value.Of(value.D("readOnly", true)))
		} else if !names {
			b.Append("options", value.Document(coll.Options))
			b.Append("info", value.Of(value.D("readOnly", false, "uuid", coll.UUID.Value())))
			b.Append("idIndex", value.Of(value.D("v", 2, "key", value.D("_id", 1), "name", "_id_")))
		}
		doc := b.Doc()
		if ok, err := keep.Match(doc); err != nil {
			return nil, err
		} else if ok {
			docs = append(docs, doc)
		}
	}
	return s.list(c, "$cmd.listCollections", docs)
}

func (s *Server) listDatabases(c *call) (value.Doc, error) {
	keep, err := match.Compile(c.doc("filter"), c.env())
	if err != nil {
		return nil, err
	}
	names := c.flag("nameOnly", false)
	all := s.store.Databases()
	for _, own := range []string{"admin", "config", "local"} {
		all = append(all, engine.Database{Name: own, Bytes: 1})
	}
	var docs []value.Doc
	total := int64(0)
	for _, db := range all {
		b := value.NewBuilder(nil)
		b.Append("name", value.String(db.Name))
		if !names {
			b.Append("sizeOnDisk", value.Int64(db.Bytes)).Append("empty", value.Bool(db.Bytes == 0))
		}
		doc := b.Doc()
		if ok, err := keep.Match(doc); err != nil {
			return nil, err
		} else if ok {
			docs = append(docs, doc)
			total += db.Bytes
		}
	}
	if names {
		return ok("databases", docs), nil
	}
	return ok("databases", docs, "totalSize", value.Int64(total), "totalSizeMb", value.Int64(total>>20)), nil
}
