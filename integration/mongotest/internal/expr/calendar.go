package expr

import (
	"fmt"
	"math"
	"strings"
	"time"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// formatDate writes a date by a format as $dateToString has it.
func formatDate(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		if i == len(format) {
			return "", fault.New(18535, "Unmatched '%%' at end of format string")
		}
		isoYear, isoWeek := t.ISOWeek()
		switch format[i] {
		case '%':
			b.WriteByte('%')
		case 'Y':
			if t.Year() < 0 || t.Year() > 9999 {
				return "", fault.New(18537, "Could not convert date to string: date component was outside the supported range of 0-9999: %d", t.Year())
			}
			fmt.Fprintf(&b, "%04d", t.Year())
		case 'm':
			fmt.Fprintf(&b, "%02d", t.Month())
		case 'd':
			fmt.Fprintf(&b, "%02d", t.Day())
		case 'H':
			fmt.Fprintf(&b, "%02d", t.Hour())
		case 'M':
			fmt.Fprintf(&b, "%02d", t.Minute())
		case 'S':
			fmt.Fprintf(&b, "%02d", t.Second())
		case 'L':
			fmt.Fprintf(&b, "%03d", t.Nanosecond()/1e6)
		case 'j':
			fmt.Fprintf(&b, "%03d", t.YearDay())
		case 'w':
			fmt.Fprintf(&b, "%d", int(t.Weekday())+1)
		case 'u':
			fmt.Fprintf(&b, "%d", (int(t.Weekday())+6)%7+1)
		case 'U': // weeks begin on Sundays; days before the first are of week 0
			fmt.Fprintf(&b, "%02d", (t.YearDay()-1+7-int(t.Weekday()))/7)
		case 'V':
			fmt.Fprintf(&b, "%02d", isoWeek)
		case 'G':
			fmt.Fprintf(&b, "%04d", isoYear)
		case 'b':
			b.WriteString(t.Month().String()[:3])
		case 'B':
			b.WriteString(t.Month().String())
		case 'z':
			b.WriteString(t.Format("-0700"))
		case 'Z': // minutes
			_, offset := t.Zone()
			fmt.Fprintf(&b, "%+d", offset/60)
		default:
			return "", fault.New(18536, "Invalid format character '%%%c' in format string", format[i])
		}
	}
	return b.String(), nil
}

// length gives the milliseconds of a unit that always has as many; months
// gives the months of the others.
func length(unit string) (ms int64, months int, ok bool) {
	switch unit {
	case "millisecond":
		return 1, 0, true
	case "second":
		return 1000, 0, true
	case "minute":
		return 60_000, 0, true
	case "hour":
		return 3_600_000, 0, true
	case "day":
		return 86_400_000, 0, true
	case "week":
		return 7 * 86_400_000, 0, true
	case "month":
		return 0, 1, true
	case "quarter":
		return 0, 3, true
	case "year":
		return 0, 12, true
	}
	return 0, 0, false
}

func unitOf(v value.Value, name string) (unit string, ms int64, months int, err error) {
	unit, ok := value.Text(v)
	if !ok {
		return "", 0, 0, fault.New(5439013, "%s requires 'unit' to be a string, but got %s", name, typeName(v))
	}
	if ms, months, ok = length(unit); !ok {
		return "", 0, 0, fault.New(fault.FailedToParse, "%s parameter 'unit' value cannot be recognized as a time unit: %s", name, unit)
	}
	return unit, ms, months, nil
}

// dated reads the arguments that the operators of units share.
func dated(name string, date, unit, timezone value.Value) (t time.Time, u string, ms int64, months int, err error) {
	if u, ms, months, err = unitOf(unit, name); err != nil {
		return
	}
	at, err := zone(timezone)
	if err != nil {
		return
	}
	if t, err = moment(date); err == nil {
		t = t.In(at)
	}
	return
}

// dateAdd is $dateAdd and $dateSubtract: units from days on keep the time of day
// in the zone, and months end at their last day.
func dateAdd(_ *scope, name string, args []value.Value) (value.Value, error) {
	if args[3].Type == 0 {
		args[3] = defaults["timezone"]
	}
	if anyNull(args) {
		return value.Null(), nil
	}
	t, unit, ms, months, err := dated(name, args[0], args[2], args[3])
	if err != nil {
		return args[0], err
	}
	amount, ok := value.Integer(args[1])
	if !ok {
		return args[1], fault.New(5166405, "%s expects integer amount of time units", name)
	}
	if name == "$dateSubtract" {
		amount = -amount
	}
	const most = math.MaxInt64 / 1_000_000 / 86_400_000 // days of nanoseconds
	switch {
	case months > 0:
		if amount > most || amount < -most {
			return args[1], fault.New(5166406, "%s overflowed", name)
		}
		return value.Time(addMonths(t, int(amount)*months)), nil
	case unit == "day" || unit == "week":
		days := amount * (ms / 86_400_000)
		if amount > most*1000 || amount < -most*1000 {
			return args[1], fault.New(5166406, "%s overflowed", name)
		}
		return value.Time(t.AddDate(0, 0, int(days))), nil
	}
	total, ok := product(amount, ms)
	if !ok {
		return args[1], fault.New(5166406, "%s overflowed", name)
	}
	return addToDate(value.Time(t), value.Int64(total), 1)
}

func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(first.Year(), first.Month(), min(t.Day(), last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}

// days numbers days, by the calendar of the date's zone.
func days(t time.Time) int64 {
	return floorDiv(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix(), 86_400)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// weekday reads a startOfWeek, of which the first three letters may do.
func weekday(v value.Value, name string) (time.Weekday, error) {
	text, ok := value.Text(v)
	if !ok {
		return 0, fault.New(5439015, "%s requires 'startOfWeek' to be a string, but got %s", name, typeName(v))
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if full := d.String(); strings.EqualFold(text, full) || strings.EqualFold(text, full[:3]) {
			return d, nil
		}
	}
	return 0, fault.New(fault.FailedToParse, "%s parameter 'startOfWeek' value cannot be recognized as a day of a week: %s", name, text)
}

// week numbers weeks that begin on a day.
func week(day int64, start time.Weekday) int64 {
	return floorDiv(day+int64(time.Thursday)-int64(start), 7) // day 0 was a Thursday
}

// dateDiff counts the boundaries of units between two dates.
func dateDiff(_ *scope, name string, args []value.Value) (value.Value, error) {
	if anyNull(args) {
		return value.Null(), nil
	}
	from, unit, ms, months, err := dated(name, args[0], args[2], args[3])
	if err != nil {
		return args[0], err
	}
	to, err := moment(args[1])
	if err != nil {
		return args[1], err
	}
	to = to.In(from.Location())
	start, err := weekday(args[4], name)
	if err != nil {
		return args[4], err
	}
	number := func(t time.Time) int64 {
		switch unit {
		case "week":
			return week(days(t), start)
		case "day":
			return days(t)
		case "hour", "minute", "second", "millisecond":
			_, offset := t.Zone() // an offset may be of half an hour
			return floorDiv(t.UnixMilli()+int64(offset)*1000, ms)
		}
		return floorDiv(int64(t.Year())*12+int64(t.Month())-1, int64(months))
	}
	n := number(to) - number(from)
	if unit != "week" && months == 0 && unit != "day" { // the clock may have been changed between
		_, a := from.Zone()
		_, b := to.Zone()
		if ms <= 3_600_000 {
			n -= int64(b-a) * 1000 / ms
		}
	}
	return value.Int64(n), nil
}

// dateTrunc gives the start of the bin that a date is in. Bins are counted from
// the start of 2000; those of weeks from the first week that starts in it.
func dateTrunc(_ *scope, name string, args []value.Value) (value.Value, error) {
	if anyNull(args) {
		return value.Null(), nil
	}
	t, unit, ms, months, err := dated(name, args[0], args[1], args[3])
	if err != nil {
		return args[0], err
	}
	size, ok := value.Integer(args[2])
	if !ok || size <= 0 || size > math.MaxInt32 {
		return args[2], fault.New(5439018, "%s requires 'binSize' value to be greater than 0 and a 64-bit integer, but got %v", name, args[2])
	}
	start, err := weekday(args[4], name)
	if err != nil {
		return args[4], err
	}
	in := t.Location()
	const day2000 = 10957
	switch {
	case months > 0:
		bin := int64(months) * size
		n := floorDiv(int64(t.Year()-2000)*12+int64(t.Month())-1, bin) * bin
		return value.Time(time.Date(2000, time.Month(1+n), 1, 0, 0, 0, 0, in)), nil
	case unit == "day" || unit == "week":
		origin, bin := int64(day2000), size
		if unit == "week" {
			origin += int64(start-time.Saturday+7) % 7 // 2000 began on a Saturday
			bin = 7 * size
		}
		n := origin + floorDiv(days(t)-origin, bin)*bin
		return value.Time(time.Date(1970, 1, 1+int(n), 0, 0, 0, 0, in)), nil
	}
	origin := time.Date(2000, 1, 1, 0, 0, 0, 0, in).UnixMilli()
	bin := ms * size
	return value.DateTime(origin + floorDiv(t.UnixMilli()-origin, bin)*bin), nil
}
