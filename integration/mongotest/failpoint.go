package mongotest

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// The fail points that are offered, as real servers have them for tests.
const (
	failCommand = "failCommand"
	// failGetMore fails a getMore that has its cursor already.
	failGetMore = "failGetMoreAfterCursorCheckout"
	// failRetryable ends the connection of a retryable write, after a statement or
	// instead of it.
	failRetryable = "onPrimaryTransactionalWrite"
)

// failPointData are the fields of data, by fail point.
var failPointData = map[string]map[string]bool{
	failCommand: set("failCommands", "appName", "namespace", "errorCode", "errorLabels", "closeConnection",
		"blockConnection", "blockTimeMS", "writeConcernError", "failInternalCommands"),
	failGetMore:   set("errorCode", "closeConnection"),
	failRetryable: set("failBeforeCommitExceptionCode", "closeConnection"),
}

// failPoints are the fail points that configureFailPoint sets.
type failPoints struct {
	mu     sync.Mutex
	active map[string]*failPoint
	count  map[string]int64 // how often each was entered
}

// failPoint is what mode and data say.
type failPoint struct {
	mode  string // alwaysOn, times, skip, activationProbability
	left  int64  // of times, or to be skipped
	share float64

	commands map[string]bool
	app      string
	ns       string
	code     fault.Code
	labels   []string // nil where none are dictated
	cut      bool
	blocks   bool
	block    time.Duration
	concern  value.Doc
}

// suits says that failCommand is for a command.
func (p *failPoint) suits(c *call) bool {
	if !p.commands[c.name] || c.name == "configureFailPoint" {
		return false
	}
	cmd := c.command()
	return (p.app == "" || p.app == cmd.App) && (p.ns == "" || p.ns == cmd.DB+"."+cmd.Coll)
}

// enter gives a fail point if it acts now.
func (f *failPoints) enter(name string, c *call) *failPoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.active[name]
	if p == nil || name == failCommand && !p.suits(c) {
		return nil
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
	f.count[name]++
	return p
}

// statement meets failRetryable before a statement is done; an error is to be
// the statement's.
func (f *failPoints) statement(c *call) error {
	p := f.enter(failRetryable, c)
	if p == nil {
		return nil
	}
	c.cutReply = c.cutReply || p.cut
	if p.code != 0 {
		return fault.New(p.code, "Failing write before transaction commit")
	}
	return nil
}

// configureFailPoint sets a fail point, or ends it. The reply's count says how
// often it was entered, ever.
func (s *Server) configureFailPoint(c *call) (value.Doc, error) {
	name := c.text("configureFailPoint")
	fields, offered := failPointData[name]
	if !offered {
		return nil, fault.NotOffered("the fail point %s", name)
	}
	p := &failPoint{commands: map[string]bool{}, block: -1, cut: name == failRetryable}
	if err := p.setMode(value.Get(c.body, "mode")); err != nil {
		return nil, err
	}
	for field, v := range value.Elements(c.doc("data")) {
		if !fields[field] {
			return nil, fault.NotOffered("%s with %s", name, field)
		}
		if err := p.set(field, v); err != nil {
			return nil, err
		}
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	switch {
	case p.blocks && p.block < 0:
		return nil, fault.New(fault.InvalidOptions, "must specify 'blockTimeMS' when 'blockConnection' is true")
	case name == failGetMore && p.cut:
		return nil, fault.NotOffered("%s with closeConnection", name)
	}
	f := &s.failPoints
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.active, name)
	if p.mode != "off" {
		f.active[name] = p
	}
	return ok("count", value.Int64(f.count[name])), nil
}

// setMode reads when the fail point acts.
func (p *failPoint) setMode(mode value.Value) error {
	if text, ok := value.Text(mode); ok {
		if p.mode = text; text != "off" && text != "alwaysOn" {
			return fault.New(fault.BadValue, "unknown mode: %s", text)
		}
		return nil
	}
	if !value.IsDocument(mode) {
		return fault.New(fault.TypeMismatch, "'mode' must be a string or JSON object")
	}
	for field, v := range value.Elements(value.Doc(mode.Value)) {
		if p.mode != "" {
			return fault.New(fault.BadValue, "'mode' must have one field")
		}
		p.mode = field
		switch field {
		case "times", "skip":
			n, ok := value.Integer(v)
			if !ok {
				return fault.New(fault.TypeMismatch, "'%s' option to 'mode' must be a number", field)
			}
			if p.left = n; n < 0 {
				return fault.New(fault.BadValue, "'%s' option to 'mode' must be positive", field)
			}
		case "activationProbability":
			share, ok := value.Float(v)
			if !ok {
				return fault.New(fault.TypeMismatch, "'activationProbability' option to 'mode' must be a number")
			}
			if p.share = share; !(share >= 0 && share <= 1) {
				return fault.New(fault.BadValue, "'activationProbability' must be between 0.0 and 1.0")
			}
		default:
			return fault.New(fault.BadValue, "unknown mode: %s", field)
		}
	}
	if p.mode == "" {
		return fault.New(fault.BadValue, "'mode' must say one")
	}
	return nil
}

func (p *failPoint) set(field string, v value.Value) error {
	wrong := fault.New(fault.TypeMismatch, "fail point: %s has the wrong type %s", field, value.TypeName(v.Type))
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
	case "errorCode", "failBeforeCommitExceptionCode":
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
		p.blocks = value.Truthy(v)
	case "blockTimeMS":
		n, ok := value.Integer(v)
		if !ok || n < 0 || n > math.MaxInt32 {
			return wrong
		}
		p.block = time.Duration(n) * time.Millisecond
	case "writeConcernError":
		if !value.IsDocument(v) {
			return wrong
		}
		p.concern = named(value.Doc(v.Value))
		if given := value.Get(value.Doc(v.Value), "errorLabels"); value.IsArray(given) && p.labels == nil {
			return p.set("errorLabels", given)
		}
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
