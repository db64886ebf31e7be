package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"botwatch/store"
)

// keptRequests is how many finished requests stay.
const keptRequests = 100

// Submit files a request.
func (s *Store) Submit(ctx context.Context, r store.Request) (id string, err error) {
	err = s.do(ctx, Call{Op: OpDesk}, func() error {
		s.locked(func() {
			s.filed++
			id = fmt.Sprintf("r%d", s.filed)
			r.ID, r.State, r.Args = id, store.RequestFiled, maps.Clone(r.Args)
			if r.Filed.IsZero() {
				r.Filed = s.opts.Now()
			}
			s.requests = append(s.requests, r)
		})
		return nil
	})
	return onlyIf(id, err)
}

// Requests lists requests, oldest first.
func (s *Store) Requests(ctx context.Context, all bool) (list []store.Request, err error) {
	err = s.do(ctx, Call{Op: OpDesk}, func() error {
		s.locked(func() {
			for _, r := range s.requests {
				if all || !r.Finished() {
					r.Args = maps.Clone(r.Args)
					list = append(list, r)
				}
			}
		})
		return nil
	})
	return onlyIf(list, err)
}

// Update replaces a request. Beyond 100, the oldest finished ones go.
func (s *Store) Update(ctx context.Context, r store.Request) error {
	return s.do(ctx, Call{Op: OpDesk}, func() (err error) {
		s.locked(func() {
			at := slices.IndexFunc(s.requests, func(q store.Request) bool { return q.ID == r.ID })
			if at < 0 {
				err = fmt.Errorf("update request %q: there is none", r.ID)
				return
			}
			r.Args = maps.Clone(r.Args)
			s.requests[at] = r
			s.dropFinished()
		})
		return err
	})
}

func (d *data) dropFinished() {
	finished := 0
	for _, r := range d.requests {
		if r.Finished() {
			finished++
		}
	}
	d.requests = slices.DeleteFunc(d.requests, func(r store.Request) bool {
		drop := r.Finished() && finished > keptRequests
		if drop {
			finished--
		}
		return drop
	})
}

// Publish replaces the status, but for that of a greater epoch.
func (s *Store) Publish(ctx context.Context, epoch int64, status []byte) error {
	return s.do(ctx, Call{Op: OpDesk}, func() (err error) {
		s.locked(func() {
			if epoch < s.statusEpoch {
				err = s.fenced("publish status", epoch)
				return
			}
			s.status, s.statusEpoch = slices.Clone(status), epoch
		})
		return err
	})
}

// Published gives the last status.
func (s *Store) Published(ctx context.Context) (status []byte, err error) {
	err = s.do(ctx, Call{Op: OpDesk}, func() error {
		s.locked(func() { status = slices.Clone(s.status) })
		return nil
	})
	return onlyIf(status, err)
}
