package format

import (
	"encoding/binary"
	"math/bits"
)

// brackets looks for the end of an object or array without checking what is in
// it, over any number of stretches of input. It counts brackets of both kinds
// outside strings, 64 bytes at a time and all but free of branches. The zero
// value stands before the opening bracket.
type brackets struct {
	depth    int
	inString uint64 // all ones inside a string
	escaped  uint64 // 1 where the coming byte stands behind a backslash
}

// end gives the index behind the closing bracket, and whether it lies in data.
func (b *brackets) end(data []byte) (int, bool) {
	i := 0
	for ; i+64 <= len(data); i += 64 {
		if n := b.block((*[64]byte)(data[i:])); n > 0 {
			return i + n, true
		}
	}
	if i == len(data) {
		return i, false
	}
	// The rest is padded; the padding must not take the place of a byte that
	// the last backslash escapes.
	var last [64]byte
	rest := copy(last[:], data[i:])
	for j := rest; j < len(last); j++ {
		last[j] = ' '
	}
	slashes := 0
	for slashes < rest && last[rest-1-slashes] == '\\' {
		slashes++
	}
	if slashes == rest {
		slashes -= int(b.escaped)
	}
	if n := b.block(&last); n > 0 {
		return i + n, true
	}
	b.escaped = uint64(slashes & 1)
	return len(data), false
}

// differs marks, in the highest bit of each byte, where x is not 0.
func differs(x uint64) uint64 {
	const low = ones * 0x7f
	return (x&low + low | x) & highs
}

// block takes 64 bytes. It gives the index behind the closing bracket, or 0.
func (b *brackets) block(data *[64]byte) int {
	// Bit 8*j+k of a mask is for byte j of word k: turned, it is for byte 8*j+k.
	var quote, slash, open, shut uint64
	for k := 0; k < 64; k += 8 {
		x := binary.LittleEndian.Uint64(data[k:])
		folded := x | ones*0x20 // '[' becomes '{', and ']' becomes '}'
		quote = quote>>1 | differs(x^ones*'"')
		slash = slash>>1 | differs(x^ones*'\\')
		open = open>>1 | differs(folded^ones*'{')
		shut = shut>>1 | differs(folded^ones*'}')
	}
	quote, slash, open, shut = ^quote, ^slash, ^open, ^shut
	quote = turn(quote)
	if slash|b.escaped != 0 {
		quote &^= b.behindSlash(turn(slash))
	}
	// A byte is in a string if the number of quotes up to it is odd.
	in := quote ^ quote<<1
	in ^= in << 2
	in ^= in << 4
	in ^= in << 8
	in ^= in << 16
	in ^= in << 32
	in ^= b.inString
	b.inString = uint64(int64(in) >> 63)

	in = turn(in)
	open &^= in
	shut &^= in
	if n := bits.OnesCount64(shut); n < b.depth {
		b.depth += bits.OnesCount64(open) - n
		return 0
	}
	// The end may lie here: go bracket by bracket.
	open, shut = turn(open), turn(shut)
	for both := open | shut; both != 0; both &= both - 1 {
		if open&(both&-both) != 0 {
			b.depth++
			continue
		}
		b.depth--
		if b.depth <= 0 {
			return bits.TrailingZeros64(both) + 1
		}
	}
	return 0
}

// behindSlash marks the bytes that a backslash escapes, and carries over to the
// next block. A backslash that is itself escaped escapes nothing.
func (b *brackets) behindSlash(slash uint64) uint64 {
	const odd = 0xAAAAAAAAAAAAAAAA
	first := slash &^ b.escaped
	codes := (first<<1 | odd) - first ^ odd
	escaped := codes ^ (slash | b.escaped)
	b.escaped = codes & slash >> 63
	return escaped
}

// turn exchanges rows and columns of 8 by 8 bits.
func turn(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00AA00AA00AA00AA
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000CCCC0000CCCC
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000F0F0F0F0
	return x ^ t ^ t<<28
}
