package mongotest

import (
	"context"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// readConcern reads the command's read concern, and waits for the time that it
// names.
func (s *Server) readConcern(c *call, h handler) error {
	spec := c.doc("readConcern")
	if spec == nil {
		return nil
	}
	level := "local"
	var after bson.Timestamp
	for name, v := range value.Elements(spec) {
		switch name {
		case "level":
			level, _ = value.Text(v)
		case "afterClusterTime":
			if v.Type != bson.TypeTimestamp {
				return fault.New(fault.TypeMismatch, "BSON field 'readConcern.afterClusterTime' must be a timestamp")
			}
			after.T, after.I = v.Timestamp()
		case "atClusterTime":
			return fault.NotOffered("readConcern.atClusterTime")
		case "provenance":
		default:
			return fault.New(fault.UnknownField, "BSON field 'readConcern.%s' is an unknown field.", name)
		}
	}
	switch level {
	case "local", "available":
	case "majority":
		c.majority = true
	case "linearizable":
		c.majority = true
		if c.writing {
			return fault.New(fault.InvalidOptions, "%s cannot write with the read concern level linearizable", c.name)
		}
	case "snapshot":
		return fault.NotOffered("readConcern level snapshot")
	default:
		return fault.New(fault.FailedToParse, "Either the read concern level or its spelling is unknown: '%s'", level)
	}
	if h.flags&reads == 0 && h.flags&writes == 0 && level != "local" {
		return fault.New(fault.InvalidOptions, "Command %s does not support read concern", c.name)
	}
	if s.options.Standalone {
		return nil
	}
	if after.After(s.store.Applied()) {
		return fault.New(fault.InvalidOptions, "readConcern afterClusterTime value must not be greater than the current clusterTime")
	}
	if level == "linearizable" {
		after = s.store.Applied()
	}
	if !c.majority {
		return nil
	}
	return s.committed(c.ctx, after, -1)
}

// committed waits until the majority has what was written up to a time. The
// wait of a write ends with the turn that it was written in; turn is negative
// for reads, which go on.
func (s *Server) committed(ctx context.Context, at bson.Timestamp, turn int64) error {
	for {
		changed := s.store.Changed()
		if !at.After(s.store.Committed()) {
			return nil
		}
		_, _, now, turned := s.topology.state()
		if turn >= 0 && now != turn {
			return fault.New(fault.InterruptedDueToReplStateChange, "operation was interrupted")
		}
		select {
		case <-changed:
		case <-turned:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeConcern says what a write waits for.
type writeConcern struct {
	w        value.Value // missing for the default, which is majority
	wtimeout time.Duration
}

func (c *call) readWriteConcern() error {
	spec := c.doc("writeConcern")
	for name, v := range value.Elements(spec) {
		switch name {
		case "w":
			c.concern.w = v
		case "wtimeout":
			n, _ := value.Integer(v)
			c.concern.wtimeout = time.Duration(min(n, math.MaxInt32)) * time.Millisecond
		case "j", "fsync", "provenance":
		default:
			return fault.New(fault.UnknownField, "BSON field 'writeConcern.%s' is an unknown field.", name)
		}
	}
	switch w := c.concern.w; w.Type {
	case 0, bson.TypeString:
	default:
		if n, ok := value.Integer(w); !ok || n < 0 || n > 50 {
			return fault.New(fault.FailedToParse, "w has to be a non-negative number and not greater than 50")
		}
	}
	return nil
}

// acknowledge waits for the write concern, and adds its error to the result.
func (s *Server) acknowledge(c *call, result value.Doc) (value.Doc, error) {
	var failed *fault.Error
	switch w := c.concern.w; {
	case s.options.Standalone:
		if n, ok := value.Integer(w); ok && n > 1 {
			return nil, fault.New(fault.BadValue, "cannot use 'w' > 1 when a host is not replicated")
		}
		return result, nil
	case w.Type == bson.TypeString:
		if text, _ := value.Text(w); text != "majority" {
			failed = fault.New(fault.UnknownReplWriteConcern, "No write concern mode named '%s' found in replica set configuration", text)
			break
		}
		failed = s.awaitMajority(c)
	case value.Missing(w):
		failed = s.awaitMajority(c)
	default:
		if n, _ := value.Integer(w); n > 1 {
			failed = fault.New(fault.UnsatisfiableWriteConcern, "Not enough data-bearing nodes")
		}
	}
	if failed == nil {
		return result, nil
	}
	b := value.NewBuilder(nil)
	for name, v := range value.Elements(result) {
		b.Append(name, v)
	}
	concern := value.NewBuilder(nil)
	concern.Append("code", value.Int32(int32(failed.Code)))
	concern.Append("codeName", value.String(failed.Code.Name()))
	concern.Append("errmsg", value.String(failed.Message))
	for name, v := range value.Elements(failed.Extra) {
		concern.Append(name, v)
	}
	b.Append("writeConcernError", value.Document(concern.Doc()))
	return b.Doc(), nil
}

// awaitMajority waits until a majority has all that was written. What ends that
// before is no error of the write, which is done.
func (s *Server) awaitMajority(c *call) *fault.Error {
	ctx := c.ctx
	if c.concern.wtimeout > 0 {
		limited, cancel := context.WithTimeout(ctx, c.concern.wtimeout)
		defer cancel()
		ctx = limited
	}
	err := s.committed(ctx, s.store.Applied(), c.turn)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && c.ctx.Err() == nil {
		e := fault.New(fault.WriteConcernTimeout, "waiting for replication timed out")
		e.Extra = value.D("errInfo", value.D("wtimeout", true))
		return e
	}
	return fault.Of(interrupted(err))
}
