package mongo

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/store"
)

// appendCheckpoint appends c's document, which is to be stored within another:
// seq may be 0, and a server replaces an empty timestamp at a document's top.
func appendCheckpoint(dst []byte, c *store.Checkpoint) []byte {
	start := len(dst)
	dst = appendInt(reserve(dst), "schema", int64(c.Schema))
	dst = appendInt(dst, "epoch", c.Epoch)
	dst = appendText(dst, "identity", c.Identity)
	dst = bsoncore.AppendBinaryElement(dst, "position", 0, c.Position)
	dst = appendSeq(dst, c.Seq)
	dst = appendTime(dst, "at", c.At)
	if c.Owed != nil {
		dst = appendReason(bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "owed"), c.Owed.Reason, c.Owed.Since)
	}
	dst = appendNamed(dst, "scans", c.Scans, func(dst []byte, s store.Cursor) []byte {
		at := len(dst)
		dst = appendText(reserve(dst), "phase", s.Phase)
		if len(s.Position) > 0 {
			dst = bsoncore.AppendBinaryElement(dst, "position", 0, s.Position)
		}
		dst = appendInt(dst, "seen", s.Seen)
		dst = appendInt(dst, "removed", s.Removed)
		dst = appendInt(dst, "held", s.Held)
		return finish(dst, at)
	})
	dst = appendNamed(dst, "breakers", c.Breakers, func(dst []byte, b store.Breaker) []byte {
		return appendReason(dst, b.Reason, b.Since)
	})
	dst = appendNamed(dst, "jobs", c.Jobs, func(dst []byte, j store.Job) []byte {
		at := len(dst)
		dst = appendTime(reserve(dst), "last_start", j.LastStart)
		dst = appendTime(dst, "last_success", j.LastSuccess)
		if j.LastError != "" {
			dst = appendText(dst, "last_error", j.LastError)
		}
		return finish(dst, at)
	})
	dst = appendInt(dst, "history_lost", c.HistoryLost)
	dst = appendInt(dst, "recoveries", int64(c.Recoveries))
	return finish(dst, start)
}

// appendReason appends the document of a reason and since when it holds.
func appendReason(dst []byte, reason string, since time.Time) []byte {
	at := len(dst)
	return finish(appendTime(appendText(reserve(dst), "reason", reason), "since", since), at)
}

// appendNamed appends a map's documents by name, unless there are none.
func appendNamed[T any](dst []byte, key string, m map[string]T, value func([]byte, T) []byte) []byte {
	if len(m) == 0 {
		return dst
	}
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, key)
	at := len(dst)
	dst = reserve(dst)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		dst = value(appendHeader(dst, bsoncore.TypeEmbeddedDocument, name), m[name])
	}
	return finish(dst, at)
}

// readCheckpoint reads what appendCheckpoint appends. One of a newer schema is
// store.ErrNewerSchema, whatever its fields.
func readCheckpoint(doc bson.Raw) (c store.Checkpoint, err error) {
	var r valueReader
	r.fields(doc, func(key []byte, v bsoncore.Value) {
		if string(key) == "schema" {
			c.Schema = r.int(v)
		}
	})
	if r.err == nil && c.Schema > store.Schema {
		return store.Checkpoint{}, fmt.Errorf("read checkpoint of schema %d: %w", c.Schema, store.ErrNewerSchema)
	}
	if r.err == nil {
		r.fields(doc, func(key []byte, v bsoncore.Value) { r.checkpoint(&c, key, v) })
	}
	if r.err != nil {
		return store.Checkpoint{}, fmt.Errorf("read checkpoint: %w", r.err)
	}
	return c, nil
}

// checkpoint reads one of a checkpoint's fields.
func (r *valueReader) checkpoint(c *store.Checkpoint, key []byte, v bsoncore.Value) {
	switch string(key) {
	case "epoch":
		c.Epoch = int64(r.int(v))
	case "identity":
		c.Identity = r.text(v)
	case "position":
		c.Position = r.bytes(v)
	case "seq":
		c.Seq = r.seq(v)
	case "at":
		c.At = r.time(v)
	case "owed":
		c.Owed = new(store.Reconcile)
		c.Owed.Reason, c.Owed.Since = r.reasonSince(v)
	case "scans":
		c.Scans = make(map[string]store.Cursor)
		r.document(v, func(name []byte, v bsoncore.Value) { c.Scans[string(name)] = r.cursor(v) })
	case "breakers":
		c.Breakers = make(map[string]store.Breaker)
		r.document(v, func(name []byte, v bsoncore.Value) {
			reason, since := r.reasonSince(v)
			c.Breakers[string(name)] = store.Breaker{Reason: reason, Since: since}
		})
	case "jobs":
		c.Jobs = make(map[string]store.Job)
		r.document(v, func(name []byte, v bsoncore.Value) { c.Jobs[string(name)] = r.job(v) })
	case "history_lost":
		c.HistoryLost = int64(r.int(v))
	case "recoveries":
		c.Recoveries = r.int(v)
	}
}

func (r *valueReader) reasonSince(v bsoncore.Value) (reason string, since time.Time) {
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "reason":
			reason = r.text(v)
		case "since":
			since = r.time(v)
		}
	})
	return reason, since
}

func (r *valueReader) cursor(v bsoncore.Value) (c store.Cursor) {
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "phase":
			c.Phase = r.text(v)
		case "position":
			c.Position = r.bytes(v)
		case "seen":
			c.Seen = int64(r.int(v))
		case "removed":
			c.Removed = int64(r.int(v))
		case "held":
			c.Held = int64(r.int(v))
		}
	})
	return c
}

func (r *valueReader) job(v bsoncore.Value) (j store.Job) {
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "last_start":
			j.LastStart = r.time(v)
		case "last_success":
			j.LastSuccess = r.time(v)
		case "last_error":
			j.LastError = r.text(v)
		}
	})
	return j
}
