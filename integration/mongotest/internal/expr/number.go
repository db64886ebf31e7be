package expr

import (
	"math"
	"math/big"
	"math/bits"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/value"
)

// wider gives the type of what two numbers make: int, long, double, decimal, in
// this order.
func wider(a, b bson.Type) bson.Type {
	for _, t := range []bson.Type{bson.TypeDecimal128, bson.TypeDouble, bson.TypeInt64} {
		if a == t || b == t {
			return t
		}
	}
	return bson.TypeInt32
}

// integer makes an int where that is the wider type and n fits, else a long.
func integer(t bson.Type, n int64) value.Value {
	if t == bson.TypeInt32 {
		return value.Int(n)
	}
	return value.Int64(n)
}

func floats(a, b value.Value) (x, y float64) {
	x, _ = value.Float(a)
	y, _ = value.Float(b)
	return x, y
}

// Add adds two numbers as $add does: the wider type of the two, int to long to
// double where the sum does not fit. Decimals stay decimals.
func Add(a, b value.Value) value.Value {
	t := wider(a.Type, b.Type)
	switch t {
	case bson.TypeDecimal128:
		return addDecimals(decimalOf(a), decimalOf(b)).value()
	case bson.TypeInt32, bson.TypeInt64:
		x, _ := value.Integer(a)
		y, _ := value.Integer(b)
		if sum := x + y; (sum > x) == (y > 0) {
			return integer(t, sum)
		}
	}
	x, y := floats(a, b)
	return value.Double(x + y)
}

// subtract is Add with the second one negative.
func subtract(a, b value.Value) value.Value {
	t := wider(a.Type, b.Type)
	switch t {
	case bson.TypeDecimal128:
		return addDecimals(decimalOf(a), decimalOf(b).negative()).value()
	case bson.TypeInt32, bson.TypeInt64:
		x, _ := value.Integer(a)
		y, _ := value.Integer(b)
		if d := x - y; (d < x) == (y > 0) {
			return integer(t, d)
		}
	}
	x, y := floats(a, b)
	return value.Double(x - y)
}

// Multiply multiplies two numbers as $multiply does; types are as in Add.
func Multiply(a, b value.Value) value.Value {
	t := wider(a.Type, b.Type)
	switch t {
	case bson.TypeDecimal128:
		return multiplyDecimals(decimalOf(a), decimalOf(b)).value()
	case bson.TypeInt32, bson.TypeInt64:
		x, _ := value.Integer(a)
		y, _ := value.Integer(b)
		if n, ok := product(x, y); ok {
			return integer(t, n)
		}
	}
	x, y := floats(a, b)
	return value.Double(x * y)
}

func product(x, y int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(x), magnitude(y))
	negative := (x < 0) != (y < 0)
	switch {
	case high != 0 || low > 1<<63 || low == 1<<63 && !negative:
		return 0, false
	case negative:
		return -int64(low), true
	}
	return int64(low), true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// Sum adds up values as $sum and $avg do: what is no number does not count. The
// zero Sum is the sum of nothing.
type Sum struct {
	count     int64
	kind      bson.Type // the widest so far
	whole     int64     // of the integers
	spilled   *big.Int  // what of them left 64 bits
	float     float64   // of the doubles
	error     float64   // what rounding took from it
	unbounded float64   // infinities and NaN, which must not become errors
	decimals  decimal
}

// Add takes a value.
func (s *Sum) Add(v value.Value) {
	if !value.IsNumber(v) {
		return
	}
	s.count++
	if s.kind = wider(s.kind, v.Type); s.count == 1 {
		s.kind = v.Type
	}
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		n, _ := value.Integer(v)
		if sum := s.whole + n; (sum > s.whole) == (n > 0) {
			s.whole = sum
			return
		}
		if s.spilled == nil {
			s.spilled = new(big.Int)
		}
		s.spilled.Add(s.spilled, big.NewInt(s.whole))
		s.whole = n
	case bson.TypeDouble:
		f := v.Double()
		if math.IsInf(f, 0) || f != f {
			s.unbounded += f
			return
		}
		sum := s.float + f // what is lost is what the larger one took from the smaller
		if math.Abs(s.float) >= math.Abs(f) {
			s.error += s.float - sum + f
		} else {
			s.error += f - sum + s.float
		}
		s.float = sum
	case bson.TypeDecimal128:
		if s.decimals.coefficient == nil && !s.decimals.nan && s.decimals.infinite == 0 {
			s.decimals.coefficient = new(big.Int)
		}
		s.decimals = decimalOf(addDecimals(s.decimals, decimalOf(v)).value())
	}
}

func (s *Sum) integers() *big.Int {
	n := big.NewInt(s.whole)
	if s.spilled != nil {
		n.Add(n, s.spilled)
	}
	return n
}

func (s *Sum) double() float64 {
	if s.unbounded != 0 { // NaN too
		return s.unbounded
	}
	whole, _ := new(big.Float).SetInt(s.integers()).Float64()
	if math.IsInf(s.float, 0) {
		return s.float
	}
	return whole + s.float + s.error
}

func (s *Sum) decimal() decimal {
	d := addDecimals(s.decimals, decimal{coefficient: s.integers()})
	if s.float != 0 || s.error != 0 || s.unbounded != 0 {
		d = addDecimals(d, decimalOfFloat(s.double()-float64(s.whole), 15))
	}
	return d
}

// Value gives the sum; 0 (int) of nothing.
func (s *Sum) Value() value.Value {
	switch s.kind {
	case bson.TypeDecimal128:
		return s.decimal().value()
	case bson.TypeDouble:
		return value.Double(s.double())
	}
	if n := s.integers(); n.IsInt64() {
		if s.kind == bson.TypeInt64 {
			return value.Int64(n.Int64())
		}
		return value.Int(n.Int64())
	}
	return value.Double(s.double())
}

// Average gives the mean of what was added; null of nothing.
func (s *Sum) Average() value.Value {
	switch {
	case s.count == 0:
		return value.Null()
	case s.kind == bson.TypeDecimal128:
		return divideDecimals(s.decimal(), decimal{coefficient: big.NewInt(s.count)}).value()
	}
	return value.Double(s.double() / float64(s.count))
}
