package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// decimal is a finite decimal number, ±coefficient × 10^exponent, as BSON's
// decimal128 (IEEE 754-2008, in its binary encoding) has it.
type decimal struct {
	negative bool
	coefficient
	exponent int
}

// The bounds of a decimal128.
const (
	decimalDigits = 34
	decimalMin    = -6176
	decimalMax    = 6111
)

// appendDecimal appends the decimal number of those bits as an ID: as the whole
// number or the double that it equals, else without zeros at its end.
func appendDecimal(dst []byte, high, low uint64) []byte {
	sign := 1
	if high>>63 == 1 {
		sign = -1
	}
	switch high >> 58 & 0x1f {
	case 0x1f:
		return appendNumber(dst, math.NaN())
	case 0x1e:
		return appendNumber(dst, math.Inf(sign))
	}
	d := decimal{sign < 0, coefficient{high & (1<<49 - 1), low}, int(high>>49&(1<<14-1)) + decimalMin}
	if high>>61&3 == 3 || d.coefficient.more(maxCoefficient) { // too large to be one: stands for 0
		d.coefficient = coefficient{}
	}
	return d.appendID(dst)
}

func (d decimal) appendID(dst []byte) []byte {
	if d.coefficient == (coefficient{}) {
		return appendInt(dst, 0)
	}
	for {
		c, rest := d.div(10)
		if rest != 0 {
			break
		}
		d.coefficient = c
		d.exponent++
	}
	if n, ok := d.integer(); ok {
		return appendInt(dst, n)
	}
	if f, ok := d.float(); ok {
		return appendNumber(dst, f)
	}
	for d.exponent > decimalMax {
		d.coefficient, _ = d.mul(10, 0)
		d.exponent--
	}
	high, low := d.bits()
	dst = binary.BigEndian.AppendUint64(append(dst, kindDecimal), high)
	return binary.BigEndian.AppendUint64(dst, low)
}

// integer gives the number where it is a whole one of 64 bits. The coefficient
// must not end with 0.
func (d decimal) integer() (int64, bool) {
	if d.exponent < 0 || d.exponent > 18 || d.hi != 0 {
		return 0, false
	}
	n := d.lo
	for range d.exponent {
		hi, lo := bits.Mul64(n, 10)
		if hi != 0 {
			return 0, false
		}
		n = lo
	}
	switch {
	case d.negative && n <= 1<<63:
		return -int64(n), true
	case !d.negative && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}

// float gives the number where a double equals it. The coefficient must not be 0.
func (d decimal) float() (float64, bool) {
	c := d.coefficient
	for range -d.exponent { // ends soon: 5⁴⁹ is greater than any coefficient
		quotient, rest := c.div(5)
		if rest != 0 {
			return 0, false
		}
		c = quotient
	}
	two := d.exponent
	for c.lo&1 == 0 {
		c.hi, c.lo = c.hi>>1, c.hi<<63|c.lo>>1
		two++
	}
	for i := 0; i < d.exponent && c.hi == 0 && c.lo < 1<<53; i++ {
		c.lo *= 5
	}
	if c.hi != 0 || c.lo >= 1<<53 {
		return 0, false
	}
	f := math.Ldexp(float64(c.lo), two)
	if d.negative {
		f = -f
	}
	return f, true
}

// bits encodes the number, which must be within the bounds.
func (d decimal) bits() (high, low uint64) {
	high = d.hi | uint64(d.exponent-decimalMin)<<49
	if d.negative {
		high |= 1 << 63
	}
	return high, d.lo
}

// decimalText writes the bits of a finite decimal in the scientific form of the
// General Decimal Arithmetic.
func decimalText(high, low uint64) string {
	d := decimal{high>>63 == 1, coefficient{high & (1<<49 - 1), low}, int(high>>49&(1<<14-1)) + decimalMin}
	digits := d.text()
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	shown := d.exponent + len(digits) - 1
	switch {
	case d.exponent > 0 || shown < -6:
		b.WriteString(digits[:1])
		if len(digits) > 1 {
			b.WriteString("." + digits[1:])
		}
		fmt.Fprintf(&b, "E%+d", shown)
	case d.exponent == 0:
		b.WriteString(digits)
	case shown < 0:
		b.WriteString("0." + strings.Repeat("0", -shown-1) + digits)
	default:
		b.WriteString(digits[:shown+1] + "." + digits[shown+1:])
	}
	return b.String()
}

// parseDecimal appends the decimal number of a text as an ID. It fails for one
// that a decimal128 does not hold exactly.
func parseDecimal(dst []byte, text string) ([]byte, error) {
	d := decimal{}
	s := text
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	switch strings.ToLower(s) {
	case "nan":
		return appendNumber(dst, math.NaN()), nil
	case "inf", "infinity":
		if d.negative {
			return appendNumber(dst, math.Inf(-1)), nil
		}
		return appendNumber(dst, math.Inf(1)), nil
	}
	malformed := fmt.Errorf("%q is no decimal number", text)
	mantissa, power, scaled := strings.Cut(strings.ReplaceAll(s, "E", "e"), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return dst, malformed
	}
	if scaled {
		if strings.Trim(strings.TrimLeft(power, "+-"), "0123456789") != "" {
			return dst, malformed
		}
		n, err := strconv.Atoi(power)
		switch {
		case errors.Is(err, strconv.ErrRange), err == nil && (n > 1e9 || n < -1e9):
			n = 1e9
			if power[0] == '-' {
				n = -n
			}
		case err != nil:
			return dst, malformed
		}
		d.exponent = n
	}
	digits = strings.TrimLeft(digits, "0")
	kept := strings.TrimRight(digits, "0")
	d.exponent += len(digits) - len(kept) - len(fraction)
	if len(kept) > decimalDigits {
		return dst, fmt.Errorf("%q has more than %d digits", text, decimalDigits)
	}
	for _, c := range kept {
		d.coefficient, _ = d.mul(10, uint64(c-'0'))
	}
	if kept != "" && (d.exponent < decimalMin || d.exponent > decimalMax+decimalDigits-len(kept)) {
		return dst, fmt.Errorf("%q lies outside the range of decimal numbers", text)
	}
	return d.appendID(dst), nil
}

// coefficient is a whole number of 128 bits.
type coefficient struct{ hi, lo uint64 }

// maxCoefficient is 10³⁴ − 1.
var maxCoefficient = coefficient{0x1ed09bead87c0, 0x378d8e63ffffffff}

func (c coefficient) more(than coefficient) bool {
	return c.hi > than.hi || c.hi == than.hi && c.lo > than.lo
}

func (c coefficient) div(by uint64) (quotient coefficient, rest uint64) {
	quotient.hi, rest = c.hi/by, c.hi%by
	quotient.lo, rest = bits.Div64(rest, c.lo, by)
	return quotient, rest
}

// mul gives c × by + plus, and what of it is beyond 128 bits.
func (c coefficient) mul(by, plus uint64) (product coefficient, over uint64) {
	over, high := bits.Mul64(c.hi, by)
	carry, low := bits.Mul64(c.lo, by)
	var one uint64
	product.lo, one = bits.Add64(low, plus, 0)
	carry += one
	product.hi, one = bits.Add64(high, carry, 0)
	return product, over + one
}

func (c coefficient) text() string {
	upper, lower := c.div(1e17) // below 10³⁴ either half has at most 17 digits
	if upper == (coefficient{}) {
		return strconv.FormatUint(lower, 10)
	}
	return fmt.Sprintf("%d%017d", upper.lo, lower)
}
