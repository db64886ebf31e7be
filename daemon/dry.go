package daemon

import (
	"context"
	"sync"

	"botwatch/store"
)

// dryStore reads from a store and writes nothing to it: no lease, no
// checkpoint, no status, and every write succeeds.
type dryStore struct {
	store.Store
	mu         sync.Mutex
	checkpoint store.Checkpoint
}

func (d *dryStore) Acquire(context.Context, string) (int64, error) { return 1 << 62, nil }
func (d *dryStore) Renew(context.Context, int64) error             { return nil }
func (d *dryStore) Release(context.Context, int64) error           { return nil }

func (d *dryStore) Load(context.Context) (store.Checkpoint, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checkpoint, nil
}

func (d *dryStore) Save(_ context.Context, _ int64, c store.Checkpoint) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checkpoint = c
	return nil
}

func (d *dryStore) Write(_ context.Context, writes []store.Write) ([]store.Outcome, error) {
	outcomes := make([]store.Outcome, len(writes))
	for i := range outcomes {
		outcomes[i].Result = store.Written
	}
	return outcomes, nil
}

func (d *dryStore) Requests(context.Context, bool) ([]store.Request, error) { return nil, nil }
func (d *dryStore) Update(context.Context, store.Request) error             { return nil }
func (d *dryStore) Publish(context.Context, int64, []byte) error            { return nil }
