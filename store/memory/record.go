package memory

import (
	"encoding/json"
	"slices"

	"botwatch/store"
)

// Applied is one write that took effect.
type Applied struct {
	ID      store.ID
	Version store.Version
	Kind    store.WriteKind
}

// Applied lists the writes that took effect, on any handle, oldest first.
func (s *Store) Applied() (list []Applied) {
	s.locked(func() { list = slices.Clone(s.applied) })
	return list
}

// Saved is one checkpoint that was saved.
type Saved struct {
	Epoch int64
	text  []byte
}

// Checkpoint gives what was saved.
func (v Saved) Checkpoint() (c store.Checkpoint) {
	// What Save encoded can be decoded.
	_ = json.Unmarshal(v.text, &c)
	return c
}

// Saves lists the checkpoints that were saved, on any handle, oldest first.
func (s *Store) Saves() (list []Saved) {
	s.locked(func() { list = slices.Clone(s.saves) })
	return list
}
