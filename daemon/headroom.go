package daemon

import (
	"context"
	"fmt"
	"time"

	"botwatch/store"
)

const (
	headroomEvery = time.Minute
	// lowHeadroom is the share of the source's history behind the checkpoint below
	// which a warning is due: a pause of that length would lose history.
	lowHeadroom = 0.25
	// warnEvery is the pause between warnings that go on.
	warnEvery = time.Hour
)

// headroomer is a store whose source keeps its history for a while only, and may
// say for how long.
type headroomer interface {
	Headroom(ctx context.Context, seq uint64) (store.Headroom, error)
}

// watchHeadroom looks how much of the source's history is left behind the
// checkpoint. Where that cannot be read, as without the privilege, it is unknown.
func (l *leader) watchHeadroom(ctx context.Context) error {
	h, ok := l.d.watched.(headroomer)
	if !ok || l.polling.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	room, err := h.Headroom(ctx, l.ledger.view().Seq)
	now := l.o.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.headroom = nil
		if !l.headroomTold {
			l.headroomTold = true
			l.o.Log.WithError(err).Info("how far the source's history reaches back is not known")
		}
		return nil
	}
	l.headroom, l.headroomTold = &room, false
	if room.Share() < lowHeadroom && now.Sub(l.headroomWarned) >= warnEvery {
		l.headroomWarned = now
		l.o.Log.WithField("window", room.Window).WithField("left", room.Left).Warn(
			fmt.Sprintf("only %.0f %% of the source's history are left behind the checkpoint: a longer pause loses history; enlarge the oplog", 100*room.Share()))
	}
	return nil
}
