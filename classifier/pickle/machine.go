package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Sizes in bytes, for the memory count.
const (
	refSize  = 16
	nodeSize = 16
	markSize = 4
)

func float(bits uint64) float64 { return math.Float64frombits(bits) }

// machine is the pickle's stack machine.
type machine struct {
	document
	pos   int // of the next byte
	at    int // of the opcode at work
	stack []ref
	marks []uint32 // heights of the stack
	memo  []ref

	globals  map[string]Tag
	maxDepth uint32
	memory   memory
	key      []byte // scratch for global's look-up
}

// run works through the opcodes up to STOP and gives the value on top.
func (m *machine) run() (ref, error) {
	// A first guess that ordinary pickles fill, within 2/16 of the input.
	m.stack = make([]ref, 0, 64)
	var err error
	if m.items, err = reserve(&m.memory, m.items, len(m.data)/256, refSize); err != nil {
		return ref{}, err
	}
	if m.memo, err = reserve(&m.memory, m.memo, len(m.data)/256, refSize); err != nil {
		return ref{}, err
	}
	m.nodes = append(m.nodes, node{})
	for {
		m.at = m.pos
		if m.pos >= len(m.data) {
			return ref{}, malformed("ends before STOP")
		}
		op := m.data[m.pos]
		m.pos++
		if op == opStop {
			return m.pop()
		}
		if err := m.step(op); err != nil {
			return ref{}, err
		}
	}
}

// step does one opcode. The order of the cases has no meaning; the compiler
// makes a table of them.
func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		v, err := m.uint(1)
		if err == nil && v > 5 {
			return fmt.Errorf("protocol %d: %w; 0 to 5 are known", v, ErrRefused)
		}
		return err
	case opFrame: // only a hint for readers of streams
		_, err := m.length(8)
		return err

	case opNone:
		return m.push(ref{kind: None})
	case opNewTrue:
		return m.push(ref{kind: Bool, bits: 1})
	case opNewFalse:
		return m.push(ref{kind: Bool})
	case opBinInt:
		v, err := m.uint(4)
		if err != nil {
			return err
		}
		return m.push(integer(int64(int32(v))))
	case opBinInt1:
		return m.pushUint(1)
	case opBinInt2:
		return m.pushUint(2)
	case opLong1:
		return m.long(1)
	case opLong4:
		return m.long(4)
	case opBinFloat:
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(ref{kind: Float, bits: binary.BigEndian.Uint64(b)})
	case opInt, opLong, opFloat, opString, opUnicode:
		return m.line(op)

	case opShortBinUnicode:
		return m.counted(String, 1)
	case opBinUnicode:
		return m.counted(String, 4)
	case opBinUnicode8:
		return m.counted(String, 8)
	case opShortBinBytes, opShortBinString:
		return m.counted(Bytes, 1)
	case opBinBytes, opBinString:
		return m.counted(Bytes, 4)
	case opBinBytes8, opByteArray8:
		return m.counted(Bytes, 8)

	case opMark:
		if len(m.marks) >= int(m.maxDepth) {
			return fmt.Errorf("nests deeper than %d: %w", m.maxDepth, ErrLimit)
		}
		var err error
		if m.marks, err = reserve(&m.memory, m.marks, 1, markSize); err != nil {
			return err
		}
		m.marks = append(m.marks, uint32(len(m.stack)))
		return nil
	case opPop:
		if len(m.marks) > 0 && len(m.stack) == m.bottom() {
			m.marks = m.marks[:len(m.marks)-1]
			return nil
		}
		_, err := m.pop()
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		top, err := m.top()
		if err != nil {
			return err
		}
		return m.push(*top)

	case opPut, opBinPut, opLongBinPut, opMemoize:
		return m.put(op)
	case opGet, opBinGet, opLongBinGet:
		return m.get(op)

	case opEmptyTuple:
		return m.push(ref{kind: Tuple})
	case opEmptyList:
		return m.collect(List, nil)
	case opEmptyDict:
		return m.collect(Dict, nil)
	case opEmptySet:
		return m.collect(Set, nil)
	case opTuple1, opTuple2, opTuple3:
		top, err := m.popN(int(op) - opTuple1 + 1)
		if err != nil {
			return err
		}
		return m.collect(Tuple, top)
	case opTuple, opList, opDict, opFrozenSet:
		return m.fromMark(op)
	case opAppend, opAppends, opSetItem, opSetItems, opAddItems:
		return m.extend(op)

	case opGlobal, opStackGlobal, opInst, opObj, opReduce, opNewObj, opNewObjEx, opBuild:
		return m.object(op)

	case opPersID, opBinPersID, opExt1, opExt2, opExt4, opNextBuffer, opReadOnlyBuffer:
		return fmt.Errorf("%s stands for something outside the pickle: %w", opName(op), ErrRefused)
	}
	return malformed("no such opcode")
}

func integer(v int64) ref { return ref{kind: Int, bits: uint64(v)} }

// take gives the next n bytes of the input.
func (m *machine) take(n int) ([]byte, error) {
	if n > len(m.data)-m.pos {
		return nil, malformed("wants %d bytes, %d are left", n, len(m.data)-m.pos)
	}
	b := m.data[m.pos : m.pos+n]
	m.pos += n
	return b, nil
}

// uint reads an unsigned little-endian number of that many bytes.
func (m *machine) uint(size int) (uint64, error) {
	b, err := m.take(size)
	if err != nil {
		return 0, err
	}
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v, nil
}

// length reads a length that the rest of the input must hold.
func (m *machine) length(size int) (int, error) {
	v, err := m.uint(size)
	if err != nil {
		return 0, err
	}
	if v > uint64(len(m.data)-m.pos) {
		return 0, malformed("wants %d bytes, %d are left", v, len(m.data)-m.pos)
	}
	return int(v), nil
}

func (m *machine) pushUint(size int) error {
	v, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.push(integer(int64(v)))
}

// counted pushes text whose length comes first, in that many bytes.
func (m *machine) counted(kind Kind, size int) error {
	n, err := m.length(size)
	if err != nil {
		return err
	}
	m.pos += n
	return m.push(ref{kind: kind, bits: uint64(m.pos - n), n: uint32(n)})
}

func (m *machine) push(r ref) error {
	if len(m.stack) == cap(m.stack) {
		var err error
		if m.stack, err = reserve(&m.memory, m.stack, 1, refSize); err != nil {
			return err
		}
	}
	m.stack = append(m.stack, r)
	return nil
}

// bottom is the height that the stack may not be popped below.
func (m *machine) bottom() int {
	if n := len(m.marks); n > 0 {
		return int(m.marks[n-1])
	}
	return 0
}

func (m *machine) top() (*ref, error) {
	if len(m.stack) <= m.bottom() {
		return nil, malformed("the stack is empty")
	}
	return &m.stack[len(m.stack)-1], nil
}

func (m *machine) pop() (ref, error) {
	top, err := m.top()
	if err != nil {
		return ref{}, err
	}
	m.stack = m.stack[:len(m.stack)-1]
	return *top, nil
}

// popN takes n values off the stack; they stay valid until the next push.
func (m *machine) popN(n int) ([]ref, error) {
	h := len(m.stack) - n
	if h < m.bottom() {
		return nil, malformed("wants %d values, the stack has %d", n, len(m.stack)-m.bottom())
	}
	top := m.stack[h:]
	m.stack = m.stack[:h]
	return top, nil
}

// popMark takes the values above the topmost mark, and the mark.
func (m *machine) popMark() ([]ref, error) {
	if len(m.marks) == 0 {
		return nil, malformed("no mark")
	}
	top := m.stack[m.bottom():]
	m.stack = m.stack[:m.bottom()]
	m.marks = m.marks[:len(m.marks)-1]
	return top, nil
}

func (m *machine) put(op byte) error {
	index := uint64(len(m.memo))
	var err error
	switch op {
	case opPut:
		index, err = m.lineIndex()
	case opBinPut:
		index, err = m.uint(1)
	case opLongBinPut:
		index, err = m.uint(4)
	}
	if err != nil {
		return err
	}
	top, err := m.top()
	if err != nil {
		return err
	}
	r := *top
	if index < uint64(len(m.memo)) {
		m.memo[index] = r
		return nil
	}
	// Picklers number their memo from 0 or 1, one entry at a time.
	if index > uint64(len(m.data)) {
		return fmt.Errorf("memo entry %d in %d bytes of input: %w", index, len(m.data), ErrLimit)
	}
	n := int(index) + 1
	if m.memo, err = reserve(&m.memory, m.memo, n-len(m.memo), refSize); err != nil {
		return err
	}
	m.memo = m.memo[:n]
	m.memo[index] = r
	return nil
}

func (m *machine) get(op byte) error {
	var index uint64
	var err error
	switch op {
	case opGet:
		index, err = m.lineIndex()
	case opBinGet:
		index, err = m.uint(1)
	case opLongBinGet:
		index, err = m.uint(4)
	}
	if err != nil {
		return err
	}
	if index >= uint64(len(m.memo)) || m.memo[index].kind == Invalid {
		return malformed("memo entry %d was never set", index)
	}
	return m.push(m.memo[index])
}
