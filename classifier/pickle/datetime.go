package pickle

import (
	"errors"
	"time"

	"botwatch/classifier"
)

var (
	errDatetime = errors.New("a pickled datetime that is none")
	errZone     = errors.New("a pickled datetime with a zone other than datetime.timezone or bson's FixedOffset")
)

// moment gives the moment of a pickled datetime.datetime: 10 bytes and, unless
// it is naive and means UTC, a zone.
func moment(v Value) (classifier.Micros, error) {
	args := v.Args()
	s := args.Index(0).Text()
	if len(s) != 10 || args.Len() > 2 {
		return 0, errDatetime
	}
	year, month, day := int(s[0])<<8|int(s[1]), time.Month(s[2]&0x7f), int(s[3]) // the eighth bit is fold
	hour, minute, second := int(s[4]), int(s[5]), int(s[6])
	micro := int64(s[7])<<16 | int64(s[8])<<8 | int64(s[9])
	at := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	if at.Year() != year || at.Month() != month || at.Day() != day || hour > 23 || minute > 59 || second > 59 || micro > 999_999 || year < 1 || year > 9999 {
		return 0, errDatetime
	}
	micros := at.Unix()*1e6 + micro
	if args.Len() == 2 {
		offset, err := zoneOffset(args.Index(1))
		if err != nil {
			return 0, err
		}
		micros -= offset
	}
	return classifier.Micros(micros), nil
}

// zoneOffset gives how far a zone lies east of UTC, in microseconds.
func zoneOffset(zone Value) (int64, error) {
	if zone.Kind() != Object || zone.Tag() != tagTimezone && zone.Tag() != tagFixedOffset {
		return 0, errZone
	}
	offset := zone.Args().Index(0)
	var micros int64
	switch {
	case zone.Tag() == tagFixedOffset && offset.Kind() == Int: // minutes
		if micros = offset.Int(); micros < -1440 || micros > 1440 {
			return 0, errZone
		}
		micros *= 60e6
	case offset.Kind() == Object && offset.Tag() == tagTimedelta:
		unit := [...]int64{86400e6, 1e6, 1}
		for i := range offset.Args().Len() {
			part := offset.Args().Index(i)
			if i >= len(unit) || part.Kind() != Int || part.Int() < -1e6 || part.Int() > 1e6 {
				return 0, errZone
			}
			micros += part.Int() * unit[i]
		}
	default:
		return 0, errZone
	}
	if micros <= -86400e6 || micros >= 86400e6 {
		return 0, errZone
	}
	return micros, nil
}
