package expr

import (
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	add(1, 1, map[string]function{
		"$size": func(_ *scope, _ string, args []value.Value) (value.Value, error) {
			if args[0].Type != bson.TypeArray {
				return args[0], fault.New(17124, "The argument to $size must be an array, but was of type: %s", typeName(args[0]))
			}
			return value.Int32(int32(len(value.Items(args[0])))), nil
		},
		"$isArray": func(_ *scope, _ string, args []value.Value) (value.Value, error) {
			return value.Bool(args[0].Type == bson.TypeArray), nil
		},
		"$reverseArray": func(_ *scope, name string, args []value.Value) (value.Value, error) {
			if value.Nullish(args[0]) {
				return value.Null(), nil
			}
			items, err := items(args[0], 34435, "The argument to %s must be an array, but was of type: %s", name)
			if err != nil {
				return args[0], err
			}
			slices.Reverse(items)
			return array(items)
		},
		"$first": elementAt, "$last": elementAt,
	})
	add(2, 2, map[string]function{"$arrayElemAt": elementAt, "$in": contains})
	add(2, 3, map[string]function{"$slice": slice, "$range": sequence})
	add(2, 4, map[string]function{"$indexOfArray": indexOfArray})
	add(0, -1, map[string]function{"$concatArrays": concatArrays})
	addNamed(named{2942500, 2942501, []string{"input", "sortBy"}, []fault.Code{2942502, 2942503}}, map[string]function{"$sortArray": sortArray})
	for _, name := range []string{"$sum", "$avg", "$min", "$max"} {
		add(0, -1, map[string]function{name: accumulate})
	}
}

// items gives an array's elements; an error with the operator's name and the
// type found where it is none.
func items(v value.Value, code fault.Code, format, name string) ([]value.Value, error) {
	if v.Type != bson.TypeArray {
		return nil, fault.New(code, format, name, typeName(v))
	}
	return value.Items(v), nil
}

// elementAt is $arrayElemAt, $first and $last.
func elementAt(_ *scope, name string, args []value.Value) (value.Value, error) {
	if anyNull(args) {
		return value.Null(), nil
	}
	list, err := items(args[0], 28689, "%s's first argument must be an array, but is %s", name)
	if err != nil {
		return args[0], err
	}
	at := int64(0)
	switch name {
	case "$last":
		at = -1
	case "$arrayElemAt":
		if at, err = whole32(args[1], 28690, 28691, name); err != nil {
			return args[0], err
		}
	}
	if at < 0 {
		at += int64(len(list))
	}
	if at < 0 || at >= int64(len(list)) {
		return value.Value{}, nil
	}
	return list[at], nil
}

// whole32 gives an argument that is to be a whole number of 32 bits.
func whole32(v value.Value, kind, size fault.Code, name string) (int64, error) {
	if !value.IsNumber(v) {
		return 0, fault.New(kind, "an argument of %s must be a numeric value, but is %s", name, typeName(v))
	}
	n, ok := value.Integer(v)
	if !ok || n != int64(int32(n)) {
		return 0, fault.New(size, "an argument of %s must be representable as a 32-bit integer: %v", name, v)
	}
	return n, nil
}

func contains(s *scope, name string, args []value.Value) (value.Value, error) {
	list, err := items(args[1], 40081, "%s requires an array as a second argument, found: %s", name)
	for _, item := range list {
		if s.compare(args[0], item) == 0 {
			return value.Bool(true), nil
		}
	}
	return value.Bool(false), err
}

func slice(_ *scope, name string, args []value.Value) (value.Value, error) {
	if anyNull(args) {
		return value.Null(), nil
	}
	list, err := items(args[0], 28724, "First argument to %s must be an array, but is of type: %s", name)
	if err != nil {
		return args[0], err
	}
	from, err := whole32(args[1], 28725, 28726, name)
	if err != nil {
		return args[0], err
	}
	count := from
	if len(args) == 3 {
		if count, err = whole32(args[2], 28727, 28728, name); err != nil {
			return args[0], err
		}
		if count <= 0 {
			return args[0], fault.New(28729, "Third argument to $slice must be positive: %v", args[2])
		}
	}
	return array(Slice(list, from, count, len(args) == 3))
}

// Slice gives count elements from a position on, which counts from the end where
// it is negative; without a position, the first or, negative, the last ones.
func Slice(list []value.Value, from, count int64, positioned bool) []value.Value {
	n := int64(len(list))
	switch {
	case !positioned && count < 0:
		return list[max(0, n+count):]
	case !positioned:
		from = 0
	case from < 0:
		from = max(0, n+from)
	}
	from = min(from, n)
	return list[from:min(n, from+count)]
}

func sequence(_ *scope, name string, args []value.Value) (value.Value, error) {
	bounds := []int64{0, 0, 1}
	for i, v := range args {
		n, err := whole32(v, []fault.Code{34443, 34445, 34447}[i], []fault.Code{34444, 34446, 34448}[i], name)
		if err != nil {
			return v, err
		}
		bounds[i] = n
	}
	from, to, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return value.Value{}, fault.New(34449, "%s requires a non-zero step value", name)
	}
	if err := checkSize(int(max(0, (to-from)/step)) * 8); err != nil {
		return value.Value{}, err
	}
	var list []value.Value
	for n := from; step > 0 && n < to || step < 0 && n > to; n += step {
		list = append(list, value.Int32(int32(n)))
	}
	return array(list)
}

func indexOfArray(s *scope, name string, args []value.Value) (value.Value, error) {
	if value.Nullish(args[0]) {
		return value.Null(), nil
	}
	list, err := items(args[0], 40090, "%s requires an array as a first argument, found: %s", name)
	if err != nil {
		return args[0], err
	}
	from, to, err := window(args[2:], len(list), name)
	if err != nil {
		return args[0], err
	}
	for i := from; i < to; i++ {
		if s.compare(list[i], args[1]) == 0 {
			return value.Int32(int32(i)), nil
		}
	}
	return value.Int32(-1), nil
}

// window reads the optional start and end of a search in n places.
func window(args []value.Value, n int, name string) (from, to int, err error) {
	bounds := [2]int64{0, math.MaxInt32}
	for i, v := range args {
		if bounds[i], err = whole32(v, 40096, 40096, name); err != nil {
			return 0, 0, err
		}
		if bounds[i] < 0 {
			return 0, 0, fault.New(40097, "%s requires a nonnegative start and end index, found: %d", name, bounds[i])
		}
	}
	return int(bounds[0]), int(min(bounds[1], int64(n))), nil
}

func concatArrays(_ *scope, name string, args []value.Value) (value.Value, error) {
	var all []value.Value
	for _, v := range args {
		if value.Nullish(v) {
			return value.Null(), nil
		}
		list, err := items(v, 28664, "%s only supports arrays, not %s", name)
		if err != nil {
			return v, err
		}
		all = append(all, list...)
	}
	return array(all)
}

func sortArray(s *scope, name string, args []value.Value) (value.Value, error) {
	if value.Nullish(args[0]) {
		return value.Null(), nil
	}
	list, err := items(args[0], 2942504, "The input argument to %s must be an array, but was of type: %s", name)
	if err != nil {
		return args[0], err
	}
	by := args[1]
	if n, ok := value.Integer(by); ok && (n == 1 || n == -1) {
		slices.SortStableFunc(list, func(a, b value.Value) int { return int(n) * s.compare(a, b) })
		return array(list)
	}
	if by.Type != bson.TypeEmbeddedDocument {
		return by, fault.New(2942507, "The %s sort specification must be an object, 1 or -1", name)
	}
	for path, way := range value.Elements(value.Doc(by.Value)) {
		if n, ok := value.Integer(way); !ok || n != 1 && n != -1 || CheckPath(path) != nil {
			return by, fault.New(fault.BadValue, "Illegal key in %s sort specification: %s: %v", name, path, way)
		}
	}
	for _, item := range list { // arrays at a sort key take their least or greatest element
		if item.Type != bson.TypeEmbeddedDocument && item.Type != bson.TypeArray {
			continue
		}
		for path := range value.Elements(value.Doc(by.Value)) {
			if Follow(item, splitPath(path)).Type == bson.TypeArray {
				return by, fault.NotOffered("%s by arrays", name)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b value.Value) int {
		for path, way := range value.Elements(value.Doc(by.Value)) {
			n, _ := value.Integer(way)
			if c := int(n) * s.compare(orNull(Follow(a, splitPath(path))), orNull(Follow(b, splitPath(path)))); c != 0 {
				return c
			}
		}
		return 0
	})
	return array(list)
}

func orNull(v value.Value) value.Value {
	if v.Type == 0 {
		return value.Null()
	}
	return v
}

// accumulate is $sum, $avg, $min and $max of their arguments; of an array's
// elements where it is the only one.
func accumulate(s *scope, name string, args []value.Value) (value.Value, error) {
	if len(args) == 1 && args[0].Type == bson.TypeArray {
		args = value.Items(args[0])
	}
	switch name {
	case "$sum", "$avg":
		var sum Sum
		for _, v := range args {
			sum.Add(v)
		}
		if name == "$sum" {
			return sum.Value(), nil
		}
		return sum.Average(), nil
	}
	sign := 1
	if name == "$max" {
		sign = -1
	}
	best := value.Null()
	for _, v := range args {
		if !value.Nullish(v) && (value.Nullish(best) || sign*s.compare(v, best) < 0) {
			best = v
		}
	}
	return best, nil
}
