package mongotest

import (
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// failPoints are the fail points that configureFailPoint sets: failCommand, as
// real servers have it for tests.
type failPoints struct {
	mu     sync.Mutex
	active *failPoint
}

// failPoint is what failCommand's data say.
type failPoint struct {
	mode  string // alwaysOn, times, skip, activationProbability
	left  int64  // of times, or to be skipped
	share float64
	count int64 // how often it was entered

	commands map[string]bool
	app      string
	ns       string
	code     fault.Code
	labels   []string // nil where none are dictated
	cut      bool
	block    time.Duration
	concern  value.Doc
}

// take says whether the fail point acts on a command.
func (f *failPoints) take(c *call) *failPoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.active
	if p == nil || !p.commands[c.name] || c.name == "configureFailPoint" {
		return nil
	}
	if p.app != "" && p.app != c.conn.appName() {
		return nil
	}
	if p.ns != "" {
		db, _ := value.Text(value.Get(c.body, "$db"))
		coll, _ := value.Text(value.Get(c.body, c.name))
		if coll == "" { // getMore names it elsewhere
			coll, _ = value.Text(value.Get(c.body, "collection"))
		}
		if p.ns != db+"."+coll {
			return nil
		}
	}
	switch p.mode {
	case "times":
		if p.left == 0 {
			return nil
		}
		p.left--
	case "skip":
		if p.left > 0 {
			p.left--
			return nil
		}
	case "activationProbability":
		if rand.Float64() >= p.share {
			return nil
		}
	}
	p.count++
	return p
}

// configureFailPoint sets a fail point, or ends it.
func (s *Server) configureFailPoint(c *call) (value.Doc, error) {
	name := c.text("configureFailPoint")
	switch name {
	case "failCommand":
	default:
		return nil, fault.NotOffered("the fail point %s", name)
	}
	p := &failPoint{commands: map[string]bool{}}
	mode := value.Get(c.body, "mode")
	if text, ok := value.Text(mode); ok {
		p.mode = text
		if text != "off" && text != "alwaysOn" {
			return nil, fault.New(fault.BadValue, "unknown mode: %s", text)
		}
	} else if value.IsDocument(mode) {
		for field, v := range value.Elements(value.Doc(mode.Value)) {
			p.mode = field
			p.left, _ = value.Integer(v)
			p.share, _ = value.Float(v)
			switch {
			case field != "times" && field != "skip" && field != "activationProbability":
				return nil, fault.New(fault.BadValue, "unknown mode: %s", field)
			case p.left < 0:
				return nil, fault.New(fault.BadValue, "'%s' must not be negative", field)
			}
		}
	} else {
		return nil, fault.New(fault.TypeMismatch, "'mode' must be a string or JSON object")
	}
	for field, v := range value.Elements(c.doc("data")) {
		if err := p.set(field, v); err != nil {
			return nil, err
		}
	}
	f := &s.failPoints
	f.mu.Lock()
	defer f.mu.Unlock()
	count := int64(0)
	if f.active != nil {
		count = f.active.count
	}
	f.active = nil
	if p.mode != "off" {
		p.count = count
		f.active = p
	}
	return ok("count", value.Int64(count)), nil
}

func (p *failPoint) set(field string, v value.Value) error {
	wrong := fault.New(fault.TypeMismatch, "failCommand: %s has the wrong type %s", field, value.TypeName(v.Type))
	switch field {
	case "failCommands":
		if !value.IsArray(v) {
			return wrong
		}
		for _, item := range value.Items(v) {
			name, _ := value.Text(item)
			p.commands[name] = true
		}
	case "appName":
		p.app, _ = value.Text(v)
	case "namespace":
		p.ns, _ = value.Text(v)
	case "errorCode":
		n, ok := value.Integer(v)
		if !ok {
			return wrong
		}
		p.code = fault.Code(n)
	case "errorLabels":
		if !value.IsArray(v) {
			return wrong
		}
		p.labels = []string{}
		for _, item := range value.Items(v) {
			name, _ := value.Text(item)
			p.labels = append(p.labels, name)
		}
	case "closeConnection":
		p.cut = value.Truthy(v)
	case "blockConnection":
		if !value.Truthy(v) {
			p.block = -1
		}
	case "blockTimeMS":
		n, ok := value.Integer(v)
		if !ok || n < 0 {
			return wrong
		}
		if p.block == 0 {
			p.block = time.Duration(n) * time.Millisecond
		}
	case "writeConcernError":
		if !value.IsDocument(v) {
			return wrong
		}
		p.concern = named(value.Doc(v.Value))
		if given := value.Get(value.Doc(v.Value), "errorLabels"); value.IsArray(given) && p.labels == nil {
			return p.set("errorLabels", given)
		}
	case "failInternalCommands", "threadName":
		if v.Type != bson.TypeBoolean && v.Type != bson.TypeString {
			return wrong
		}
	default:
		return fault.NotOffered("failCommand with %s", field)
	}
	return nil
}

// named gives a write concern error with its code's name.
func named(concern value.Doc) value.Doc {
	if !value.Missing(value.Get(concern, "codeName")) {
		return concern
	}
	b := value.NewBuilder(nil)
	for field, v := range value.Elements(concern) {
		if field == "errorLabels" {
			continue
		}
		b.Append(field, v)
		if n, ok := value.Integer(v); ok && field == "code" {
			b.Append("codeName", value.String(fault.Code(n).Name()))
		}
	}
	return b.Doc()
}
