package storetest

import (
	"reflect"
	"time"

	"botwatch/classifier"
)

// kept gives a copy of v whose moments are as the store keeps them: cut to the
// harness's Clock.
func kept[T any](e *env, v T) T {
	if e.h.Clock <= time.Microsecond {
		return v
	}
	out := reflect.New(reflect.TypeFor[T]()).Elem()
	cut(out, reflect.ValueOf(&v).Elem(), e.h.Clock)
	return out.Interface().(T)
}

// cut sets to from what it is given, its moments cut. It knows the kinds of
// values that hold moments; all others it shares.
func cut(to, from reflect.Value, clock time.Duration) {
	to.Set(from)
	switch v := from.Interface().(type) {
	case time.Time:
		to.Set(reflect.ValueOf(v.Truncate(clock))) // counts from the year 1
		return
	case classifier.Micros:
		if v != 0 {
			to.Set(reflect.ValueOf(classifier.Micros(v.Time().Truncate(clock).UnixMicro())))
		}
		return
	}
	switch from.Kind() {
	case reflect.Struct:
		for i := range from.NumField() {
			cut(to.Field(i), from.Field(i), clock)
		}
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			cut(to.Elem(), from.Elem(), clock)
		}
	case reflect.Slice:
		if !from.IsNil() {
			to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
			for i := range from.Len() {
				cut(to.Index(i), from.Index(i), clock)
			}
		}
	case reflect.Map:
		if !from.IsNil() {
			to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
			for key, value := range from.Seq2() {
				copied := reflect.New(value.Type()).Elem()
				cut(copied, value, clock)
				to.SetMapIndex(key, copied)
			}
		}
	}
}
