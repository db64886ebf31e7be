package mongotest

import (
	"context"
	"math"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// call is one command as it came. The methods that read its fields note the
// first fault that they find, which bad gives.
type call struct {
	server  *Server
	conn    *conn
	ctx     context.Context
	name    string
	db      string
	body    value.Doc
	message *wire.Message
	version version

	session   *session // nil for none
	txn       int64    // txnNumber; -1 for none
	majority  bool     // readConcern
	concern   writeConcern
	writing   bool  // it needs the primary, and waits for its write concern
	turn      int64 // of the topology, when it wrote
	fault     error
	cutReply  bool // a fault ends the connection instead of a reply
	streaming bool // a getMore that has the cursor of a change stream
}

func (c *call) bad() error { return c.fault }

// fail notes a fault; nil is none.
func (c *call) fail(err error) {
	if c.fault == nil {
		c.fault = err
	}
}

func (c *call) typed(name string, v value.Value, want string) {
	c.fail(fault.New(fault.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected type '%s'", c.name, name, value.TypeName(v.Type), want))
}

// doc gives a field that is a document; nil where it is not there.
func (c *call) doc(name string) value.Doc {
	v := value.Get(c.body, name)
	switch {
	case value.Nullish(v):
		return nil
	case !value.IsDocument(v):
		c.typed(name, v, "object")
		return nil
	}
	return value.Doc(v.Value)
}

// text gives a field that is a string; "" where it is not there.
func (c *call) text(name string) string {
	v := value.Get(c.body, name)
	if value.Nullish(v) {
		return ""
	}
	s, ok := value.Text(v)
	if !ok {
		c.typed(name, v, "string")
	}
	return s
}

// flag gives a field that is a boolean, or a number that stands for one.
func (c *call) flag(name string, otherwise bool) bool {
	v := value.Get(c.body, name)
	if value.Nullish(v) {
		return otherwise
	}
	return c.bool(name, v)
}

// integer gives a field that is a whole number.
func (c *call) integer(name string, otherwise int64) int64 {
	v := value.Get(c.body, name)
	if value.Nullish(v) {
		return otherwise
	}
	if !value.IsNumber(v) {
		c.typed(name, v, "long")
		return otherwise
	}
	if f, _ := value.Float(v); math.IsNaN(f) {
		return 0
	}
	n, ok := value.Integer(v)
	if !ok {
		f, _ := value.Float(v)
		return int64(f)
	}
	return n
}

// natural is integer, of what must not be negative.
func (c *call) natural(name string, otherwise int64) int64 {
	n := c.integer(name, otherwise)
	if n < 0 && n != otherwise {
		c.fail(fault.New(51024, "BSON field '%s' value must be >= 0, actual value '%d'", name, n))
	}
	return n
}

// docs gives a field that is an array of documents, or a document sequence.
func (c *call) docs(name string) []value.Doc {
	if docs, ok := c.message.Sequence(name); ok {
		return docs
	}
	v := value.Get(c.body, name)
	if value.Nullish(v) {
		return nil
	}
	if !value.IsArray(v) {
		c.typed(name, v, "array")
		return nil
	}
	items := value.Items(v)
	docs := make([]value.Doc, 0, len(items))
	for i, item := range items {
		if !value.IsDocument(item) {
			c.typed(name+"."+value.Index(i), item, "object")
			return nil
		}
		docs = append(docs, value.Doc(item.Value))
	}
	return docs
}

// required is docs, of what must be there.
func (c *call) required(name string) []value.Doc {
	docs := c.docs(name)
	if docs == nil {
		c.fail(fault.New(fault.MissingField, "BSON field '%s.%s' is missing but a required field", c.name, name))
	}
	return docs
}

// bool reads a field of a statement that is a boolean, or a number that stands
// for one.
func (c *call) bool(name string, v value.Value) bool {
	if !value.Nullish(v) && v.Type != bson.TypeBoolean && !value.IsNumber(v) {
		c.typed(name, v, "bool")
	}
	return value.Truthy(v)
}

// has says whether a field is there, and not null.
func (c *call) has(name string) bool { return !value.Nullish(value.Get(c.body, name)) }

// coll gives the collection that the command names in its first field.
func (c *call) coll() string {
	v := value.Get(c.body, c.name)
	name, ok := value.Text(v)
	if !ok {
		c.fail(fault.New(fault.InvalidNamespace, "collection name has invalid type %s", value.TypeName(v.Type)))
		return ""
	}
	if name == "" {
		c.fail(fault.New(fault.InvalidNamespace, "Invalid namespace specified '%s.'", c.db))
	}
	return name
}

// env gives what expressions of this command see: the time, its let variables,
// and the collation.
func (c *call) env() *expr.Env {
	env := &expr.Env{Now: c.server.store.Now().Truncate(time.Millisecond)}
	if !c.server.options.Standalone {
		env.ClusterTime = c.server.store.Applied()
	}
	if spec := c.doc("collation"); spec != nil {
		parsed, err := collation.Parse(spec)
		c.fail(err)
		env.Collation = parsed
	}
	let := c.doc("let")
	if let == nil {
		return env
	}
	values := map[string]value.Value{}
	for name, v := range value.Elements(let) {
		e, err := expr.Compile(v, env)
		if err == nil {
			values[name], err = e.Eval(value.D())
		}
		c.fail(err)
	}
	env.Let = values
	return env
}

// pipelineEnv gives what the stages of this command see.
func (c *call) pipelineEnv(env *expr.Env) *aggregate.Env {
	return &aggregate.Env{Env: env, Collection: func(name string) (aggregate.Iterator, error) {
		return c.server.all(c, name)
	}}
}

// generic are the fields that every command may have.
var generic = map[string]bool{
	"$db": true, "lsid": true, "$clusterTime": true, "txnNumber": true, "comment": true, "maxTimeMS": true,
	"readConcern": true, "writeConcern": true, "$readPreference": true, "apiVersion": true, "apiStrict": true,
	"apiDeprecationErrors": true, "stmtId": true, "$audit": true, "$client": true,
}

// known refuses fields that the command does not have.
func (c *call) known(fields map[string]bool) error {
	seen := map[string]bool{}
	first := true
	for name := range value.Elements(c.body) {
		switch {
		case seen[name]:
			return fault.New(fault.DuplicateField, "BSON field '%s.%s' is a duplicate field", c.name, name)
		case name == "startTransaction" || name == "autocommit":
			return fault.NotOffered("transactions")
		case !first && !generic[name] && !fields[name]:
			return fault.New(fault.UnknownField, "BSON field '%s.%s' is an unknown field.", c.name, name)
		}
		seen[name], first = true, false
	}
	for _, s := range c.message.Sequences {
		if seen[s.Name] || !fields[s.Name] {
			return fault.New(fault.UnknownField, "BSON field '%s.%s' is an unknown or duplicate field.", c.name, s.Name)
		}
	}
	return nil
}

func cutNamespace(ns string) (db, coll string, ok bool) { return strings.Cut(ns, ".") }

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}
