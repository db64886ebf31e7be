package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"botwatch/store"
)

// stalling is a store that can be told to write no predictions for a while, and
// tells when a daemon is through with it.
type stalling struct {
	store.Store
	gate  atomic.Pointer[chan struct{}] // writes wait until it is closed; nil: they do not
	last  atomic.Pointer[store.Checkpoint]
	saved chan struct{} // takes a token with each checkpoint
	extra store.Account // beyond those that are measured
}

func newStalling(s store.Store, extra store.Account) *stalling {
	return &stalling{Store: s, saved: make(chan struct{}, 1), extra: extra}
}

// stall holds writes back until release is called.
func (s *stalling) stall() (release func()) {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	return func() { close(gate) }
}

func (s *stalling) Write(ctx context.Context, writes []store.Write) ([]store.Outcome, error) {
	if gate := s.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Store.Write(ctx, writes)
}

func (s *stalling) Save(ctx context.Context, epoch int64, c store.Checkpoint) error {
	if err := s.Store.Save(ctx, epoch, c); err != nil {
		return err
	}
	s.last.Store(&c)
	select {
	case s.saved <- struct{}{}:
	default:
	}
	return nil
}

// drained waits until a checkpoint covers all that has changed by now. On MongoDB
// an idle stream's checkpoint moves on but now and then; so something happens once
// more: the extra account comes, and goes again.
func (s *stalling) drained(ctx context.Context) error {
	head, err := s.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	if err := s.PutAccounts(ctx, []store.Account{s.extra}); err != nil {
		return fmt.Errorf("put an account: %w", err)
	}
	if err := s.DeleteAccounts(ctx, []store.ID{s.extra.ID}); err != nil {
		return fmt.Errorf("delete an account: %w", err)
	}
	for {
		if c := s.last.Load(); c != nil && c.Owed == nil && c.Seq >= head.Seq {
			return nil
		}
		select {
		case <-s.saved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
