package pickle

import "fmt"

// collect makes a container of these values and pushes it.
func (m *machine) collect(kind Kind, content []ref) error {
	r, err := m.newNode(kind, content, len(content))
	if err != nil {
		return err
	}
	return m.push(r)
}

// newNode makes a container with room for more values.
func (m *machine) newNode(kind Kind, content []ref, room int) (ref, error) {
	var err error
	if m.nodes, err = reserve(&m.memory, m.nodes, 1, nodeSize); err != nil {
		return ref{}, err
	}
	m.nodes = append(m.nodes, node{})
	r := ref{kind: kind, bits: uint64(len(m.nodes) - 1)}
	if err := m.grow(r, room); err != nil {
		return ref{}, err
	}
	return r, m.fill(r, content)
}

// grow gives a container room for that many values in all.
func (m *machine) grow(r ref, room int) error {
	n := &m.nodes[r.bits]
	if room <= int(n.cap) {
		return nil
	}
	off := len(m.items)
	if int(n.off+n.cap) == off { // the last one grows where it is
		off = int(n.off)
	} else if n.n > 0 {
		room = max(room, 2*int(n.n))
	}
	more := off + room - len(m.items)
	var err error
	if m.items, err = reserve(&m.memory, m.items, more, refSize); err != nil {
		return err
	}
	m.items = m.items[:off+room]
	copy(m.items[off:], m.items[n.off:n.off+n.n])
	n.off, n.cap = uint32(off), uint32(room)
	return nil
}

// fill adds values to a container.
func (m *machine) fill(r ref, content []ref) error {
	if err := m.grow(r, int(m.nodes[r.bits].n)+len(content)); err != nil {
		return err
	}
	n := &m.nodes[r.bits]
	for _, c := range content {
		if c.kind >= List && c.kind != Global {
			n.depth = max(n.depth, m.nodes[c.bits].depth+1)
		}
	}
	if n.depth >= m.maxDepth {
		return fmt.Errorf("nests deeper than %d: %w", m.maxDepth, ErrLimit)
	}
	copy(m.items[n.off+n.n:], content)
	n.n += uint32(len(content))
	return nil
}

// fromMark makes a container of the values above the mark.
func (m *machine) fromMark(op byte) error {
	content, err := m.popMark()
	if err != nil {
		return err
	}
	kind := Tuple
	switch op {
	case opTuple:
		if len(content) == 0 {
			return m.push(ref{kind: Tuple})
		}
	case opList:
		kind = List
	case opFrozenSet:
		kind = Set
	case opDict:
		kind = Dict
		if len(content)%2 != 0 {
			return malformed("a key has no value")
		}
	}
	return m.collect(kind, content)
}

// extend adds values to the container beneath them.
func (m *machine) extend(op byte) error {
	var content []ref
	var err error
	want := List
	switch op {
	case opAppend:
		content, err = m.popN(1)
	case opAppends:
		content, err = m.popMark()
	case opSetItem:
		want = Dict
		content, err = m.popN(2)
	case opSetItems:
		want = Dict
		content, err = m.popMark()
	case opAddItems:
		want = Set
		content, err = m.popMark()
	}
	if err != nil {
		return err
	}
	if want == Dict && len(content)%2 != 0 {
		return malformed("a key has no value")
	}
	top, err := m.top()
	if err != nil {
		return err
	}
	if top.kind != want {
		return fmt.Errorf("on a %v instead of a %v: %w", top.kind, want, ErrRefused)
	}
	return m.fill(*top, content)
}
