package daemon

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sirupsen/logrus"

	"botwatch/store"
)

// Limits of trying again.
const (
	retryFirst = 250 * time.Millisecond
	retryMost  = 5 * time.Second // little beside a lease, so that a standby is in time
	tellEvery  = time.Minute     // between log lines of one trouble
)

// ends says whether an error cannot pass by waiting: what is there is not ours,
// or not ours any more. All else is tried again, since a daemon that ends at an
// election of its database needs somebody to start it.
func ends(err error) bool {
	var held *store.HeldError
	return errors.Is(err, store.ErrForeign) || errors.Is(err, store.ErrNewerSchema) || errors.Is(err, store.ErrReadOnly) ||
		errors.Is(err, store.ErrFenced) || errors.As(err, &held)
}

// trouble is something that is tried again until it works. Its log has the first
// failure, then one a minute, and a line when it is over. Not safe for concurrent
// use.
type trouble struct {
	o       *Options
	what    string
	attempt int       // failures in a row
	since   time.Time // of the first of them
	told    time.Time
}

func newTrouble(o *Options, what string) *trouble { return &trouble{o: o, what: what} }

// failed counts a failure.
func (t *trouble) failed(err error) {
	now := t.o.Now()
	if t.attempt++; t.attempt == 1 {
		t.since, t.told = now, time.Time{}
	}
	if now.Sub(t.told) >= tellEvery {
		t.told = now
		t.o.Log.WithError(err).WithField(fieldAttempt, t.attempt).Warn(t.what + "; will try again")
	}
}

// over counts a success.
func (t *trouble) over() {
	if t.attempt > 0 {
		t.o.Log.WithFields(logrus.Fields{"attempts": t.attempt, "after": t.o.Now().Sub(t.since).Round(time.Millisecond)}).
			Info(t.what + ": recovered")
	}
	t.attempt = 0
}

// wait sleeps before the next attempt, longer after each failure.
func (t *trouble) wait(ctx context.Context) error {
	d := min(retryFirst<<min(t.attempt, 10), retryMost)
	return sleep(ctx, d/2+rand.N(d/2))
}
