// Package changes has change streams: they read the oplog and make events of
// its entries, as the manual's pages on change streams and change events and
// the drivers' specification (source/change-streams) say.
package changes

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// MaxEvent is how many bytes an event may have: a document's, and 16 KiB for
// what the server itself adds.
const MaxEvent = engine.MaxDocument + 16<<10

// readAhead is how many entries a stream takes from the oplog at once.
const readAhead = 256

// Scope is what a stream watches.
type Scope struct {
	DB   string // empty for the deployment
	Coll string // empty for all collections of the database
}

// Stream is an open change stream. It is not safe for concurrent use.
type Stream struct {
	store   *engine.Store
	scope   Scope
	options options
	out     aggregate.Iterator
	hides   []*match.Filter // leading filters, which may hide the event to resume after

	next   uint64 // index of the oplog's entry to be read
	ahead  []*engine.Entry
	from   bson.Timestamp // entries before it are passed over
	resume *token         // the event that must be found first
	queue  []made         // events that are made
	closed bool           // by an invalidate event

	scanned  bson.Timestamp // the newest entry that was looked at
	last     token          // of the last event made
	returned token          // of the last one given, or where the stream began
	before   token          // the one given before that
	unread   value.Doc
	parts    []value.Doc // of a split event, still to be given
	skip     byte        // how many parts were given before the resume
}

// made is an event with its token.
type made struct {
	event value.Doc
	token token
}

// Open opens a stream. spec is what $changeStream holds, stages what follows
// it. Its position, or that of now, must be one that the oplog still has.
func Open(store *engine.Store, scope Scope, spec value.Doc, stages []value.Doc, version Version, env *aggregate.Env) (*Stream, error) {
	o, err := parse(spec, scope, version)
	if err != nil {
		return nil, err
	}
	s := &Stream{store: store, scope: scope, options: o}
	if n := len(stages); n > 0 && !value.Missing(value.Get(stages[n-1], "$changeStreamSplitLargeEvent")) {
		s.options.split = true
		stages = stages[:n-1]
	}
	for _, stage := range stages {
		if !value.Missing(value.Get(stage, "$changeStreamSplitLargeEvent")) {
			return nil, fault.New(7182802, "$changeStreamSplitLargeEvent must be the last stage in the pipeline")
		}
	}
	if err := aggregate.CheckStream(stages); err != nil {
		return nil, err
	}
	pipeline, err := aggregate.Compile(stages, env)
	if err != nil {
		return nil, err
	}
	if s.hides, err = leading(stages, env); err != nil {
		return nil, err
	}
	s.out = pipeline.Run((*source)(s))
	return s, s.begin()
}

// leading gives the filters at a pipeline's start that a server applies before
// it looks for the event to resume after: those that need no look-up.
func leading(stages []value.Doc, env *aggregate.Env) ([]*match.Filter, error) {
	var filters []*match.Filter
	for _, stage := range stages {
		query := value.Get(stage, "$match")
		if !value.IsDocument(query) {
			break
		}
		if mentions(query, "fullDocument") {
			continue
		}
		f, err := match.Compile(value.Doc(query.Value), env.Env)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// begin finds the place where the stream starts.
func (s *Stream) begin() error {
	switch o := s.options; {
	case o.token != nil:
		t := *o.token
		if t.event && t.sub == 1 && !o.startAfter {
			return fault.New(fault.InvalidResumeToken,
				"Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification.")
		}
		s.from, s.returned = t.at, t
		if t.event {
			s.resume = &t
		}
	case o.at != nil:
		s.from = *o.at
		s.returned = token{at: s.from}
	default:
		last := s.store.Committed()
		s.from = bson.Timestamp{T: last.T, I: last.I + 1}
		s.returned = token{at: s.from}
	}
	s.before = s.returned
	var covered bool
	if s.next, covered = s.store.Locate(s.from); !covered {
		return fault.New(fault.ChangeStreamHistoryLost,
			"Resume of change stream was not possible, as the resume point may no longer be in the oplog.")
	}
	for s.resume != nil {
		e, err := s.entry()
		if e == nil || err != nil {
			return err
		}
		if err := s.process(e); err != nil {
			return err
		}
	}
	return nil
}

// Next gives the next event; false where there is none now.
func (s *Stream) Next() (value.Doc, bool, error) {
	if s.unread != nil {
		event := s.unread
		s.unread = nil
		return event, true, nil
	}
	for {
		if len(s.parts) > 0 {
			part := s.parts[0]
			s.parts = s.parts[1:]
			s.give(byteAt(part))
			return part, true, nil
		}
		event, ok, err := s.out.Next()
		if !ok || err != nil {
			return nil, false, err
		}
		if !value.Equal(value.Get(event, "_id"), value.Document(s.last.doc())) {
			return nil, false, fault.New(fault.ChangeStreamFatalError,
				"Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying the _id field of an event makes it impossible to resume the stream from that point.")
		}
		if s.options.split && (len(event) > engine.MaxDocument || s.skip > 0) {
			if s.parts, err = split(event, s.last); err != nil {
				return nil, false, err
			}
			s.parts = s.parts[min(int(s.skip), len(s.parts)):]
			s.skip = 0
			continue
		}
		if len(event) > MaxEvent {
			return nil, false, fault.New(fault.BSONObjectTooLarge,
				"BSONObj size: %d (0x%X) is invalid. Size must be between 0 and %d(16MB) First element: _id: %s", len(event), len(event), MaxEvent, s.last.doc())
		}
		s.give(0)
		return event, true, nil
	}
}

func (s *Stream) give(fragment byte) {
	s.before = s.returned
	s.returned = s.last
	s.returned.fragment = fragment
}

// Unread takes the last event back: Next gives it again, and Token is that
// before it.
func (s *Stream) Unread(event value.Doc) { s.unread = event }

// Token gives the post-batch resume token: that of the last event given, or a
// high-water mark of what was looked at since.
func (s *Stream) Token() value.Doc {
	switch {
	case s.unread != nil:
		return s.before.doc()
	case len(s.parts) > 0 || !s.returned.at.Before(s.scanned):
		return s.returned.doc()
	}
	return token{at: s.scanned}.doc()
}

// Closed says that an invalidate event was the last one.
func (s *Stream) Closed() bool {
	return s.closed && len(s.queue) == 0 && len(s.parts) == 0 && s.unread == nil
}

// source gives events before the stages.
type source Stream

// Next gives the next event that the stream's scope and options have.
func (s *source) Next() (value.Doc, bool, error) {
	return (*Stream)(s).event()
}

func (s *Stream) event() (value.Doc, bool, error) {
	for len(s.queue) == 0 {
		if s.closed {
			return nil, false, nil
		}
		e, err := s.entry()
		if e == nil || err != nil {
			return nil, false, err
		}
		if err := s.process(e); err != nil {
			return nil, false, err
		}
	}
	m := s.queue[0]
	s.queue = s.queue[1:]
	s.last = m.token
	return m.event, true, nil
}

// entry gives the oplog's next entry; nil for none.
func (s *Stream) entry() (*engine.Entry, error) {
	if len(s.ahead) == 0 {
		entries, next, err := s.store.Read(s.next, readAhead)
		if err != nil || len(entries) == 0 {
			return nil, err
		}
		s.ahead, s.next = entries, next
	}
	e := s.ahead[0]
	s.ahead = s.ahead[1:]
	return e, nil
}

// process makes an entry's events, unless the stream begins behind it.
func (s *Stream) process(e *engine.Entry) error {
	if e.TS.Before(s.from) {
		return nil
	}
	s.scanned = e.TS
	first := byte(0)
	if s.resume != nil {
		event, err := s.resumed(e)
		if err != nil {
			return err
		}
		s.resume = nil
		if event != nil { // the rest of a split event
			s.queue = append(s.queue, *event)
		} else if s.options.token.sub == 0 {
			first = 1
		} else {
			return nil
		}
	}
	if !s.watches(e) {
		return nil
	}
	if first == 0 && len(s.queue) == 0 {
		event, err := s.make(e)
		if event == nil || err != nil {
			return err
		}
		s.queue = append(s.queue, made{event, tokenOf(e, 0)})
	}
	if s.invalidates(e) {
		t := tokenOf(e, 1)
		s.queue = append(s.queue, made{s.invalidate(e, t), t})
		s.closed = true
	}
	return nil
}

// resumed says whether an entry is the one to resume after. The event comes
// again where only some of its fragments were given.
func (s *Stream) resumed(e *engine.Entry) (*made, error) {
	lost := fault.New(fault.ChangeStreamFatalError, "cannot resume stream; the resume token was not found. %s", s.resume.doc())
	t := tokenOf(e, s.resume.sub)
	if !s.watches(e) || !t.same(*s.resume) || t.sub == 1 && !s.invalidates(e) {
		return nil, lost
	}
	if t.sub == 1 {
		return nil, nil
	}
	event, err := s.make(e)
	if err != nil {
		return nil, err
	}
	if event == nil {
		return nil, lost
	}
	for _, f := range s.hides {
		ok, err := f.Match(event)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, lost
		}
	}
	if s.resume.fragment == 0 {
		return nil, nil
	}
	if !s.options.split {
		return nil, fault.New(fault.ChangeStreamFatalError, "the resume token is one of a split event, and the pipeline does not split")
	}
	s.skip = s.resume.fragment
	return &made{event, t}, nil
}
