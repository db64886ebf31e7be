package classifier

// parseTime reads the forms in which crawled accounts carry times:
//
//	2020-05-20 09:18:42[.fraction]
//	2020-05-20T09:18:42[.fraction][Z|±hh:mm|±hhmm|±hh]   (the zone after a space too)
//	Wed May 20 09:18:42 +0000 2020
//
// UTC where no zone is given; digits of a fraction beyond the sixth are cut.
func parseTime(s []byte) (Micros, bool) {
	if len(s) >= 19 && s[4] == '-' {
		return parseISO(s)
	}
	if len(s) == 30 && s[3] == ' ' {
		return parseRuby(s)
	}
	return 0, false
}

func parseISO(s []byte) (Micros, bool) {
	if s[7] != '-' || s[10] != ' ' && s[10] != 'T' {
		return 0, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	clock, ok4 := parseClock(s[11:19])
	if !(ok1 && ok2 && ok3 && ok4) {
		return 0, false
	}
	days, ok := civilDays(year, month, day)
	if !ok {
		return 0, false
	}
	at := (int64(days)*86400 + int64(clock)) * 1e6
	s = s[19:]
	if len(s) > 0 && s[0] == '.' {
		i, scale := 1, int64(100_000)
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			at += int64(s[i]-'0') * scale
			scale /= 10
		}
		if i == 1 {
			return 0, false
		}
		s = s[i:]
	}
	if len(s) > 1 && s[0] == ' ' {
		s = s[1:]
	}
	if len(s) == 0 || len(s) == 1 && (s[0] == 'Z' || s[0] == 'z') {
		return Micros(at), true
	}
	offset, ok := parseOffset(s)
	return Micros(at - int64(offset)*1e6), ok
}

// parseRuby reads v1.1's own form, "Wed May 20 09:18:42 +0000 2020".
func parseRuby(s []byte) (Micros, bool) {
	if s[7] != ' ' || s[10] != ' ' || s[19] != ' ' || s[25] != ' ' {
		return 0, false
	}
	switch string(s[0:3]) {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
	default:
		return 0, false
	}
	month := 0
	for i := range 12 {
		if "JanFebMarAprMayJunJulAugSepOctNovDec"[3*i:3*i+3] == string(s[4:7]) {
			month = i + 1
		}
	}
	day, ok1 := digits(s[8:10])
	clock, ok2 := parseClock(s[11:19])
	offset, ok3 := parseOffset(s[20:25])
	year, ok4 := digits(s[26:30])
	if !(ok1 && ok2 && ok3 && ok4) {
		return 0, false
	}
	days, ok := civilDays(year, month, day)
	return Micros((int64(days)*86400 + int64(clock) - int64(offset)) * 1e6), ok
}

// parseClock reads hh:mm:ss and gives seconds since midnight.
func parseClock(s []byte) (int, bool) {
	h, ok1 := digits(s[0:2])
	m, ok2 := digits(s[3:5])
	sec, ok3 := digits(s[6:8])
	ok := ok1 && ok2 && ok3 && s[2] == ':' && s[5] == ':' && h < 24 && m < 60 && sec < 60
	return h*3600 + m*60 + sec, ok
}

// parseOffset reads ±hh:mm, ±hhmm or ±hh and gives seconds east of UTC.
func parseOffset(s []byte) (int, bool) {
	if len(s) != 3 && len(s) != 5 && len(s) != 6 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, ok := digits(s[1:3])
	m := 0
	if ok && len(s) > 3 {
		rest := s[3:]
		if len(rest) == 3 {
			if rest[0] != ':' {
				return 0, false
			}
			rest = rest[1:]
		}
		m, ok = digits(rest)
	}
	if !ok || h > 23 || m > 59 {
		return 0, false
	}
	if s[0] == '-' {
		return -(h*3600 + m*60), true
	}
	return h*3600 + m*60, true
}

func digits(s []byte) (int, bool) {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

var daysBefore = [13]int{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

// civilDays counts the days from 1970-01-01 to a date of the Gregorian
// calendar, years 1 to 9999.
func civilDays(year, month, day int) (int, bool) {
	if year < 1 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	length := daysBefore[month] - daysBefore[month-1]
	if leap && month == 2 {
		length++
	}
	if day > length {
		return 0, false
	}
	y := year - 1
	days := y*365 + y/4 - y/100 + y/400 + daysBefore[month-1] + day - 1
	if leap && month > 2 {
		days++
	}
	return days - 719162, true
}

// ParseTime reads a time in any of the forms that accounts carry, UTC where it
// names no zone.
func ParseTime(s string) (Micros, bool) {
	at, ok := parseTime([]byte(s))
	return at, ok && at >= MinMicros && at <= MaxMicros
}
