package update

import (
	"bytes"

	"botwatch/integration/mongotest/internal/value"
)

// entrySize is what an oplog entry for a difference has besides it: a
// difference that is then larger than the new document is written as a
// replacement.
const entrySize = 15

// difference tells two documents apart. It is nil where that takes more room
// than the new document.
func difference(old, now value.Doc) *diff {
	d, size := compareDocs(old, now)
	if d == nil || size+entrySize > len(now) {
		return nil
	}
	return d
}

// The sizes are those of the published form of such an entry: sections of
// updates, inserts and deletes, each a document under a name of one letter, and
// what changed within under a letter and the field's name.
const (
	emptySize   = 5
	sectionSize = 3 + emptySize
	headSize    = 2 // a field's type and the end of its name
)

// compareDocs goes through both documents side by side: a field that is not
// next in the new one is gone, and what the new one has left at its end is
// new. So fields that change their place are there as new ones.
func compareDocs(old, now value.Doc) (*diff, int) {
	d, size := newDiff(false), emptySize
	oldNames, oldValues := fields(old)
	nowNames, nowValues := fields(now)
	gone := map[string]bool{}
	var order []string
	i, j := 0, 0
	for i < len(oldNames) {
		if j < len(nowNames) && oldNames[i] == nowNames[j] {
			o, n := compareValues(oldValues[i], nowValues[j])
			d.add(nowNames[j], 0, o)
			switch {
			case o.kind == inside:
				size += headSize + 1 + len(nowNames[j]) + n
			case o.kind == updated:
				if len(d.updates) == 1 {
					size += sectionSize
				}
				size += headSize + len(nowNames[j]) + n
			}
			i, j = i+1, j+1
		} else {
			if !gone[oldNames[i]] {
				gone[oldNames[i]] = true
				order = append(order, oldNames[i])
			}
			i++
		}
		if size > len(now) {
			return nil, 0
		}
	}
	if j < len(nowNames) {
		size += sectionSize
	}
	for ; j < len(nowNames); j++ {
		gone[nowNames[j]] = false
		d.add(nowNames[j], 0, outcome{kind: created, value: nowValues[j]})
		size += headSize + len(nowNames[j]) + len(nowValues[j].Value)
	}
	for _, name := range order {
		if gone[name] {
			if len(d.deletes) == 0 {
				size += sectionSize
			}
			d.add(name, 0, outcome{kind: removed})
			size += headSize + len(name) + 1
		}
	}
	if size > len(now) {
		return nil, 0
	}
	return d, size
}

// compareValues gives what became of a value, and the room that saying so
// takes.
func compareValues(old, now value.Value) (outcome, int) {
	if old.Type != now.Type {
		return outcome{kind: updated, value: now}, len(now.Value)
	}
	if bytes.Equal(old.Value, now.Value) {
		return outcome{kind: same}, 0
	}
	var d *diff
	var size int
	switch {
	case value.IsDocument(now):
		d, size = compareDocs(value.Doc(old.Value), value.Doc(now.Value))
	case value.IsArray(now):
		d, size = compareArrays(old, now)
	}
	if d == nil {
		return outcome{kind: updated, value: now}, len(now.Value)
	}
	return outcome{kind: inside, value: now, diff: d}, size
}

func compareArrays(old, now value.Value) (*diff, int) {
	d, size := newDiff(true), emptySize+headSize+1+1
	before, after := value.Items(old), value.Items(now)
	if len(after) < len(before) {
		d.size = len(after)
		size += headSize + 1 + 4
	}
	for i, v := range after {
		o, n := outcome{kind: created, value: v}, len(v.Value)
		if i < len(before) {
			o, n = compareValues(before[i], v)
		}
		if o.kind == same {
			continue
		}
		d.add("", i, o)
		size += headSize + 1 + len(value.Index(i)) + n
		if size > len(now.Value) {
			return nil, 0
		}
	}
	if size > len(now.Value) {
		return nil, 0
	}
	return d, size
}

func fields(d value.Doc) (names []string, values []value.Value) {
	for name, v := range value.Elements(d) {
		names = append(names, name)
		values = append(values, v)
	}
	return names, values
}
