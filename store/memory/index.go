package memory

import (
	"slices"

	"botwatch/store"
)

// index is a map that also knows the order of its ids, which is that of their
// bytes. The zero index is empty.
type index[V any] struct {
	values map[store.ID]V
	ids    []store.ID // sorted
}

func (x *index[V]) get(id store.ID) (V, bool) {
	v, ok := x.values[id]
	return v, ok
}

func (x *index[V]) put(id store.ID, v V) {
	if x.values == nil {
		x.values = make(map[store.ID]V)
	}
	if at, found := slices.BinarySearch(x.ids, id); !found {
		x.ids = slices.Insert(x.ids, at, id)
	}
	x.values[id] = v
}

// delete says whether the id was there.
func (x *index[V]) delete(id store.ID) bool {
	at, found := slices.BinarySearch(x.ids, id)
	if found {
		x.ids = slices.Delete(x.ids, at, at+1)
		delete(x.values, id)
	}
	return found
}

// after gives the ids greater than id, all of them for the empty one. They are
// the index's own: use them before it changes.
func (x *index[V]) after(id store.ID) []store.ID {
	if id == "" {
		return x.ids
	}
	at, found := slices.BinarySearch(x.ids, id)
	if found {
		at++
	}
	return x.ids[at:]
}

func (x *index[V]) len() int { return len(x.ids) }
