package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Prefix opens the names of the environment's variables.
const Prefix = "BOTWATCH_"

// Field describes one field of Config.
type Field struct {
	Path string // such as backfill.schedule
	Doc  string
}

// Variable gives the name of the field's environment variable.
func (f Field) Variable() string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(f.Path, ".", "_"))
}

// Fields lists all fields, in the order in which Print gives them.
func Fields() []Field {
	var c Config
	var list []Field
	for _, l := range leaves(reflect.ValueOf(&c).Elem(), "") {
		list = append(list, l.Field)
	}
	return list
}

// leaf is a field of one Config.
type leaf struct {
	Field
	value reflect.Value
}

// leaves lists the fields below a struct.
func leaves(v reflect.Value, prefix string) []leaf {
	var list []leaf
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		path := prefix + sf.Tag.Get("yaml")
		if sf.Type.Kind() == reflect.Struct {
			list = append(list, leaves(v.Field(i), path+".")...)
			continue
		}
		list = append(list, leaf{Field{path, sf.Tag.Get("doc")}, v.Field(i)})
	}
	return list
}

// set reads a field from its text.
func (l leaf) set(text string) error {
	if u, ok := l.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch l.value.Kind() {
	case reflect.String:
		l.value.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("is %q; want a whole number", text)
		}
		l.value.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("is %q; want a number", text)
		}
		l.value.SetFloat(f)
	default:
		panic("config: no text form for " + l.value.Type().String())
	}
	return nil
}
