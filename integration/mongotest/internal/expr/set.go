package expr

import (
	"slices"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	add(0, -1, map[string]function{"$setUnion": setUnion, "$setIntersection": setIntersection})
	add(2, 2, map[string]function{"$setDifference": setDifference, "$setIsSubset": setIsSubset})
	add(2, -1, map[string]function{"$setEquals": setEquals})
	add(1, 1, map[string]function{"$allElementsTrue": elementsTrue, "$anyElementTrue": elementsTrue})
}

// set is values by their keys.
type set map[string]value.Value

func (s *scope) set(list []value.Value) set {
	all := set{}
	for _, v := range list {
		if key := s.env.Collation.Key(v); all[key].Type == 0 {
			all[key] = v
		}
	}
	return all
}

// array gives a set in the order of its values, as the server does.
func (m set) array() (value.Value, error) {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	list := make([]value.Value, len(keys))
	for i, key := range keys {
		list[i] = m[key]
	}
	return array(list)
}

func setUnion(s *scope, name string, args []value.Value) (value.Value, error) {
	var all []value.Value
	for _, v := range args {
		if value.Nullish(v) {
			return value.Null(), nil
		}
		list, err := items(v, 17043, "All operands of %s must be arrays. One argument is of type: %s", name)
		if err != nil {
			return v, err
		}
		all = append(all, list...)
	}
	return s.set(all).array()
}

func setIntersection(s *scope, name string, args []value.Value) (value.Value, error) {
	var common set
	for _, v := range args {
		if value.Nullish(v) {
			return value.Null(), nil
		}
		list, err := items(v, 17047, "All operands of %s must be arrays. One argument is of type: %s", name)
		if err != nil {
			return v, err
		}
		next := s.set(list)
		if common == nil {
			common = next
		}
		for key := range common {
			if _, ok := next[key]; !ok {
				delete(common, key)
			}
		}
	}
	return common.array()
}

func setDifference(s *scope, name string, args []value.Value) (value.Value, error) {
	if anyNull(args) {
		return value.Null(), nil
	}
	list, err := items(args[0], 17048, "both operands of %s must be arrays. First argument is of type: %s", name)
	if err != nil {
		return args[0], err
	}
	without, err := items(args[1], 17049, "both operands of %s must be arrays. Second argument is of type: %s", name)
	if err != nil {
		return args[1], err
	}
	seen := s.set(without)
	var rest []value.Value
	for _, v := range list { // in the first one's order
		if key := s.env.Collation.Key(v); seen[key].Type == 0 {
			seen[key] = v
			rest = append(rest, v)
		}
	}
	return array(rest)
}

func setIsSubset(s *scope, name string, args []value.Value) (value.Value, error) {
	list, err := items(args[0], 17046, "both operands of %s must be arrays. First argument is of type: %s", name)
	if err != nil {
		return args[0], err
	}
	of, err := items(args[1], 17042, "both operands of %s must be arrays. Second argument is of type: %s", name)
	if err != nil {
		return args[1], err
	}
	all := s.set(of)
	for key := range s.set(list) {
		if _, ok := all[key]; !ok {
			return value.Bool(false), nil
		}
	}
	return value.Bool(true), nil
}

func setEquals(s *scope, name string, args []value.Value) (value.Value, error) {
	var one set
	equal := true
	for _, v := range args {
		list, err := items(v, 17044, "All operands of %s must be arrays. One argument is of type: %s", name)
		if err != nil {
			return v, err
		}
		next := s.set(list)
		if one == nil {
			one = next
		}
		equal = equal && len(next) == len(one)
		for key := range next {
			_, ok := one[key]
			equal = equal && ok
		}
	}
	return value.Bool(equal), nil
}

func elementsTrue(_ *scope, name string, args []value.Value) (value.Value, error) {
	any := name == "$anyElementTrue"
	code := fault.Code(17040)
	if any {
		code = 17041
	}
	list, err := items(args[0], code, "%s's argument must be an array, but is %s", name)
	if err != nil {
		return args[0], err
	}
	for _, v := range list {
		if value.Truthy(v) == any {
			return value.Bool(any), nil
		}
	}
	return value.Bool(!any), nil
}
