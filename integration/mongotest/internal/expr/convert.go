package expr

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	for name, to := range map[string]bson.Type{
		"$toString": bson.TypeString, "$toInt": bson.TypeInt32, "$toLong": bson.TypeInt64, "$toDouble": bson.TypeDouble,
		"$toDecimal": bson.TypeDecimal128, "$toBool": bson.TypeBoolean, "$toDate": bson.TypeDateTime, "$toObjectId": bson.TypeObjectID,
	} {
		add(1, 1, map[string]function{name: func(_ *scope, _ string, args []value.Value) (value.Value, error) {
			if value.Nullish(args[0]) {
				return value.Null(), nil
			}
			return convert(args[0], to)
		}})
	}
	operators["$convert"] = compileConvert
}

// conversion is $convert.
type conversion struct{ input, to, onError, onNull node }

func compileConvert(c *compiler, name string, v value.Value) (node, error) {
	if v.Type == bson.TypeEmbeddedDocument {
		for _, option := range []string{"format", "byteOrder"} {
			if !value.Missing(value.Get(value.Doc(v.Value), option)) {
				return nil, fault.NotOffered("%s with %s", name, option)
			}
		}
	}
	p := named{fault.FailedToParse, fault.FailedToParse, []string{"input", "to", "onError", "onNull"},
		[]fault.Code{fault.FailedToParse, fault.FailedToParse, 0, 0}}
	values, err := p.read(name, v)
	if err != nil {
		return nil, err
	}
	nodes, err := c.compileAll(values)
	if err != nil {
		return nil, err
	}
	n := &conversion{input: nodes[0], to: nodes[1]}
	if values[2].Type != 0 {
		n.onError = nodes[2]
	}
	if values[3].Type != 0 {
		n.onNull = nodes[3]
	}
	return n, nil
}

func (n *conversion) eval(s *scope) (value.Value, error) {
	to, err := n.to.eval(s)
	if err != nil {
		return to, err
	}
	input, err := n.input.eval(s)
	if err != nil {
		return input, err
	}
	if value.Nullish(input) {
		if n.onNull != nil {
			return n.onNull.eval(s)
		}
		return value.Null(), nil
	}
	if value.Nullish(to) {
		return value.Null(), nil
	}
	if to.Type == bson.TypeEmbeddedDocument {
		return to, fault.NotOffered("$convert with a subtype")
	}
	kind, err := targetType(to)
	if err != nil {
		return to, err
	}
	v, err := convert(input, kind)
	if err != nil && n.onError != nil && fault.Is(err, fault.ConversionFailure) {
		return n.onError.eval(s)
	}
	return v, err
}

func targetType(to value.Value) (bson.Type, error) {
	name, isText := value.Text(to)
	code, isWhole := value.Integer(to)
	if !isText && !value.IsNumber(to) {
		return 0, fault.New(fault.FailedToParse, "$convert's 'to' argument must be a string or number, but is %s", typeName(to))
	}
	if !isText && !isWhole {
		return 0, fault.New(fault.FailedToParse, "In $convert, numeric 'to' argument is not an integer")
	}
	for _, t := range []bson.Type{
		bson.TypeDouble, bson.TypeString, bson.TypeObjectID, bson.TypeBoolean, bson.TypeDateTime, bson.TypeInt32,
		bson.TypeInt64, bson.TypeDecimal128,
	} {
		if isText && name == value.TypeName(t) || isWhole && code == int64(t) {
			return t, nil
		}
	}
	for t := range 128 {
		if known := value.TypeName(bson.Type(t)); t > 0 && (isText && name == known || isWhole && code == int64(t)) {
			return bson.Type(t), nil // no conversion leads there
		}
	}
	if isText {
		return 0, fault.New(fault.BadValue, "Unknown type name: %s", name)
	}
	return 0, fault.New(fault.FailedToParse, "In $convert, numeric value for 'to' does not correspond to a BSON type: %d", code)
}

func cannot(v value.Value, to bson.Type) error {
	return fault.New(fault.ConversionFailure, "Unsupported conversion from %s to %s in $convert with no onError value", typeName(v), value.TypeName(to))
}

func malformed(v value.Value, to bson.Type, why string) error {
	return fault.New(fault.ConversionFailure, "Failed to convert %v to %s in $convert with no onError value: %s", v, value.TypeName(to), why)
}

// convert converts a value that is not null.
func convert(v value.Value, to bson.Type) (value.Value, error) {
	switch to {
	case bson.TypeString:
		switch v.Type {
		case bson.TypeString:
			return v, nil
		case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128, bson.TypeBoolean, bson.TypeDateTime, bson.TypeObjectID:
			text, err := format(v)
			return value.String(text), err
		}
	case bson.TypeBoolean:
		switch v.Type {
		case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128, bson.TypeBoolean,
			bson.TypeDateTime, bson.TypeObjectID, bson.TypeString, bson.TypeTimestamp:
			return value.Bool(value.Truthy(v)), nil
		}
	case bson.TypeInt32, bson.TypeInt64:
		return toInteger(v, to)
	case bson.TypeDouble, bson.TypeDecimal128:
		return toFraction(v, to)
	case bson.TypeDateTime:
		return toDate(v)
	case bson.TypeObjectID:
		switch v.Type {
		case bson.TypeObjectID:
			return v, nil
		case bson.TypeString:
			text, _ := value.Text(v)
			id, err := hex.DecodeString(text)
			if err != nil || len(id) != 12 {
				return v, malformed(v, to, "not 24 hexadecimal digits")
			}
			return value.Value{Type: to, Value: id}, nil
		}
	}
	return v, cannot(v, to)
}

func toInteger(v value.Value, to bson.Type) (value.Value, error) {
	fits := func(n int64) (value.Value, error) {
		if to == bson.TypeInt64 {
			return value.Int64(n), nil
		}
		if n != int64(int32(n)) {
			return v, fault.New(fault.ConversionFailure, "Conversion would overflow target type in $convert with no onError value: %v", v)
		}
		return value.Int32(int32(n)), nil
	}
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		n, _ := value.Integer(v)
		return fits(n)
	case bson.TypeDouble, bson.TypeDecimal128:
		if f, _ := value.Float(v); f != f || math.IsInf(f, 0) {
			return v, malformed(v, to, "Attempt to convert NaN or infinity value to integer")
		}
		whole := decimalOf(v).truncate(0, 0).value()
		if v.Type == bson.TypeDouble {
			whole = value.Double(math.Trunc(v.Double()))
		}
		n, ok := value.Integer(whole)
		if !ok {
			return v, malformed(v, to, "Conversion would overflow target type")
		}
		return fits(n)
	case bson.TypeBoolean:
		return fits(int64(v.Value[0]))
	case bson.TypeString:
		text, _ := value.Text(v)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return v, malformed(v, to, "Failed to parse number '"+text+"'")
		}
		return fits(n)
	case bson.TypeDateTime:
		if to == bson.TypeInt64 {
			return value.Int64(int64(v.DateTime())), nil
		}
	}
	return v, cannot(v, to)
}

func toFraction(v value.Value, to bson.Type) (value.Value, error) {
	make := func(v value.Value) value.Value {
		if to == bson.TypeDouble {
			f, _ := value.Float(v)
			return value.Double(f)
		}
		return decimalOf(v).value()
	}
	switch v.Type {
	case to:
		return v, nil
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
		return make(v), nil
	case bson.TypeDecimal128:
		f, _ := value.Float(v)
		if d := decimalOf(v); d.finite() && math.IsInf(f, 0) {
			return v, malformed(v, to, "Conversion would overflow target type")
		}
		return value.Double(f), nil
	case bson.TypeBoolean:
		return make(value.Int32(int32(v.Value[0]))), nil
	case bson.TypeDateTime:
		return make(value.Int64(int64(v.DateTime()))), nil
	case bson.TypeString:
		text, _ := value.Text(v)
		if to == bson.TypeDecimal128 {
			d, err := bson.ParseDecimal128(text)
			if err != nil {
				return v, malformed(v, to, "Failed to parse number '"+text+"'")
			}
			return value.Decimal(d), nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.ContainsAny(text, "xX_pP") {
			return v, malformed(v, to, "Failed to parse number '"+text+"'")
		}
		return value.Double(f), nil
	}
	return v, cannot(v, to)
}

func toDate(v value.Value) (value.Value, error) {
	switch v.Type {
	case bson.TypeDateTime:
		return v, nil
	case bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128: // an int is too short for one
		n, err := toInteger(v, bson.TypeInt64)
		if err != nil {
			return v, err
		}
		return value.Value{Type: bson.TypeDateTime, Value: n.Value}, nil
	case bson.TypeObjectID, bson.TypeTimestamp:
		t, err := moment(v)
		return value.Time(t), err
	case bson.TypeString:
		text, _ := value.Text(v)
		if t, ok := parseDate(text); ok {
			return value.Time(t), nil
		}
		return v, malformed(v, bson.TypeDateTime, "Error parsing date string '"+text+"'")
	}
	return v, cannot(v, bson.TypeDateTime)
}

// parseDate reads the ISO 8601 forms of dates.
func parseDate(text string) (time.Time, bool) {
	text = strings.Replace(text, " ", "T", 1)
	for _, clock := range []string{"", "T15:04", "T15:04:05", "T15:04:05.999999999"} {
		for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} {
			if clock == "" && zone != "" {
				continue
			}
			if t, err := time.Parse("2006-01-02"+clock+zone, text); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// format gives a value's text, as $toString has it.
func format(v value.Value) (string, error) {
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		n, _ := value.Integer(v)
		return strconv.FormatInt(n, 10), nil
	case bson.TypeDouble:
		f := v.Double()
		switch {
		case f != f:
			return "NaN", nil
		case math.IsInf(f, 1):
			return "Infinity", nil
		case math.IsInf(f, -1):
			return "-Infinity", nil
		}
		for _, precision := range []int{15, 16, 17} {
			text := strconv.FormatFloat(f, 'g', precision, 64)
			if back, _ := strconv.ParseFloat(text, 64); back == f {
				return text, nil
			}
		}
		return strconv.FormatFloat(f, 'g', 17, 64), nil
	case bson.TypeDecimal128:
		return v.Decimal128().String(), nil
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Value[0] != 0), nil
	case bson.TypeObjectID:
		return hex.EncodeToString(v.Value), nil
	case bson.TypeDateTime, bson.TypeTimestamp:
		t, err := moment(v)
		return t.Format("2006-01-02T15:04:05.000Z"), err
	}
	return "", cannot(v, bson.TypeString)
}
