package memory

import (
	"context"
	"time"

	"botwatch/store"
)

// Op names an operation of the store.
type Op string

// The operations, in the order of the contract.
const (
	OpHead       Op = "head"
	OpStream     Op = "stream"
	OpStreamNext Op = "stream_next"
	OpScan       Op = "scan"
	OpScanNext   Op = "scan_next"
	OpFetch      Op = "fetch"
	OpStamps     Op = "stamps"
	OpWalk       Op = "walk"
	OpWrite      Op = "write"
	OpNewest     Op = "newest"
	OpAcquire    Op = "acquire"
	OpRenew      Op = "renew"
	OpRelease    Op = "release"
	OpLoad       Op = "load"
	OpSave       Op = "save"
	OpDesk       Op = "desk"     // all of store.Desk
	OpLetters    Op = "letters"  // all of store.Letters
	OpReader     Op = "reader"   // all of store.Reader
	OpAccounts   Op = "accounts" // all of store.Accounts
	OpCheck      Op = "check"
)

// Call is one call of an operation, as hooks see it.
type Call struct {
	Op     Op
	N      int           // calls of Op on this handle before this one
	Writes []store.Write // of OpWrite; not to be modified
}

// Faults are the hooks of one handle; nil ones do nothing. They run with
// nothing locked, so that they may call any store, this one included, and on
// the goroutine of the call, so that they may wait. They are called
// concurrently where the store is.
type Faults struct {
	// Call says how a call goes wrong, before it does anything.
	Call func(Call) Fault
	// AfterHead runs in scan_next and fetch between taking the head and reading:
	// what it writes makes the content newer than its stamp.
	AfterHead func(Call)
	// AfterRead runs in stream_next, scan_next, fetch, stamps and walk between
	// reading and answering: what it writes makes the answer old.
	AfterRead func(Call)
	// Batch shapes the batches of stream_next and scan_next, and the answers of
	// fetch.
	Batch func(Call) Shape
	// Write says what becomes of each write of a batch.
	Write func(Call, store.Write) WriteFault
}

// Fault says how one call goes wrong, in the order of the fields. The zero
// Fault lets it pass.
type Fault struct {
	Delay  time.Duration   // wait that long first
	Stall  <-chan struct{} // wait until it is closed
	Before error           // fail, with nothing done
	Hold   <-chan struct{} // with all done, wait until it is closed
	After  error           // with all done, fail: a lost acknowledgement
}

// Shape alters one batch of a feed. The zero Shape leaves it alone.
type Shape struct {
	Max    int // at most so many new changes, where above 0
	Replay int // of streams: so many earlier changes come again before them
}

// WriteFault says what becomes of one write.
type WriteFault uint8

// The faults of a write. With Fault.After they make an unacknowledged batch of
// which some writes were done.
const (
	WritePasses WriteFault = iota
	RetryUndone            // not done, Retry: the loser of two racing inserts
	RetryDone              // done, Retry all the same: not known to be
	RejectWrite            // not done, Rejected
)

// SetFaults replaces the handle's hooks, from its next call on.
func (s *Store) SetFaults(f Faults) {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.faults = f
}

// hooks gives the hooks for a call and numbers it.
func (s *Store) hooks(call *Call) Faults {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	call.N = s.calls[call.Op]
	s.calls[call.Op]++
	return s.faults
}

// do runs a call under its Fault.
func (s *Store) do(ctx context.Context, call Call, work func() error) error {
	return s.doHooked(ctx, call, func(Faults, Call) error { return work() })
}

// doHooked is do for work that has hooks of its own.
func (s *Store) doHooked(ctx context.Context, call Call, work func(Faults, Call) error) error {
	hooks := s.hooks(&call)
	var f Fault
	if hooks.Call != nil {
		f = hooks.Call(call)
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		if err := wait(ctx, s, timer.C); err != nil {
			return err
		}
	}
	if f.Stall != nil {
		if err := wait(ctx, s, f.Stall); err != nil {
			return err
		}
	}
	if f.Before != nil {
		return f.Before
	}
	if err := s.alive(ctx); err != nil {
		return err
	}
	if err := work(hooks, call); err != nil {
		return err
	}
	if f.Hold != nil {
		if err := wait(ctx, s, f.Hold); err != nil {
			return err
		}
	}
	return f.After
}

// alive says why no call can succeed any more, if so.
func (s *Store) alive(ctx context.Context) error {
	select {
	case <-s.closed:
		return errClosed
	default:
		return ctx.Err()
	}
}

// wait waits for a channel, within the context and the handle's life.
func wait[T any](ctx context.Context, s *Store, c <-chan T) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return errClosed
	}
}

func run(hook func(Call), call Call) {
	if hook != nil {
		hook(call)
	}
}

func (f Faults) shape(call Call) Shape {
	if f.Batch == nil {
		return Shape{}
	}
	return f.Batch(call)
}
