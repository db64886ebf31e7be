package simulate_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/simulate"
	"botwatch/store"
)

var _ simulate.Writer = store.Accounts(nil)

// recorder is a Writer that keeps what was written, and fails or takes time on
// request.
type recorder struct {
	before func(ctx context.Context, call int) error // nil: all is well
	after  func(call int) error                      // the write is done, and yet

	mu    sync.Mutex
	calls int
	sizes []int
	docs  map[store.ID]string
}

func (r *recorder) PutAccounts(ctx context.Context, accounts []store.Account) error {
	return r.do(ctx, len(accounts), func() {
		for _, a := range accounts {
			r.docs[a.ID] = string(a.Doc)
		}
	})
}

func (r *recorder) DeleteAccounts(ctx context.Context, ids []store.ID) error {
	return r.do(ctx, len(ids), func() {
		for _, id := range ids {
			delete(r.docs, id)
		}
	})
}

func (r *recorder) do(ctx context.Context, size int, write func()) error {
	r.mu.Lock()
	call := r.calls
	r.calls++
	r.mu.Unlock()
	if r.before != nil {
		if err := r.before(ctx, call); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.docs == nil {
		r.docs = make(map[store.ID]string)
	}
	r.sizes = append(r.sizes, size)
	write()
	if r.after != nil {
		return r.after(call)
	}
	return nil
}

// change is what OnChange is told of.
type change struct {
	ID       store.ID
	Op       store.Op
	Intended time.Duration // since the start
}

// crawler makes a Crawler whose changes go to a list.
func crawler(t *testing.T, o simulate.Options) (*simulate.Crawler, *[]change) {
	t.Helper()
	list, start := new([]change), time.Now()
	o.OnChange = func(id store.ID, op store.Op, intended time.Time) {
		*list = append(*list, change{id, op, intended.Sub(start)})
	}
	c, err := simulate.NewCrawler(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, list
}

func options() simulate.Options {
	o := simulate.DefaultOptions()
	o.Generator = simulate.Generator{Seed: 11, Tweets: 3, Lean: true, Epoch: epoch.AddDate(-30, 0, 0)} // synctest begins in 2000
	return o
}

// sameLive checks that what was written is what the crawler takes for live,
// each account at its revision.
func sameLive(t *testing.T, c *simulate.Crawler, r *recorder) {
	t.Helper()
	live := c.Live()
	if d := cmp.Diff(slices.Sorted(maps.Keys(live)), slices.Sorted(maps.Keys(r.docs))); d != "" {
		t.Errorf("live and written accounts differ (-live +written):\n%s", d)
	}
}

// Changes come one by one at a low rate, each at its moment.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Rate, o.Changes = 4, 9
		c, changes := crawler(t, o)
		start := time.Now()
		var at []time.Duration
		r := &recorder{before: func(context.Context, int) error { at = append(at, time.Since(start)); return nil }}
		if err := c.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		var want []time.Duration
		for i := range 9 {
			want = append(want, time.Duration(i)*250*time.Millisecond)
		}
		if d := cmp.Diff(want, at); d != "" {
			t.Errorf("moments of writing:\n%s", d)
		}
		for i, ch := range *changes {
			if ch.Intended != want[i] {
				t.Errorf("change %d intended at %v, want %v", i, ch.Intended, want[i])
			}
		}
		sameLive(t, c, r)
	})
}

// At a high rate those of 5 ms go together, none earlier than it is due.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Rate, o.Changes, o.Updates, o.Deletes, o.Reinserts = 1000, 1000, 0, 0, 0
		c, changes := crawler(t, o)
		start := time.Now()
		r := &recorder{}
		r.before = func(context.Context, int) error {
			last := (*changes)[len(*changes)-1].Intended
			if late := time.Since(start) - last; late < 0 || late > 5*time.Millisecond {
				t.Errorf("a change intended at %v was written %v later", last, late)
			}
			return nil
		}
		if err := c.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("1,000 changes at 1,000/s took %v", took)
		}
		if n := len(r.sizes); n < 195 || n > 205 {
			t.Errorf("%d writes in 200 ticks", n)
		}
		sameLive(t, c, r)
	})
}

// A writer that was stuck does not shift the schedule: what came due meanwhile
// is written in large batches, with the moments that were intended.
func TestCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Rate, o.Changes, o.Accounts = 200, 1000, 100
		c, changes := crawler(t, o)
		start := time.Now()
		r := &recorder{before: func(_ context.Context, call int) error {
			if call == 20 {
				time.Sleep(3 * time.Second)
			}
			return nil
		}}
		if err := c.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 4995*time.Millisecond || took > 5*time.Second {
			t.Errorf("1,000 changes at 200/s took %v", took)
		}
		for i, ch := range *changes {
			if want := time.Duration(i) * 5 * time.Millisecond; ch.Intended != want {
				t.Fatalf("change %d intended at %v, want %v", i, ch.Intended, want)
			}
		}
		if most := slices.Max(r.sizes); most < 8 {
			t.Errorf("the largest write held %d changes", most)
		}
		sameLive(t, c, r)
	})
}

// The population grows to its size and stays about there, under the mix that
// was asked for.
func TestMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Rate, o.Changes, o.Accounts = 500, 10_000, 400
		o.Updates, o.Deletes, o.Reinserts, o.Poison = 0.4, 0.1, 0.05, 0.02
		c, changes := crawler(t, o)
		r := &recorder{}
		if err := c.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		seen, live := make(map[store.ID]bool), make(map[store.ID]bool)
		counts := make(map[string]int)
		for i, ch := range *changes {
			kind := "insert"
			switch {
			case ch.Op == store.OpDelete:
				kind = "delete"
			case live[ch.ID]:
				kind = "update"
			case seen[ch.ID]:
				kind = "reinsert"
			}
			counts[kind]++
			seen[ch.ID], live[ch.ID] = true, ch.Op == store.OpUpsert
			if kind == "delete" {
				delete(live, ch.ID)
			}
			if len(live) > o.Accounts+50 || i > 2000 && len(live) < o.Accounts-50 {
				t.Fatalf("change %d: %d accounts live, want about %d", i, len(live), o.Accounts)
			}
		}
		for kind, lo := range map[string]int{"insert": 700, "update": 7000, "delete": 900, "reinsert": 400} {
			if counts[kind] < lo {
				t.Errorf("%d of kind %s, want at least %d: %v", counts[kind], kind, lo, counts)
			}
		}
		sameLive(t, c, r)
	})
}

// The same seed does the same.
func TestCrawlerIsDetermined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(seed uint64) ([]change, map[store.ID]string, map[store.ID]int) {
			o := options()
			o.Rate, o.Changes, o.Accounts, o.Poison, o.Generator.Seed = 50, 500, 40, 0.1, seed
			o.Now = func() func() time.Time {
				start := time.Now()
				return func() time.Time { return epoch.Add(time.Since(start)) }
			}()
			c, changes := crawler(t, o)
			r := &recorder{}
			if err := c.Run(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			begin := (*changes)[0].Intended
			for i := range *changes {
				(*changes)[i].Intended -= begin
			}
			return *changes, r.docs, c.Live()
		}
		changes, docs, live := run(1)
		again, docsAgain, liveAgain := run(1)
		_, others, _ := run(2)
		if d := cmp.Diff(changes, again); d != "" {
			t.Errorf("changes differ:\n%s", d)
		}
		if !maps.Equal(docs, docsAgain) || !maps.Equal(live, liveAgain) {
			t.Error("the accounts differ")
		}
		if maps.Equal(docs, others) {
			t.Error("another seed gives the same accounts")
		}
	})
}

// A live account is what its revision says.
func TestLiveRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Rate, o.Changes, o.Accounts = 500, 2000, 50
		c, _ := crawler(t, o)
		r := &recorder{}
		if err := c.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		updated := 0
		for n := range 1000 {
			id := store.StringID(o.Generator.Account(n, 0, epoch).ID)
			revision, ok := c.Live()[id]
			if !ok {
				continue
			}
			if revision > 0 {
				updated++
			}
			crawled := `"crawled_at":"`
			at, _, _ := strings.Cut(strings.SplitAfter(r.docs[id], crawled)[1], `"`)
			now, err := time.Parse(time.DateTime, at)
			if err != nil {
				t.Fatal(err)
			}
			if want := o.Generator.Account(n, revision, now); r.docs[id] != string(want.JSON) {
				t.Errorf("account %d is not at revision %d", n, revision)
			}
		}
		if updated < 20 {
			t.Errorf("%d accounts were updated, want most of 50", updated)
		}
	})
}

// A write that fails, or whose acknowledgement is lost, is done again.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := errors.New("busy")
		o := options()
		o.Rate, o.Changes, o.Accounts = 100, 500, 50
		retries := 0
		o.OnRetry = func(err error, attempts int) {
			retries++
			if !errors.Is(err, busy) || attempts != 1 {
				t.Errorf("retry after %d attempts: %v", attempts, err)
			}
		}
		c, _ := crawler(t, o)
		r := &recorder{}
		failed := -2 // the call that failed last: its repetition works
		fail := func(call, every int) error {
			if call != failed+1 && call%every == every-1 {
				failed = call
				return busy
			}
			return nil
		}
		r.before = func(_ context.Context, call int) error { return fail(call, 5) }
		r.after = func(call int) error { return fail(call, 7) }
		if err := c.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if retries < 5 {
			t.Errorf("%d retries", retries)
		}
		sameLive(t, c, r)
	})
}

// A store that refuses ends the crawl at once, one that never works after a
// number of attempts.
func TestGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		calls int
	}{"read-only": {store.ErrReadOnly, 1}, "broken": {errors.New("disk full"), 10}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crawl, _ := crawler(t, options())
				r := &recorder{before: func(context.Context, int) error { return c.err }}
				if err := crawl.Run(t.Context(), r); !errors.Is(err, c.err) || !strings.HasPrefix(err.Error(), "put accounts: ") {
					t.Errorf("Run: %v", err)
				}
				if r.calls != c.calls {
					t.Errorf("%d attempts, want %d", r.calls, c.calls)
				}
			})
		})
	}
}

// Cancelling ends Run at once while it waits; a write at hand may end, for a while.
func TestCancel(t *testing.T) {
	stuck := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	slow := func(context.Context, int) error { time.Sleep(time.Second); return nil }
	failing := func(context.Context, int) error { return errors.New("busy") }
	for name, c := range map[string]struct {
		before func(context.Context, int) error
		took   time.Duration
		ok     bool
	}{
		"waiting": {nil, 0, true}, "in a slow write": {slow, 900 * time.Millisecond, true},
		"in a stuck write": {stuck, 2 * time.Second, false}, "between attempts": {failing, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options()
				o.Rate = 0.1
				crawl, _ := crawler(t, o)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				start, r := time.Now(), &recorder{before: c.before}
				err := crawl.Run(ctx, r)
				if (err == nil) != c.ok {
					t.Errorf("Run: %v", err)
				}
				if took := time.Since(start) - 100*time.Millisecond; took != c.took {
					t.Errorf("Run went on for %v, want %v", took, c.took)
				}
				if c.ok {
					sameLive(t, crawl, r)
				}
			})
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := simulate.NewCrawler(simulate.Options{Rate: -1, Changes: -1, Updates: 0.6, Deletes: 0.6, Poison: 2})
	for _, field := range []string{"rate", "accounts", "changes", "updates, deletes, reinserts", "poison"} {
		if err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
	if _, err := simulate.NewCrawler(simulate.DefaultOptions()); err != nil {
		t.Error(err)
	}
}
