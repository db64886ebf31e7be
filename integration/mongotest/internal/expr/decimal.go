package expr

import (
	"math"
	"math/big"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/value"
)

// digits is how many a decimal holds.
const digits = 34

// decimal is a decimal taken apart: coefficient × 10^exponent, or none where it
// is not finite.
type decimal struct {
	coefficient *big.Int
	exponent    int
	infinite    int // the sign of an infinity
	nan         bool
}

// decimalOf takes a number apart. A double counts with 15 digits, as the server
// has it.
func decimalOf(v value.Value) decimal {
	switch v.Type {
	case bson.TypeDecimal128:
		d := v.Decimal128()
		if d.IsNaN() {
			return decimal{nan: true}
		}
		n, exponent, err := d.BigInt()
		if err != nil {
			return decimal{infinite: d.IsInf()}
		}
		return decimal{coefficient: n, exponent: exponent}
	case bson.TypeDouble:
		return decimalOfFloat(v.Double(), 15)
	}
	n, _ := value.Integer(v)
	return decimal{coefficient: big.NewInt(n)}
}

func decimalOfFloat(f float64, precision int) decimal {
	switch {
	case f != f:
		return decimal{nan: true}
	case math.IsInf(f, 0):
		return decimal{infinite: int(math.Copysign(1, f))}
	case f == 0:
		return decimal{coefficient: new(big.Int)}
	}
	text := strconv.FormatFloat(f, 'e', precision-1, 64)
	d, _ := bson.ParseDecimal128(text)
	n, exponent, _ := d.BigInt()
	return decimal{coefficient: n, exponent: exponent}
}

func (d decimal) finite() bool { return d.coefficient != nil }

func (d decimal) zero() bool { return d.finite() && d.coefficient.Sign() == 0 }

func (d decimal) sign() int {
	if d.finite() {
		return d.coefficient.Sign()
	}
	return d.infinite
}

// value rounds to the digits that a decimal holds, half to even.
func (d decimal) value() value.Value {
	text := ""
	switch {
	case d.nan:
		text = "NaN"
	case d.infinite > 0:
		text = "Infinity"
	case d.infinite < 0:
		text = "-Infinity"
	default:
		r := d
		if n := len(new(big.Int).Abs(d.coefficient).String()); n > digits {
			r = d.round(d.exponent + n - digits)
			if n := len(new(big.Int).Abs(r.coefficient).String()); n > digits { // 99… became 100…
				r = r.round(r.exponent + n - digits)
			}
		}
		if r.zero() {
			r.exponent = max(-6176, min(r.exponent, 6111))
		}
		if v, ok := bson.ParseDecimal128FromBigInt(r.coefficient, r.exponent); ok {
			return value.Decimal(v)
		}
		switch {
		case r.exponent < 0:
			text = "0"
		case r.sign() < 0:
			text = "-Infinity"
		default:
			text = "Infinity"
		}
	}
	v, _ := bson.ParseDecimal128(text)
	return value.Decimal(v)
}

func power10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// round gives the nearest decimal with an exponent that is not lower, half to
// even.
func (d decimal) round(exponent int) decimal {
	if exponent <= d.exponent || !d.finite() {
		return d
	}
	unit := power10(min(exponent-d.exponent, 7000))
	q, r := new(big.Int).QuoRem(d.coefficient, unit, new(big.Int))
	r.Abs(r).Lsh(r, 1)
	if c := r.Cmp(unit); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(int64(d.coefficient.Sign())))
	}
	return decimal{coefficient: q, exponent: exponent}
}

// truncate is round towards zero; floor and ceil go by step: -1 down, 1 up.
func (d decimal) truncate(exponent, step int) decimal {
	if exponent <= d.exponent || !d.finite() {
		return d
	}
	unit := power10(min(exponent-d.exponent, 7000))
	q, r := new(big.Int).QuoRem(d.coefficient, unit, new(big.Int))
	if step != 0 && r.Sign() == step {
		q.Add(q, big.NewInt(int64(step)))
	}
	return decimal{coefficient: q, exponent: exponent}
}

func addDecimals(a, b decimal) decimal {
	switch {
	case a.nan || b.nan || a.infinite*b.infinite < 0:
		return decimal{nan: true}
	case a.infinite != 0:
		return a
	case b.infinite != 0:
		return b
	}
	if a.exponent < b.exponent {
		a, b = b, a
	}
	x := new(big.Int).Mul(a.coefficient, power10(a.exponent-b.exponent))
	return decimal{coefficient: x.Add(x, b.coefficient), exponent: b.exponent}
}

func (d decimal) negative() decimal {
	d.infinite = -d.infinite
	if d.finite() {
		d.coefficient = new(big.Int).Neg(d.coefficient)
	}
	return d
}

func multiplyDecimals(a, b decimal) decimal {
	switch {
	case a.nan || b.nan:
		return decimal{nan: true}
	case a.infinite != 0 || b.infinite != 0:
		sign := a.sign() * b.sign()
		return decimal{infinite: sign, nan: sign == 0}
	}
	return decimal{coefficient: new(big.Int).Mul(a.coefficient, b.coefficient), exponent: a.exponent + b.exponent}
}

// divideDecimals divides; b is not zero.
func divideDecimals(a, b decimal) decimal {
	switch {
	case a.nan || b.nan || a.infinite != 0 && b.infinite != 0:
		return decimal{nan: true}
	case a.infinite != 0:
		return decimal{infinite: a.infinite * b.sign()}
	case b.infinite != 0:
		return decimal{coefficient: new(big.Int)}
	}
	// So many more digits that rounding the quotient is rounding the exact one.
	more := max(0, digits+3+len(b.coefficient.String())-len(a.coefficient.String()))
	n := new(big.Int).Mul(a.coefficient, power10(more))
	q, r := n.QuoRem(n, b.coefficient, new(big.Int))
	exponent := a.exponent - b.exponent - more
	if r.Sign() != 0 {
		q.Mul(q, big.NewInt(10))
		q.Add(q, big.NewInt(int64(a.sign()*b.sign())))
		return decimal{coefficient: q, exponent: exponent - 1}
	}
	// An exact quotient keeps no zeros that the division brought.
	ten, last := big.NewInt(10), new(big.Int)
	for exponent < a.exponent-b.exponent {
		next, _ := new(big.Int).QuoRem(q, ten, last)
		if last.Sign() != 0 {
			break
		}
		q, exponent = next, exponent+1
	}
	return decimal{coefficient: q, exponent: exponent}
}

// remainder is that of the quotient towards zero; b is not zero.
func remainderDecimals(a, b decimal) decimal {
	switch {
	case a.nan || b.nan || a.infinite != 0:
		return decimal{nan: true}
	case b.infinite != 0:
		return a
	}
	exponent := min(a.exponent, b.exponent)
	x := new(big.Int).Mul(a.coefficient, power10(a.exponent-exponent))
	y := new(big.Int).Mul(b.coefficient, power10(b.exponent-exponent))
	return decimal{coefficient: x.Rem(x, y), exponent: exponent}
}
