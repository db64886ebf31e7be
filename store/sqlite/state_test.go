package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"botwatch/store"
	"botwatch/store/sqlite"
)

func TestTwoHolders(t *testing.T) {
	path := dbPath(t)
	c := newClock()
	first, err := sqlite.Open(t.Context(), path, sqlite.Options{Now: c.Now})
	check(t, err)
	// The same file by another name.
	link := filepath.Join(t.TempDir(), "link.db")
	check(t, os.Symlink(path, link))
	second := open(t, link, sqlite.Options{})

	epoch, err := first.Acquire(t.Context(), "first")
	check(t, err)
	for _, holder := range []string{"second", "first"} { // a name is no proof
		_, err = second.Acquire(t.Context(), holder)
		var held *store.HeldError
		if !errors.As(err, &held) || held.Holder != "first" || !held.Since.Equal(c.now) {
			t.Fatalf("got error %v, want that first holds it since %v", err, c.now)
		}
	}
	// Its end without a release is that of a process that died.
	check(t, first.Close())
	next, err := second.Acquire(t.Context(), "second")
	check(t, err)
	if next != epoch+1 {
		t.Errorf("epoch %d after %d", next, epoch)
	}
	wantErr(t, second.Save(t.Context(), epoch, store.Checkpoint{}), store.ErrFenced)
	wantErr(t, second.Renew(t.Context(), epoch), store.ErrFenced)
	check(t, second.Renew(t.Context(), next))
}

// TestReplacedFile: what is written to a file that lost its name is lost.
func TestReplacedFile(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	epoch, err := s.Acquire(t.Context(), "me")
	check(t, err)
	check(t, s.Renew(t.Context(), epoch))
	check(t, os.Rename(path, path+".moved"))
	wantErr(t, s.Renew(t.Context(), epoch), store.ErrFenced)
	check(t, os.Rename(path+".moved", path))
	check(t, s.Renew(t.Context(), epoch))
}

func TestExpiredTombstonesGo(t *testing.T) {
	c := newClock()
	s := open(t, dbPath(t), sqlite.Options{Now: c.Now})
	epoch, err := s.Acquire(t.Context(), "me")
	check(t, err)
	soon, late := store.StringID("soon"), store.StringID("late")
	v := store.Version{Epoch: epoch, Seq: 1}
	outcomes, err := s.Write(t.Context(), []store.Write{
		{ID: soon, Version: v, Kind: store.Remove, Prediction: store.NewTombstone(soon, "stream", c.now.Add(time.Hour))},
		{ID: late, Version: v, Kind: store.Remove, Prediction: store.NewTombstone(late, "stream", c.now.Add(2*time.Hour))},
	})
	check(t, err)
	for _, o := range outcomes {
		if o.Result != store.Written {
			t.Fatal(o)
		}
	}
	kept := func() (n int) {
		list, err := s.Predictions(t.Context(), []store.ID{soon, late})
		check(t, err)
		return len(list)
	}
	for _, tt := range []struct {
		at   time.Duration
		kept int
	}{{time.Hour - time.Microsecond, 2}, {time.Hour, 1}, {3 * time.Hour, 0}} {
		c.now = newClock().now.Add(tt.at)
		check(t, s.Save(t.Context(), epoch, store.Checkpoint{}))
		if n := kept(); n != tt.kept {
			t.Errorf("after %v: %d tombstones, want %d", tt.at, n, tt.kept)
		}
	}
}

// TestForeignPositionTrimsNothing: a checkpoint of other accounts says nothing
// about the changes of these.
func TestForeignPositionTrimsNothing(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{})
	another := open(t, dbPath(t), sqlite.Options{})
	put(t, another, "a", "{}", "b", "{}", "c", "{}")
	epoch, err := s.Acquire(t.Context(), "me")
	check(t, err)
	from := head(t, s)
	put(t, s, "a", "{}")
	check(t, s.Save(t.Context(), epoch, store.Checkpoint{Position: head(t, another).Position}))
	check(t, s.Save(t.Context(), epoch, store.Checkpoint{Position: store.Position("nonsense")}))
	if got := changes(t, s, from); len(got) != 1 {
		t.Errorf("%d changes, want 1", len(got))
	}
}
