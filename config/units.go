package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time. Its text carries units: 90s, 24h, 7d, 1d12h.
type Duration time.Duration

// D gives the time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String gives the shortest text that reads back as d; it uses no days.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText gives String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration does, with days before it.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := parseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	fault := fmt.Errorf("is %q; want a time with its unit, such as 90s, 15m, 24h or 7d", text)
	days, rest, found := strings.Cut(text, "d")
	if !found {
		v, err := time.ParseDuration(text)
		if err != nil {
			return 0, fault
		}
		return v, nil
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fault
	}
	sum := time.Duration(n) * 24 * time.Hour
	if rest != "" {
		v, err := time.ParseDuration(rest)
		if err != nil || v < 0 || v > 24*time.Hour {
			return 0, fault
		}
		sum += v
	}
	return sum, nil
}

// Size is a number of bytes. Its text carries a unit: 512B, 64KiB, 32MiB, 1GiB,
// or the decimal KB, MB, GB.
type Size int64

// The units of Size, those of String first, largest first.
var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

// String gives the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits[:3] {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText gives String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a whole number with a unit.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		digits, found := strings.CutSuffix(string(text), u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(u.bytes) {
			break
		}
		*s = Size(n) * u.bytes
		return nil
	}
	return fmt.Errorf("is %q; want a size with its unit, such as 64KiB, 32MiB or 1GiB", text)
}
