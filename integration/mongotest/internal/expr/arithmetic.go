package expr

import (
	"math"
	"math/rand/v2"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	add(0, -1, map[string]function{"$add": sumOf, "$multiply": productOf})
	add(2, 2, map[string]function{
		"$subtract": difference, "$divide": quotient, "$mod": remainder, "$pow": power, "$log": logarithm,
	})
	add(1, 2, map[string]function{"$round": rounded, "$trunc": rounded})
	add(1, 1, map[string]function{
		"$abs": single(absolute), "$ceil": single(wholeNumber), "$floor": single(wholeNumber),
		"$sqrt":  real(28714, "greater than or equal to 0", func(f float64) bool { return f >= 0 || f != f }, math.Sqrt),
		"$exp":   real(0, "", func(float64) bool { return true }, math.Exp),
		"$ln":    real(28766, "a positive number", func(f float64) bool { return f > 0 || f != f }, math.Log),
		"$log10": real(28761, "a positive number", func(f float64) bool { return f > 0 || f != f }, math.Log10),
	})
	operators["$rand"] = func(_ *compiler, name string, v value.Value) (node, error) {
		if v.Type == bson.TypeEmbeddedDocument && len(v.Value) == 5 || v.Type == bson.TypeArray && len(v.Value) == 5 {
			return &call{name, nil, func(*scope, string, []value.Value) (value.Value, error) {
				return value.Double(rand.Float64()), nil
			}}, nil
		}
		return nil, fault.New(3040501, "$rand does not currently accept arguments")
	}
}

func anyNull(args []value.Value) bool {
	for _, v := range args {
		if value.Nullish(v) {
			return true
		}
	}
	return false
}

func sumOf(_ *scope, name string, args []value.Value) (value.Value, error) {
	total := value.Int32(0)
	var date value.Value
	for _, v := range args {
		switch {
		case value.IsNumber(v):
			total = Add(total, v)
		case v.Type == bson.TypeDateTime:
			if date.Type != 0 {
				return date, fault.New(16612, "only one date allowed in an $add expression")
			}
			date = v
		case value.Nullish(v): // what follows is not looked at
			return value.Null(), nil
		default:
			return v, fault.New(fault.TypeMismatch, "%s only supports numeric or date types, not %s", name, typeName(v))
		}
	}
	if date.Type == 0 {
		return total, nil
	}
	return addToDate(date, total, 1)
}

// addToDate adds milliseconds, of which fractions round.
func addToDate(date, ms value.Value, sign int64) (value.Value, error) {
	n, ok := value.Integer(ms)
	if !ok {
		f, _ := value.Float(ms)
		if f = math.Round(f); f != f || math.Abs(f) >= 1<<63 {
			return value.Value{}, fault.New(fault.Overflow, "date overflow")
		}
		n = int64(f)
	}
	at := int64(date.DateTime())
	sum := at + sign*n
	if (sum > at) != (sign*n > 0) {
		return value.Value{}, fault.New(fault.Overflow, "date overflow")
	}
	return value.DateTime(sum), nil
}

func productOf(_ *scope, name string, args []value.Value) (value.Value, error) {
	total := value.Int32(1)
	for _, v := range args {
		switch {
		case value.IsNumber(v):
			total = Multiply(total, v)
		case value.Nullish(v):
			return value.Null(), nil
		default:
			return v, fault.New(fault.TypeMismatch, "%s only supports numeric types, not %s", name, typeName(v))
		}
	}
	return total, nil
}

func difference(_ *scope, _ string, args []value.Value) (value.Value, error) {
	a, b := args[0], args[1]
	switch {
	case anyNull(args):
		return value.Null(), nil
	case value.IsNumber(a) && value.IsNumber(b):
		return subtract(a, b), nil
	case a.Type == bson.TypeDateTime && b.Type == bson.TypeDateTime:
		return subtract(value.Int64(int64(a.DateTime())), value.Int64(int64(b.DateTime()))), nil
	case a.Type == bson.TypeDateTime && value.IsNumber(b):
		return addToDate(a, b, -1)
	}
	return a, fault.New(fault.TypeMismatch, "can't $subtract %s from %s", typeName(b), typeName(a))
}

func quotient(_ *scope, _ string, args []value.Value) (value.Value, error) {
	a, b := args[0], args[1]
	switch {
	case value.IsNumber(a) && value.IsNumber(b):
		if value.Equal(b, value.Int32(0)) {
			return a, fault.New(fault.BadValue, "can't $divide by zero")
		}
		if wider(a.Type, b.Type) == bson.TypeDecimal128 {
			return divideDecimals(decimalOf(a), decimalOf(b)).value(), nil
		}
		x, y := floats(a, b)
		return value.Double(x / y), nil
	case anyNull(args):
		return value.Null(), nil
	}
	return a, fault.New(fault.TypeMismatch, "$divide only supports numeric types, not %s and %s", typeName(a), typeName(b))
}

func remainder(_ *scope, _ string, args []value.Value) (value.Value, error) {
	a, b := args[0], args[1]
	switch {
	case value.IsNumber(a) && value.IsNumber(b):
	case anyNull(args):
		return value.Null(), nil
	default:
		return a, fault.New(16611, "$mod only supports numeric types, not %s and %s", typeName(a), typeName(b))
	}
	if value.Equal(b, value.Int32(0)) {
		return a, fault.New(16610, "can't $mod by zero")
	}
	switch t := wider(a.Type, b.Type); t {
	case bson.TypeDecimal128:
		return remainderDecimals(decimalOf(a), decimalOf(b)).value(), nil
	case bson.TypeDouble:
		return value.Double(math.Mod(floats(a, b))), nil
	default:
		x, _ := value.Integer(a)
		y, _ := value.Integer(b)
		return integer(t, x%y), nil
	}
}

func power(_ *scope, name string, args []value.Value) (value.Value, error) {
	a, b := args[0], args[1]
	switch {
	case anyNull(args):
		return value.Null(), nil
	case !value.IsNumber(a):
		return a, fault.New(28762, "%s's base must be numeric, not %s", name, typeName(a))
	case !value.IsNumber(b):
		return a, fault.New(28763, "%s's exponent must be numeric, not %s", name, typeName(b))
	case value.Equal(a, value.Int32(0)) && value.Compare(b, value.Int32(0)) < 0 && !isNaN(b):
		return a, fault.New(28764, "%s cannot take a base of 0 and a negative exponent", name)
	}
	t := wider(a.Type, b.Type)
	switch t {
	case bson.TypeDecimal128:
		return a, fault.NotOffered("%s of decimals", name)
	case bson.TypeInt32, bson.TypeInt64:
		x, _ := value.Integer(a)
		y, _ := value.Integer(b)
		if n, ok := wholePower(x, y); ok {
			return integer(t, n), nil
		}
	}
	return value.Double(math.Pow(floats(a, b))), nil
}

func isNaN(v value.Value) bool {
	f, ok := value.Float(v)
	return ok && f != f
}

func wholePower(x, y int64) (int64, bool) {
	switch {
	case x == 1 || y == 0:
		return 1, true
	case x == -1:
		return 1 - 2*(y&1), true
	case x == 0:
		return 0, true
	case y < 0 || y > 63:
		return 0, false
	}
	n, ok := int64(1), true
	for ; y > 0 && ok; y-- {
		n, ok = product(n, x)
	}
	return n, ok
}

func logarithm(_ *scope, name string, args []value.Value) (value.Value, error) {
	switch {
	case anyNull(args):
		return value.Null(), nil
	case !value.IsNumber(args[0]):
		return args[0], fault.New(28756, "%s's argument must be numeric, not %s", name, typeName(args[0]))
	case !value.IsNumber(args[1]):
		return args[0], fault.New(28757, "%s's base must be numeric, not %s", name, typeName(args[1]))
	case wider(args[0].Type, args[1].Type) == bson.TypeDecimal128:
		return args[0], fault.NotOffered("%s of decimals", name)
	}
	x, base := floats(args[0], args[1])
	switch {
	case x <= 0:
		return args[0], fault.New(28758, "%s's argument must be a positive number, but is %v", name, x)
	case base <= 0 || base == 1:
		return args[0], fault.New(28759, "%s's base must be a positive number not equal to 1, but is %v", name, base)
	}
	return value.Double(math.Log(x) / math.Log(base)), nil
}

// single is a function of one number: null of what is null.
func single(f func(name string, v value.Value) (value.Value, error)) function {
	return func(_ *scope, name string, args []value.Value) (value.Value, error) {
		switch {
		case value.Nullish(args[0]):
			return value.Null(), nil
		case !value.IsNumber(args[0]):
			return args[0], fault.New(28765, "%s only supports numeric types, not %s", name, typeName(args[0]))
		}
		return f(name, args[0])
	}
}

func real(code fault.Code, want string, domain func(float64) bool, f func(float64) float64) function {
	return single(func(name string, v value.Value) (value.Value, error) {
		x, _ := value.Float(v)
		switch {
		case !domain(x):
			return v, fault.New(code, "%s's argument must be %s, but is %v", name, want, x)
		case v.Type == bson.TypeDecimal128:
			return v, fault.NotOffered("%s of decimals", name)
		}
		return value.Double(f(x)), nil
	})
}

func absolute(_ string, v value.Value) (value.Value, error) {
	switch v.Type {
	case bson.TypeDouble:
		return value.Double(math.Abs(v.Double())), nil
	case bson.TypeDecimal128:
		if d := decimalOf(v); d.sign() < 0 {
			return d.negative().value(), nil
		}
		return v, nil
	}
	n, _ := value.Integer(v)
	switch {
	case n == math.MinInt64:
		return v, fault.New(28680, "can't take $abs of long long min")
	case n < 0:
		return integer(v.Type, -n), nil
	}
	return v, nil
}

// wholeNumber is $ceil and $floor.
func wholeNumber(name string, v value.Value) (value.Value, error) {
	step, f := -1, math.Floor
	if name == "$ceil" {
		step, f = 1, math.Ceil
	}
	switch v.Type {
	case bson.TypeDouble:
		return value.Double(f(v.Double())), nil
	case bson.TypeDecimal128:
		return decimalOf(v).truncate(0, step).value(), nil
	}
	return v, nil
}

// rounded is $round (half to even) and $trunc, to a decimal place.
func rounded(_ *scope, name string, args []value.Value) (value.Value, error) {
	v, place := args[0], int64(0)
	if len(args) == 2 {
		if value.Nullish(args[1]) {
			return value.Null(), nil
		}
		n, ok := value.Integer(args[1])
		if !ok {
			return v, fault.New(51082, "precision argument to %s must be a integral value", name)
		}
		if n < -20 || n > 100 {
			return v, fault.New(51083, "cannot apply %s with precision value %d value must be in [-20, 100]", name, n)
		}
		place = n
	}
	switch {
	case value.Nullish(v):
		return value.Null(), nil
	case !value.IsNumber(v):
		return v, fault.New(51081, "%s only supports numeric types, not %s", name, typeName(v))
	}
	to := func(d decimal) decimal {
		if name == "$round" {
			return d.round(int(-place))
		}
		return d.truncate(int(-place), 0)
	}
	switch v.Type {
	case bson.TypeDouble:
		f := v.Double()
		switch {
		case math.IsInf(f, 0) || f != f:
			return v, nil
		case place == 0 && name == "$round":
			return value.Double(math.RoundToEven(f)), nil
		case place == 0:
			return value.Double(math.Trunc(f)), nil
		}
		f, _ = value.Float(to(decimalOfFloat(f, digits)).value())
		return value.Double(f), nil
	case bson.TypeDecimal128:
		return to(decimalOf(v)).value(), nil
	}
	if place >= 0 {
		return v, nil
	}
	n, ok := value.Integer(to(decimalOf(v)).value())
	if !ok {
		return v, fault.New(51080, "invalid conversion from Decimal128 result in %s resulting from arguments: [%v, %d]", name, v, place)
	}
	return integer(v.Type, n), nil
}
