package mongotest

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// handler is how a command is done.
type handler struct {
	run    func(*Server, *call) (value.Doc, error)
	fields map[string]bool
	flags  traits
	since  int // the first version that has it
}

// traits tell commands apart.
type traits int

const (
	writes    traits = 1 << iota // needs the primary, and waits for its write concern
	reads                        // needs the primary, or a read preference for others
	early                        // before authentication
	adminOnly                    // on the database admin alone
	stable                       // in version 1 of the stable API
)

// dispatch does a request's command and gives the reply; alive is false where the
// connection is to be cut instead.
func (s *Server) dispatch(conn *conn, m *wire.Message) (reply value.Doc, alive bool) {
	c := &call{server: s, conn: conn, ctx: conn.ctx, name: command(m.Body), body: m.Body, message: m, version: s.version, txn: -1}
	s.counts.add(c.name)
	if !s.rules.before(c) {
		return nil, false
	}
	point := s.failPoints.enter(failCommand, c)
	if point != nil && point.blocks && !sleep(conn.ctx, point.block) {
		return nil, false
	}
	var result value.Doc
	var err error
	switch {
	case point != nil && point.cut:
		return nil, false
	case point != nil && point.code != 0:
		err = fault.New(point.code, "Failing command via 'failCommand' failpoint")
	default:
		result, err = s.do(c)
	}
	if c.cutReply {
		return nil, false
	}
	return s.reply(c, result, err, point), true
}

// do finds the command, holds the request against what it needs, and runs it.
func (s *Server) do(c *call) (value.Doc, error) {
	h, ok := handlers[c.name]
	if !ok || s.version.major < h.since {
		return nil, fault.New(fault.CommandNotFound, "no such command: '%s'", c.name)
	}
	c.db = c.text("$db")
	if c.db == "" && c.bad() == nil {
		return nil, fault.New(fault.MissingField, "BSON field '%s.$db' is missing but a required field", c.name)
	}
	if s.auth != nil && c.conn.user == "" && h.flags&early == 0 {
		return nil, fault.New(fault.Unauthorized, "Command %s requires authentication", c.name)
	}
	if h.flags&adminOnly != 0 && c.db != "admin" {
		return nil, fault.New(fault.Unauthorized, "%s may only be run against the admin database.", c.name)
	}
	if err := s.api(c, h); err != nil {
		return nil, err
	}
	if h.fields != nil {
		if err := c.known(h.fields); err != nil {
			return nil, err
		}
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	c.writing = h.flags&writes != 0 || c.name == "aggregate" && s.outputs(c)
	if err := s.mayRun(c, h); err != nil {
		return nil, err
	}
	if c.has("writeConcern") && !c.writing {
		return nil, fault.New(fault.InvalidOptions, "Command does not support writeConcern")
	}
	limit := c.natural("maxTimeMS", 0)
	if limit > math.MaxInt32 {
		return nil, fault.New(fault.BadValue, "%d value for maxTimeMS is out of range [0, %d]", limit, math.MaxInt32)
	}
	if limit > 0 && c.name != "getMore" { // where it says how long events are waited for
		ctx, cancel := context.WithTimeout(c.ctx, time.Duration(limit)*time.Millisecond)
		defer cancel()
		c.ctx = ctx
	}
	if err := s.readConcern(c, h); err != nil {
		return nil, interrupted(err)
	}
	if err := c.bad(); err != nil {
		return nil, err
	}
	result, err := s.run(c, h)
	if err == nil {
		err = c.bad()
	}
	if err == nil && c.writing {
		result, err = s.acknowledge(c, result)
	}
	return result, interrupted(err)
}

// run runs the command. Those that write do so under one primary: a step-down
// waits for them.
func (s *Server) run(c *call, h handler) (value.Doc, error) {
	if !c.writing {
		return h.run(s, c)
	}
	s.topology.writing.RLock()
	defer s.topology.writing.RUnlock()
	if err := s.mayRun(c, h); err != nil {
		return nil, err
	}
	_, _, c.turn, _ = s.topology.state()
	return h.run(s, c)
}

// interrupted gives the error that a command answers with where its context
// ended, and other errors as they are.
func interrupted(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.MaxTimeMSExpired, "operation exceeded time limit")
	case errors.Is(err, context.Canceled):
		return fault.New(fault.InterruptedAtShutdown, "interrupted at shutdown")
	}
	return err
}

// api holds a request against the stable API that it declares.
func (s *Server) api(c *call, h handler) error {
	v := value.Get(c.body, "apiVersion")
	strict := c.flag("apiStrict", false)
	if value.Missing(v) {
		if c.has("apiStrict") || c.has("apiDeprecationErrors") {
			return fault.New(4886600, "Provided apiStrict and/or apiDeprecationErrors without passing apiVersion")
		}
		return nil
	}
	if text, _ := value.Text(v); text != "1" {
		return fault.New(fault.APIVersionError, "API version must be \"1\"")
	}
	if strict && h.flags&stable == 0 {
		return fault.New(fault.APIStrictError, "Provided apiStrict:true, but the command %s is not in API Version 1", c.name)
	}
	return nil
}

// mayRun refuses writes on a secondary, and reads that do not allow for one.
func (s *Server) mayRun(c *call, h handler) error {
	if s.topology.primary() {
		return nil
	}
	if c.writing {
		return fault.New(fault.NotWritablePrimary, "not primary")
	}
	if h.flags&reads != 0 {
		preference := c.doc("$readPreference")
		if mode, _ := value.Text(value.Get(preference, "mode")); preference == nil || mode == "primary" {
			return fault.New(fault.NotPrimaryNoSecondaryOk, "not primary and secondaryOk=false")
		}
	}
	return nil
}

// failure makes the reply of an error.
func failure(e *fault.Error) value.Doc {
	b := value.NewBuilder(nil)
	failureFields(b, e)
	return b.Doc()
}

func failureFields(b *value.Builder, e *fault.Error) {
	b.Append("ok", value.Double(0))
	b.Append("errmsg", value.String(e.Message))
	b.Append("code", value.Int32(int32(e.Code)))
	b.Append("codeName", value.String(e.Code.Name()))
	for name, v := range value.Elements(e.Extra) {
		b.Append(name, v)
	}
}

// reply makes the reply: the result or the error, labels, and the times.
func (s *Server) reply(c *call, result value.Doc, err error, point *failPoint) value.Doc {
	labels := labels{c: c, point: point}
	b := value.NewBuilder(make([]byte, 0, len(result)+256))
	if err != nil {
		e := fault.Of(err)
		failureFields(b, e)
		labels.of(e)
	} else {
		for name, v := range value.Elements(result) {
			if name == "writeConcernError" {
				labels.concern(v)
			}
			b.Append(name, v)
		}
		if point != nil && point.concern != nil && c.writing && value.Missing(value.Get(result, "writeConcernError")) {
			v := value.Document(point.concern)
			b.Append("writeConcernError", v)
			labels.concern(v)
		}
		b.Append("ok", value.Double(1))
	}
	if len(labels.list) > 0 {
		b.Append("errorLabels", value.Of(labels.list))
	}
	if labels.turned && !s.options.Standalone {
		_, _, counter, _ := s.topology.state()
		b.Append("topologyVersion", value.Document(s.topology.version(counter)))
	}
	if !s.options.Standalone {
		applied := s.store.Applied()
		b.Append("$clusterTime", value.Of(value.D(
			"clusterTime", applied,
			"signature", value.D("hash", value.Binary(0, make([]byte, 20)), "keyId", value.Int64(0)))))
		if c.majority {
			applied = s.store.Committed()
		}
		b.Append("operationTime", value.Timestamp(applied))
	}
	return b.Doc()
}

// labels are the errorLabels of a reply.
type labels struct {
	c      *call
	point  *failPoint
	list   []string
	turned bool // the error is about who is primary, and goes with topologyVersion
}

func (l *labels) of(e *fault.Error) {
	l.list = append(l.list, e.Labels...)
	l.turned = notPrimary(e.Code)
	if l.given() {
		return
	}
	if l.c.retryable() && retryable(e.Code) {
		l.add("RetryableWriteError")
	}
	if l.c.streams() && resumable(e.Code) {
		l.add("ResumableChangeStreamError")
	}
	if e.Code == fault.ChangeStreamFatalError || e.Code == fault.ChangeStreamHistoryLost {
		l.add("NonResumableChangeStreamError")
	}
}

// concern labels a write concern error.
func (l *labels) concern(v value.Value) {
	code, _ := value.Integer(value.Get(value.Doc(v.Value), "code"))
	l.turned = notPrimary(fault.Code(code))
	if l.given() {
		return
	}
	if l.c.retryable() && retryable(fault.Code(code)) {
		l.add("RetryableWriteError")
	}
}

// given takes the labels that a fail point dictates, if it does.
func (l *labels) given() bool {
	if l.point == nil || l.point.labels == nil {
		return false
	}
	for _, name := range l.point.labels {
		l.add(name)
	}
	return true
}

func (l *labels) add(name string) {
	if !slices.Contains(l.list, name) {
		l.list = append(l.list, name)
	}
}

// notPrimary says that an error is about who is primary.
func notPrimary(code fault.Code) bool {
	switch code {
	case fault.PrimarySteppedDown, fault.NotWritablePrimary, fault.InterruptedDueToReplStateChange,
		fault.NotPrimaryNoSecondaryOk, fault.NotPrimaryOrSecondary:
		return true
	}
	return false
}

// retryable says that a write may be tried again after an error.
func retryable(code fault.Code) bool {
	switch code {
	case fault.HostUnreachable, fault.HostNotFound, fault.NetworkTimeout, fault.ShutdownInProgress,
		fault.ExceededTimeLimit, fault.SocketException, fault.InterruptedAtShutdown:
		return true
	}
	return notPrimary(code)
}

// resumable says that a change stream may be resumed after an error. A lost
// cursor (43) clients know by its code.
func resumable(code fault.Code) bool {
	switch code {
	case 63, 133, 134, 150, 234, 13388:
		return true
	}
	return retryable(code)
}
