package store

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// UnmarshalJSON reads what ParseID reads.
func (id *ID) UnmarshalJSON(data []byte) error {
	v, err := ParseID(data)
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads an ID from extended JSON (v2), relaxed or canonical, and what
// AppendJSON gives. It fails for an array, for an object with a name twice, and
// for one with a $ in a name that is none of extended JSON's.
func ParseID(data []byte) (ID, error) {
	id, err := parseID(data)
	if err != nil {
		return "", fmt.Errorf("read id %s: %w", shortened(data), err)
	}
	return id, nil
}

// shortened quotes the beginning of a text.
func shortened(data []byte) string {
	const most = 100
	if len(data) > most {
		return strconv.Quote(string(data[:most])) + "…"
	}
	return strconv.Quote(string(data))
}

func parseID(data []byte) (ID, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return "", err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := readTree(dec, 4*maxDepth) // $fields takes three levels for one
	if err != nil {
		return "", err
	}
	if _, ok := v.([]any); ok {
		return "", errors.New("want any value but an array")
	}
	id, err := appendTree(nil, v, maxDepth)
	return ID(id), err
}

// object is a JSON object in its order.
type object []field

type field struct {
	name  string
	value any
}

// readTree reads a value of valid JSON as nil, bool, json.Number, string, []any
// or object.
func readTree(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == 0 {
		return nil, errDeep
	}
	if delim == '{' {
		return readObject(dec, depth-1)
	}
	list := []any{}
	for dec.More() {
		v, err := readTree(dec, depth-1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err = dec.Token()
	return list, err
}

// readObject reads the rest of an object.
func readObject(dec *json.Decoder, depth int) (object, error) {
	var o object
	names := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if names[name] {
			return nil, fmt.Errorf("the name %q comes twice", name)
		}
		names[name] = true
		v, err := readTree(dec, depth)
		if err != nil {
			return nil, err
		}
		o = append(o, field{name, v})
	}
	_, err := dec.Token()
	return o, err
}

var errDeep = fmt.Errorf("it is nested deeper than %d", maxDepth)

// appendTree appends the canonical form of a JSON value.
func appendTree(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, kindNull), nil
	case bool:
		return appendBool(dst, v), nil
	case string:
		return appendText(append(dst, kindString), v), nil
	case json.Number:
		return parseNumber(dst, v.String())
	case []any:
		if depth == 0 {
			return dst, errDeep
		}
		dst = append(dst, kindArray)
		var err error
		for _, e := range v {
			if dst, err = appendTree(append(dst, more), e, depth-1); err != nil {
				return dst, err
			}
		}
		return append(dst, end), nil
	case object:
		if slices.ContainsFunc(v, func(f field) bool { return wraps(f.name) }) {
			return v.unwrap(dst, depth)
		}
		return v.appendFields(dst, depth)
	}
	return dst, fmt.Errorf("%v is no JSON", v)
}

func (o object) appendFields(dst []byte, depth int) ([]byte, error) {
	if depth == 0 {
		return dst, errDeep
	}
	dst = append(dst, kindDocument)
	for _, f := range o {
		if strings.IndexByte(f.name, 0) >= 0 {
			return dst, fmt.Errorf("a name is %q; want one without \\u0000", f.name)
		}
		var err error
		if dst, err = appendTree(appendText(append(dst, more), f.name), f.value, depth-1); err != nil {
			return dst, err
		}
	}
	return append(dst, end), nil
}

// has says whether the object has just those names.
func (o object) has(names ...string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(o, func(f field) bool { return f.name == name }) {
			return false
		}
	}
	return len(o) == len(names)
}

// get gives a value; nil where there is none.
func (o object) get(name string) any {
	for _, f := range o {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// texts gives those values where the object has no others and they are strings.
func (o object) texts(a, b string) (string, string, bool) {
	v, ok := o.get(a).(string)
	w, too := o.get(b).(string)
	return v, w, ok && too && o.has(a, b)
}

// forms are the objects that stand for values.
var forms = map[string]string{
	"$numberInt":         `{"$numberInt": "42"}, a whole number of 32 bits`,
	"$numberLong":        `{"$numberLong": "42"}, a whole number of 64 bits`,
	"$numberDouble":      `{"$numberDouble": "1.5"}, a number, Infinity, -Infinity or NaN`,
	"$numberDecimal":     `{"$numberDecimal": "1.5"}`,
	"$oid":               `{"$oid": "24 hex digits"}`,
	"$date":              `{"$date": "2006-01-02T15:04:05.999Z"} or {"$date": {"$numberLong": "ms since 1970"}}`,
	"$binary":            `{"$binary": {"base64": "…", "subType": "00"}}`,
	"$uuid":              `{"$uuid": "00112233-4455-6677-8899-aabbccddeeff"}`,
	"$timestamp":         `{"$timestamp": {"t": 1590000000, "i": 1}}`,
	"$regularExpression": `{"$regularExpression": {"pattern": "…", "options": "…"}}`,
	"$code":              `{"$code": "…"} or {"$code": "…", "$scope": {…}}`,
	"$scope":             `{"$code": "…", "$scope": {…}}`,
	"$symbol":            `{"$symbol": "…"}`,
	"$dbPointer":         `{"$dbPointer": {"$ref": "…", "$id": {"$oid": "…"}}}`,
	"$undefined":         `{"$undefined": true}`,
	"$minKey":            `{"$minKey": 1}`,
	"$maxKey":            `{"$maxKey": 1}`,
	"$fields":            `{"$fields": [["name", value], …]}`,
}

// unwrap appends the value that an object with a $ name stands for.
func (o object) unwrap(dst []byte, depth int) ([]byte, error) {
	at := slices.IndexFunc(o, func(f field) bool { return wraps(f.name) })
	name := o[at].name
	want, known := forms[name]
	if !known {
		return dst, fmt.Errorf("%s is no name of extended JSON; want a document, or one of %s", name, strings.Join(formNames, ", "))
	}
	fault := func() error { return fmt.Errorf("want %s", want) }
	if o.has("$code", "$scope") {
		code, ok := o.get("$code").(string)
		dst = appendText(append(dst, kindScoped), code)
		at := len(dst)
		dst, err := appendTree(dst, o.get("$scope"), depth)
		if err == nil && (!ok || dst[at] != kindDocument) {
			err = fault()
		}
		return dst, err
	}
	if len(o) != 1 {
		return dst, fault()
	}
	var out []byte
	var err error
	switch v := o[0].value.(type) {
	case string:
		out, err = unwrapText(dst, name, v)
	case object:
		out, err = unwrapObject(dst, name, v)
	case json.Number:
		out, err = unwrapNumber(dst, name, v.String())
	case bool:
		if name == "$undefined" && v {
			out = append(dst, kindUndefined)
		}
	case []any:
		if pairs, ok := pairsOf(v); ok && name == "$fields" {
			return pairs.appendFields(dst, depth)
		}
	}
	if out == nil || err != nil {
		return dst, fault()
	}
	return out, nil
}

// formNames are the names of forms in order.
var formNames = func() (names []string) {
	for name := range forms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

// pairsOf reads the fields of $fields.
func pairsOf(list []any) (object, bool) {
	o := make(object, 0, len(list))
	for _, v := range list {
		pair, ok := v.([]any)
		if !ok || len(pair) != 2 {
			return nil, false
		}
		name, ok := pair[0].(string)
		if !ok {
			return nil, false
		}
		o = append(o, field{name, pair[1]})
	}
	return o, true
}

// The functions below give nil or an error for what is not of a form.

func unwrapText(dst []byte, name, s string) ([]byte, error) {
	switch name {
	case "$numberInt":
		n, err := strconv.ParseInt(s, 10, 32)
		return appendInt(dst, n), err
	case "$numberLong":
		n, err := strconv.ParseInt(s, 10, 64)
		return appendInt(dst, n), err
	case "$numberDouble":
		if s == "Infinity" || s == "-Infinity" || s == "NaN" {
			f, err := strconv.ParseFloat(s, 64)
			return appendNumber(dst, f), err
		}
		if strings.Trim(s, "0123456789+-.eE") != "" {
			return nil, nil
		}
		f, err := strconv.ParseFloat(s, 64)
		return appendNumber(dst, f), err
	case "$numberDecimal":
		return parseDecimal(dst, s)
	case "$oid":
		b, err := hex.DecodeString(s)
		if len(b) != 12 {
			return nil, err
		}
		return append(append(dst, kindObjectID), b...), err
	case "$date":
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
			if t, err := time.Parse(layout, s); err == nil && t.Nanosecond()%1e6 == 0 {
				return appendDate(dst, t.UnixMilli()), nil
			}
		}
	case "$uuid":
		if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return nil, nil
		}
		b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		if len(b) != 16 {
			return nil, err
		}
		return appendBinary(dst, 4, b), err
	case "$code":
		return appendText(append(dst, kindCode), s), nil
	case "$symbol":
		return appendText(append(dst, kindSymbol), s), nil
	}
	return nil, nil
}

func unwrapNumber(dst []byte, name, s string) ([]byte, error) {
	switch {
	case name == "$minKey" && s == "1":
		return append(dst, kindMinKey), nil
	case name == "$maxKey" && s == "1":
		return append(dst, kindMaxKey), nil
	case name == "$date": // in ms, as extended JSON once was
		n, err := strconv.ParseInt(s, 10, 64)
		return appendDate(dst, n), err
	}
	return nil, nil
}

func unwrapObject(dst []byte, name string, o object) ([]byte, error) {
	switch name {
	case "$date":
		if s, ok := o.get("$numberLong").(string); ok && len(o) == 1 {
			return unwrapNumber(dst, name, s)
		}
	case "$binary":
		if data, subtype, ok := o.texts("base64", "subType"); ok && len(subtype) <= 2 {
			n, err := strconv.ParseUint(subtype, 16, 8)
			if err != nil {
				return nil, err
			}
			b, err := base64.StdEncoding.DecodeString(data)
			return appendBinary(dst, byte(n), b), err
		}
	case "$timestamp":
		t, ok := o.get("t").(json.Number)
		i, too := o.get("i").(json.Number)
		if !ok || !too || len(o) != 2 {
			return nil, nil
		}
		seconds, err := strconv.ParseUint(t.String(), 10, 32)
		if err != nil {
			return nil, err
		}
		counter, err := strconv.ParseUint(i.String(), 10, 32)
		return appendTimestamp(dst, uint32(seconds), uint32(counter)), err
	case "$regularExpression":
		if pattern, options, ok := o.texts("pattern", "options"); ok && strings.IndexByte(pattern+options, 0) < 0 {
			return appendText(appendText(append(dst, kindRegex), pattern), options), nil
		}
	case "$dbPointer":
		ref, ok := o.get("$ref").(string)
		oid, too := o.get("$id").(object)
		if !ok || !too || !o.has("$ref", "$id") || !oid.has("$oid") {
			return nil, nil
		}
		s, _ := oid.get("$oid").(string)
		id, err := unwrapText(nil, "$oid", s)
		if id == nil || err != nil {
			return nil, err
		}
		return append(appendText(append(dst, kindPointer), ref), id[1:]...), nil
	}
	return nil, nil
}

// parseNumber appends a JSON number: a whole one of 64 bits exactly, any other
// as the nearest double.
func parseNumber(dst []byte, s string) ([]byte, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return appendInt(dst, n), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%s is too large for a double", s)
	}
	return appendNumber(dst, f), nil
}
