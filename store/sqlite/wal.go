package sqlite

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"
)

// The write-ahead log is copied into the file when it has walCopy pages that are
// not there yet (8 MiB), and begun anew when it has walRestart pages (32 MiB).
const (
	walCopy    = 1000
	walRestart = 4000
)

const (
	walPause   = 50 * time.Millisecond // between two looks at the log
	walTick    = time.Second           // for what other processes wrote
	walBackoff = time.Second           // after a reader kept the log from being begun anew
	walBusy    = "PRAGMA busy_timeout = 20"
)

// checkpointer keeps the write-ahead log short, beside the writers: a checkpoint
// syncs the disk, for which no write should wait.
type checkpointer struct {
	s    *Store
	wake chan struct{} // of one: something was written
	quit context.CancelFunc
	done sync.WaitGroup
}

func newCheckpointer(s *Store) *checkpointer {
	ctx, cancel := context.WithCancel(context.Background())
	w := &checkpointer{s: s, wake: make(chan struct{}, 1), quit: cancel}
	w.done.Go(func() { w.run(ctx) })
	return w
}

func (w *checkpointer) wrote() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *checkpointer) stop() {
	w.quit()
	w.done.Wait()
}

// run has nobody to tell of errors: what a checkpoint cannot do, the next one
// will, and a broken disk fails the writers, too.
func (w *checkpointer) run(ctx context.Context) {
	tick := time.NewTicker(walTick)
	defer tick.Stop()
	var c *conn
	defer func() {
		if c != nil {
			_ = c.close()
		}
	}()
	for {
		select {
		case <-w.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		pause := walPause
		if c == nil {
			var err error
			if c, err = w.s.connect(ctx, readerCache); err != nil || c.script(walBusy) != nil {
				continue
			}
		}
		if w.checkpoint(ctx, c) {
			pause = walBackoff
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// checkpoint does what is due and says whether a reader was in the way.
func (w *checkpointer) checkpoint(ctx context.Context, c *conn) (busy bool) {
	log, copied, _, err := walState(c, "PRAGMA wal_checkpoint(NOOP)")
	if err == nil && (log-copied >= walCopy || log >= walRestart) {
		log, _, _, err = walState(c, "PRAGMA wal_checkpoint(PASSIVE)")
	}
	if err != nil || log < walRestart {
		return false
	}
	// While there is always somebody writing, copying alone never catches up. The
	// little that is left is copied while nobody of this process writes.
	writer, err := w.s.take(ctx, w.s.writer)
	if err != nil {
		return false
	}
	defer func() { w.s.writer <- writer }()
	_, _, busy, err = walState(c, "PRAGMA wal_checkpoint(RESTART)")
	return busy || err != nil
}

// walState runs a checkpoint and says how many pages the log has, how many of
// them are in the file, and whether others were in the way.
func walState(c *conn, query string) (log, copied int64, busy bool, err error) {
	_, err = c.one(quick, query, func(v []driver.Value) error {
		n, _ := v[0].(int64)
		busy = n != 0
		log, _ = v[1].(int64)
		copied, _ = v[2].(int64)
		return nil
	})
	return log, copied, busy, err
}
