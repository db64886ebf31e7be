package update

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// operator is one update operator with its argument.
type operator interface {
	// viability says what the operator does where its path leads nowhere.
	viability(r *run) viability

	// apply gives what becomes of a value. v is missing only where viability
	// is creates.
	apply(r *run, path string, v value.Value) (outcome, error)
}

type viability int

const (
	creates      viability = iota // the path is made
	mustBeViable                  // nothing is done, but the path must be one that could be made
	ignores                       // nothing is done
)

// operators has what reads each operator's argument for one path. $rename is
// read by compileRename.
var operators map[string]func(u *Update, path string, argument value.Value) (operator, error)

func init() {
	operators = map[string]func(*Update, string, value.Value) (operator, error){
		"$set": func(_ *Update, _ string, v value.Value) (operator, error) { return set{v}, nil },
		"$setOnInsert": func(_ *Update, _ string, v value.Value) (operator, error) {
			return setOnInsert{set{v}}, nil
		},
		"$unset":       func(*Update, string, value.Value) (operator, error) { return unset{}, nil },
		"$inc":         arithmeticOf("$inc", "increment", expr.Add),
		"$mul":         arithmeticOf("$mul", "multiply", expr.Multiply),
		"$min":         func(_ *Update, _ string, v value.Value) (operator, error) { return bound{v, -1}, nil },
		"$max":         func(_ *Update, _ string, v value.Value) (operator, error) { return bound{v, 1}, nil },
		"$rename":      nil,
		"$currentDate": parseCurrentDate,
		"$bit":         parseBit,
		"$push":        parsePush,
		"$addToSet":    parseAddToSet,
		"$pull":        parsePull,
		"$pullAll":     parsePullAll,
		"$pop":         parsePop,
	}
}

// put gives what setting a value comes to: nothing where it is already there,
// type and all.
func put(old, now value.Value) outcome {
	if old.Type == now.Type && bytes.Equal(old.Value, now.Value) {
		return outcome{kind: same, value: old}
	}
	return outcome{kind: updated, value: now}
}

type set struct{ value value.Value }

func (s set) viability(*run) viability { return creates }

func (s set) apply(_ *run, _ string, v value.Value) (outcome, error) { return put(v, s.value), nil }

type setOnInsert struct{ set }

func (s setOnInsert) viability(r *run) viability {
	if r.inserting {
		return creates
	}
	return ignores
}

func (s setOnInsert) apply(r *run, path string, v value.Value) (outcome, error) {
	if !r.inserting {
		return outcome{kind: same, value: v}, nil
	}
	return s.set.apply(r, path, v)
}

type unset struct{}

func (unset) viability(*run) viability { return ignores }

func (unset) apply(*run, string, value.Value) (outcome, error) { return outcome{kind: removed}, nil }

// rename sets the target; the source is taken away by an unset of its own.
type rename struct{ from, to []string }

func (o *rename) source(r *run) (v value.Value, array bool) {
	v = value.Document(r.doc)
	for i, name := range o.from {
		if !value.IsDocument(v) {
			return value.Value{}, i > 0 && value.IsArray(v)
		}
		v = value.Get(value.Doc(v.Value), name)
	}
	return v, false
}

func (o *rename) viability(r *run) viability {
	if v, array := o.source(r); value.Missing(v) && !array {
		return ignores
	}
	return creates
}

func (o *rename) apply(r *run, path string, old value.Value) (outcome, error) {
	v, array := o.source(r)
	if array {
		return outcome{}, fault.New(fault.BadValue, "the source field of $rename to '%s' cannot be an array element, in the document with _id: %s", path, show(value.Get(r.doc, "_id")))
	}
	if value.Missing(v) {
		return outcome{kind: same, value: old}, nil
	}
	at := value.Document(r.doc)
	for _, name := range o.to[:len(o.to)-1] {
		if value.IsDocument(at) {
			at = value.Get(value.Doc(at.Value), name)
		}
		if value.IsArray(at) {
			return outcome{}, fault.New(fault.BadValue, "the destination field cannot be an array element, '%s' in the document with _id: %s", path, show(value.Get(r.doc, "_id")))
		}
	}
	return put(old, v), nil
}

type arithmetic struct {
	name    string
	operand value.Value
	compute func(a, b value.Value) value.Value
}

func arithmeticOf(name, verb string, compute func(a, b value.Value) value.Value) func(*Update, string, value.Value) (operator, error) {
	return func(_ *Update, path string, v value.Value) (operator, error) {
		if !value.IsNumber(v) {
			return nil, fault.New(fault.TypeMismatch, "cannot %s with non-numeric argument: {%s: %s}", verb, path, show(v))
		}
		return &arithmetic{name, v, compute}, nil
	}
}

func (o *arithmetic) viability(*run) viability { return creates }

func (o *arithmetic) apply(r *run, path string, v value.Value) (outcome, error) {
	if value.Missing(v) {
		if o.name == "$mul" { // a zero of the operand's type
			zero := value.Int32(0)
			switch o.operand.Type {
			case bson.TypeInt64:
				zero = value.Int64(0)
			case bson.TypeDouble:
				zero = value.Double(0)
			case bson.TypeDecimal128:
				zero = value.Decimal(bson.NewDecimal128(0x3040000000000000, 0))
			}
			return outcome{kind: updated, value: zero}, nil
		}
		return outcome{kind: updated, value: o.operand}, nil
	}
	if !value.IsNumber(v) {
		return outcome{}, fault.New(fault.TypeMismatch, "cannot apply %s to a value of non-numeric type. {_id: %s} has the field '%s' of non-numeric type %s",
			o.name, show(value.Get(r.doc, "_id")), path, value.TypeName(v.Type))
	}
	now := o.compute(v, o.operand)
	if now.Type == bson.TypeDouble && isInteger(v) && isInteger(o.operand) {
		return outcome{}, fault.New(fault.BadValue, "failed to apply %s operations to current value (%s) for document {_id: %s}: the result does not fit a long",
			o.name, show(v), show(value.Get(r.doc, "_id")))
	}
	return put(v, now), nil
}

func isInteger(v value.Value) bool { return v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64 }

// bound is $min and $max: sign is that of a comparison that lets the operand
// win.
type bound struct {
	operand value.Value
	sign    int
}

func (o bound) viability(*run) viability { return creates }

func (o bound) apply(r *run, _ string, v value.Value) (outcome, error) {
	if value.Missing(v) || r.update.env.Collation.Compare(o.operand, v)*o.sign > 0 {
		return outcome{kind: updated, value: o.operand}, nil
	}
	return outcome{kind: same, value: v}, nil
}

type currentDate struct{ timestamp bool }

func parseCurrentDate(_ *Update, path string, v value.Value) (operator, error) {
	switch {
	case v.Type == bson.TypeBoolean:
		return currentDate{}, nil
	case value.IsDocument(v):
		for name, t := range value.Elements(value.Doc(v.Value)) {
			if name != "$type" {
				return nil, fault.New(fault.BadValue, "unrecognized $currentDate option: %s", name)
			}
			switch s, _ := value.Text(t); s {
			case "date":
				return currentDate{}, nil
			case "timestamp":
				return currentDate{timestamp: true}, nil
			}
		}
		return nil, fault.New(fault.BadValue, "the '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {%s: {$type: 'date'}}}", path)
	}
	return nil, fault.New(fault.BadValue, "%s is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'})", value.TypeName(v.Type))
}

func (o currentDate) viability(*run) viability { return creates }

// apply counts as a change even where the time has not moved.
func (o currentDate) apply(r *run, _ string, v value.Value) (outcome, error) {
	now := value.Time(r.update.env.Now)
	if o.timestamp {
		now = value.Timestamp(r.update.env.ClusterTime)
	}
	return outcome{kind: updated, value: now}, nil
}

type bit struct {
	name    string
	operand value.Value
}

type bits []bit

func parseBit(_ *Update, path string, v value.Value) (operator, error) {
	if !value.IsDocument(v) {
		return nil, fault.New(fault.BadValue, "the $bit modifier is not compatible with a %s. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}}", value.TypeName(v.Type))
	}
	var all bits
	for name, operand := range value.Elements(value.Doc(v.Value)) {
		if name != "and" && name != "or" && name != "xor" {
			return nil, fault.New(fault.BadValue, "the $bit modifier only supports 'and', 'or', and 'xor', not '%s' which is an unknown operator: {%s: %s}", name, path, show(v))
		}
		if !isInteger(operand) {
			return nil, fault.New(fault.BadValue, "the $bit modifier field must be an Integer(32/64 bit); a '%s' is not supported here: {%s: %s}", value.TypeName(operand.Type), path, show(v))
		}
		all = append(all, bit{name, operand})
	}
	if len(all) == 0 {
		return nil, fault.New(fault.BadValue, "you must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}}")
	}
	return all, nil
}

func (o bits) viability(*run) viability { return creates }

func (o bits) apply(r *run, path string, v value.Value) (outcome, error) {
	now := v
	if value.Missing(v) {
		now = value.Int32(0)
	}
	if !isInteger(now) {
		return outcome{}, fault.New(fault.BadValue, "cannot apply $bit to a value of non-integral type. {_id: %s} has the field %s of non-integer type %s",
			show(value.Get(r.doc, "_id")), path, value.TypeName(v.Type))
	}
	for _, b := range o {
		x, _ := value.Integer(now)
		y, _ := value.Integer(b.operand)
		switch b.name {
		case "and":
			x &= y
		case "or":
			x |= y
		case "xor":
			x ^= y
		}
		if now.Type == bson.TypeInt64 || b.operand.Type == bson.TypeInt64 {
			now = value.Int64(x)
		} else {
			now = value.Int32(int32(x))
		}
	}
	return put(v, now), nil
}
