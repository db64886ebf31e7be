package expr

import (
	"encoding/binary"
	"strings"
	"time"
	_ "time/tzdata" // zones, wherever the tests run

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	for name, part := range map[string]func(t time.Time) int{
		"$year": time.Time.Year, "$month": func(t time.Time) int { return int(t.Month()) }, "$dayOfMonth": time.Time.Day,
		"$hour": time.Time.Hour, "$minute": time.Time.Minute, "$second": time.Time.Second,
		"$millisecond": func(t time.Time) int { return t.Nanosecond() / 1e6 },
		"$dayOfWeek":   func(t time.Time) int { return int(t.Weekday()) + 1 }, "$dayOfYear": time.Time.YearDay,
	} {
		operators[name] = compileDatePart(part)
	}
	operators["$dateToString"] = compileDateToString
	unit := []string{"unit", "timezone"}
	dated := func(names ...string) named {
		p := named{5166400, 5166401, append(names, unit...), make([]fault.Code, len(names)+2)}
		for i := range p.names[:len(p.names)-1] {
			p.missing[i] = 5166402
		}
		return p
	}
	addNamed(dated("startDate", "amount"), map[string]function{"$dateAdd": dateAdd, "$dateSubtract": dateAdd})
	diff := named{5166301, 5166302, []string{"startDate", "endDate", "unit", "timezone", "startOfWeek"}, []fault.Code{5166303, 5166304, 5166305, 0, 0}}
	operators["$dateDiff"] = compileDated(diff, dateDiff)
	trunc := named{5439007, 5439008, []string{"date", "unit", "binSize", "timezone", "startOfWeek"}, []fault.Code{5439009, 5439010, 0, 0, 0}}
	operators["$dateTrunc"] = compileDated(trunc, dateTrunc)
}

// defaults stand for named arguments that are not given, which null does not.
var defaults = map[string]value.Value{
	"timezone": value.String("UTC"), "binSize": value.Int32(1), "startOfWeek": value.String("sunday"),
}

func compileDated(p named, f function) func(c *compiler, name string, v value.Value) (node, error) {
	return func(c *compiler, name string, v value.Value) (node, error) {
		values, err := p.read(name, v)
		if err != nil {
			return nil, err
		}
		for i, field := range p.names {
			if values[i].Type == 0 {
				values[i] = defaults[field]
			}
		}
		args, err := c.compileAll(values)
		return &call{name, args, f}, err
	}
}

// moment gives what counts as a date: in UTC.
func moment(v value.Value) (time.Time, error) {
	switch v.Type {
	case bson.TypeDateTime:
		return time.UnixMilli(int64(v.DateTime())).UTC(), nil
	case bson.TypeTimestamp:
		t, _ := v.Timestamp()
		return time.Unix(int64(t), 0).UTC(), nil
	case bson.TypeObjectID:
		return time.Unix(int64(binary.BigEndian.Uint32(v.Value)), 0).UTC(), nil
	}
	return time.Time{}, fault.New(16006, "can't convert from BSON type %s to Date", typeName(v))
}

// zone reads a timezone: an Olson name, or an offset such as +05:30.
func zone(v value.Value) (*time.Location, error) {
	name, ok := value.Text(v)
	if !ok {
		return nil, fault.New(40517, "timezone must evaluate to a string, found %s", typeName(v))
	}
	if name == "Z" || name == "UTC" || name == "GMT" {
		return time.UTC, nil
	}
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		for _, layout := range []string{"-07:00", "-0700", "-07"} {
			if t, err := time.Parse(layout, name); err == nil {
				_, offset := t.Zone()
				return time.FixedZone(name, offset), nil
			}
		}
	} else if name != "" && name != "Local" {
		if at, err := time.LoadLocation(name); err == nil {
			return at, nil
		}
	}
	return nil, fault.New(40485, "unrecognized time zone identifier: %q", name)
}

// compileDatePart compiles a date, or {date, timezone}.
func compileDatePart(part func(time.Time) int) func(c *compiler, name string, v value.Value) (node, error) {
	f := func(_ *scope, _ string, args []value.Value) (value.Value, error) {
		if anyNull(args) {
			return value.Null(), nil
		}
		t, err := moment(args[0])
		if err != nil {
			return args[0], err
		}
		at, err := zone(args[1])
		if err != nil {
			return args[0], err
		}
		return value.Int32(int32(part(t.In(at)))), nil
	}
	return func(c *compiler, name string, v value.Value) (node, error) {
		if v.Type == bson.TypeEmbeddedDocument && !strings.HasPrefix(firstName(v), "$") {
			return compileDated(named{40535, 40535, []string{"date", "timezone"}, []fault.Code{40539, 0}}, f)(c, name, v)
		}
		args, err := c.args(name, v, 1, 1)
		if err != nil {
			return nil, err
		}
		return &call{name, append(args, constant(defaults["timezone"])), f}, nil
	}
}

func compileDateToString(c *compiler, name string, v value.Value) (node, error) {
	p := named{18629, 18534, []string{"date", "format", "timezone", "onNull"}, []fault.Code{18628, 0, 0, 0}}
	values, err := p.read(name, v)
	if err != nil {
		return nil, err
	}
	format := "%Y-%m-%dT%H:%M:%S.%LZ"
	if values[2].Type != 0 {
		format = "%Y-%m-%dT%H:%M:%S.%L"
	} else {
		values[2] = defaults["timezone"]
	}
	if values[1].Type == 0 {
		values[1] = value.String(format)
	}
	args, err := c.compileAll(values)
	if err != nil {
		return nil, err
	}
	return &call{name, args, dateToString}, nil
}

func dateToString(_ *scope, name string, args []value.Value) (value.Value, error) {
	switch {
	case value.Nullish(args[1]) || value.Nullish(args[2]):
		return value.Null(), nil
	case value.Nullish(args[0]):
		if args[3].Type != 0 {
			return args[3], nil
		}
		return value.Null(), nil
	}
	format, ok := value.Text(args[1])
	if !ok {
		return args[0], fault.New(18533, "%s requires that 'format' be a string, found: %s with value %v", name, typeName(args[1]), args[1])
	}
	t, err := moment(args[0])
	if err != nil {
		return args[0], err
	}
	at, err := zone(args[2])
	if err != nil {
		return args[0], err
	}
	text, err := formatDate(t.In(at), format)
	return value.String(text), err
}
