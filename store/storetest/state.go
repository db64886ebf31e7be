package storetest

import (
	"errors"
	"reflect"
	"strconv"
	"time"

	"botwatch/store"
)

var leaseCases = []testCase{
	{"is one holder's at a time", func(e *env) {
		epoch, err := e.s.Acquire(e.ctx, "first")
		e.must("Acquire", err)
		if epoch < 1 {
			e.Errorf("epoch %d, want 1 at least", epoch)
		}
		for _, s := range []store.Store{e.s, e.connect()} {
			_, err = s.Acquire(e.ctx, "second")
			var held *store.HeldError
			if !errors.As(err, &held) {
				e.Fatalf("Acquire by another: %v, want a HeldError", err)
			}
			if held.Holder != "first" || time.Since(held.Since).Abs() > patience {
				e.Errorf("held by %q since %v, want by first since now", held.Holder, held.Since)
			}
		}
		e.must("Renew", e.s.Renew(e.ctx, epoch))
	}},
	{"raises the epoch each time, for the same holder too, and over restarts", func(e *env) {
		last := int64(0)
		for i := range 6 {
			epoch, err := e.s.Acquire(e.ctx, "first")
			e.must("Acquire", err)
			if epoch <= last {
				e.Errorf("epoch %d after %d", epoch, last)
			}
			last = epoch
			switch i % 3 {
			case 0:
				e.must("Release", e.s.Release(e.ctx, epoch))
			case 1:
				e.must("Release", e.s.Release(e.ctx, epoch))
				e.restart()
			}
		}
	}},
	{"raises the epoch above all that is stored, tombstones too", func(e *env) {
		last, err := e.s.Acquire(e.ctx, "first")
		e.must("Acquire", err)
		e.written(replace(store.StringID("a"), version(last, 1)))
		for i, w := range []store.Write{
			replace(store.StringID("a"), version(last+40, 5)), // as after a loss of the state
			remove(store.StringID("b"), version(last+80, 3)),
		} {
			e.written(w)
			if i == 1 {
				e.restart()
			}
			epoch, err := e.s.Acquire(e.ctx, "first")
			e.must("Acquire", err)
			if epoch <= w.Version.Epoch {
				e.Errorf("epoch %d, with %d stored", epoch, w.Version.Epoch)
			}
			e.must("Renew", e.s.Renew(e.ctx, epoch))
		}
	}},
	{"is free for another after a release", func(e *env) {
		old, err := e.s.Acquire(e.ctx, "first")
		e.must("Acquire", err)
		e.must("Release", e.s.Release(e.ctx, old))
		other := e.connect()
		epoch, err := other.Acquire(e.ctx, "second")
		e.must("Acquire by another", err)
		if epoch <= old {
			e.Errorf("epoch %d after %d", epoch, old)
		}
		e.checkFenced(old)
		e.must("Release of what is another's", e.s.Release(e.ctx, old))
		e.must("Renew by its holder", other.Renew(e.ctx, epoch))
		e.must("Save by its holder", other.Save(e.ctx, epoch, e.checkpoint()))
	}},
	{"is free for another when it has run out, and fences the old holder", func(e *env) {
		if e.h.ExpireLease == nil {
			e.Skip("the harness cannot let the lease run out")
		}
		old, err := e.s.Acquire(e.ctx, "first")
		e.must("Acquire", err)
		e.h.ExpireLease(e.T, e.s)
		other := e.connect()
		epoch, err := other.Acquire(e.ctx, "second")
		e.must("Acquire by another", err)
		if epoch <= old {
			e.Errorf("epoch %d after %d", epoch, old)
		}
		e.checkFenced(old)
	}},
	{"an older epoch of the same holder is fenced", func(e *env) {
		old, err := e.s.Acquire(e.ctx, "first")
		e.must("Acquire", err)
		_, err = e.s.Acquire(e.ctx, "first")
		e.must("Acquire again", err)
		e.checkFenced(old)
	}},
}

// checkFenced checks that an epoch can neither renew nor save.
func (e *env) checkFenced(epoch int64) {
	e.Helper()
	before, err := e.s.Load(e.ctx)
	e.must("Load", err)
	if err := e.s.Renew(e.ctx, epoch); !errors.Is(err, store.ErrFenced) {
		e.Errorf("Renew of an old epoch: %v, want ErrFenced", err)
	}
	c := e.checkpoint()
	c.HistoryLost = before.HistoryLost + 1
	if err := e.s.Save(e.ctx, epoch, c); !errors.Is(err, store.ErrFenced) {
		e.Errorf("Save of an old epoch: %v, want ErrFenced", err)
	}
	after, err := e.s.Load(e.ctx)
	e.must("Load", err)
	if diff := differ(before, after); diff != "" {
		e.Errorf("the fenced Save changed the checkpoint (-before +after):\n%s", diff)
	}
}

var checkpointCases = []testCase{
	{"is zero at first", func(e *env) {
		c, err := e.s.Load(e.ctx)
		e.must("Load", err)
		if diff := differ(store.Checkpoint{}, c); diff != "" {
			e.Errorf("Load (-want +got):\n%s", diff)
		}
	}},
	{"comes back whole, every field", func(e *env) {
		epoch, err := e.s.Acquire(e.ctx, "suite")
		e.must("Acquire", err)
		e.put(1, store.StringID("a"))
		var c store.Checkpoint
		fill(reflect.ValueOf(&c).Elem(), new(int))
		at := e.checkpoint()
		c.Schema, c.Identity, c.Position, c.Seq = at.Schema, at.Identity, at.Position, at.Seq
		e.must("Save", e.s.Save(e.ctx, epoch, c))
		check := func(when string) {
			e.Helper()
			got, err := e.s.Load(e.ctx)
			e.must("Load", err)
			if diff := differ(kept(e, c), got); diff != "" {
				e.Errorf("%s (-saved +loaded):\n%s", when, diff)
			}
		}
		check("at once")
		// Whole means whole: what is no longer there goes.
		c.Owed, c.Scans, c.Breakers, c.Jobs = nil, nil, nil, nil
		e.must("Save", e.s.Save(e.ctx, epoch, c))
		check("replaced")
		e.restart()
		check("after a restart")
	}},
	{"of a newer schema is refused", func(e *env) {
		epoch, err := e.s.Acquire(e.ctx, "suite")
		e.must("Acquire", err)
		c := e.checkpoint()
		c.Schema = store.Schema + 1
		e.must("Save", e.s.Save(e.ctx, epoch, c))
		if _, err := e.s.Load(e.ctx); !errors.Is(err, store.ErrNewerSchema) {
			e.Errorf("Load: %v, want ErrNewerSchema", err)
		}
	}},
	{"drops no change that comes after it", func(e *env) {
		epoch, err := e.s.Acquire(e.ctx, "suite")
		e.must("Acquire", err)
		var ids []store.ID
		at := []store.Checkpoint{e.checkpoint()} // before each page
		const size = 4
		for i := range 5 {
			page := numbered(strconv.Itoa(i)+"-", size)
			e.put(1, page...)
			ids, at = append(ids, page...), append(at, e.checkpoint())
		}
		for i, c := range at {
			e.must("Save", e.s.Save(e.ctx, epoch, c))
			rest := ids[i*size:]
			e.sameIDs("Stream from the checkpoint", idsOf(e.follow(c.Position, len(rest))), rest)
		}
		idle := e.open(at[len(at)-1].Position).next().After
		c := e.checkpoint()
		c.Position = idle
		e.must("Save", e.s.Save(e.ctx, epoch, c))
		e.restart()
		id := store.StringID("late")
		e.put(1, id)
		e.sameIDs("Stream after a restart", idsOf(e.follow(idle, 1)), []store.ID{id})
	}},
	{"is safe to repeat, and to save an older position", func(e *env) {
		epoch, err := e.s.Acquire(e.ctx, "suite")
		e.must("Acquire", err)
		older := e.checkpoint()
		e.put(1, store.StringID("a"))
		newer := e.checkpoint()
		for _, c := range []store.Checkpoint{newer, newer, older} {
			e.must("Save", e.s.Save(e.ctx, epoch, c))
		}
		got, err := e.s.Load(e.ctx)
		e.must("Load", err)
		if diff := differ(older.Position, got.Position); diff != "" {
			e.Errorf("position (-want +got):\n%s", diff)
		}
	}},
}

// checkpoint is one at the head.
func (e *env) checkpoint() store.Checkpoint {
	e.Helper()
	h := e.head()
	return store.Checkpoint{Schema: store.Schema, Identity: h.Identity, Position: h.Position, Seq: h.Seq, At: start}
}

// fill gives every field below v a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(start.Add(time.Duration(*n) * time.Second)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.String:
		v.SetString("ü" + strconv.Itoa(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 3)
	default:
		panic("storetest: fill cannot make a " + v.Type().String())
	}
}
