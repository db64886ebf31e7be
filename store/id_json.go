package store

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// AppendJSON appends the ID as relaxed extended JSON (v2): "text", 42, 1.5,
// {"$oid":"…"}, {"$date":"…"}, a document as an object, its fields in order. A
// document that extended JSON cannot say, since two of its fields have one name
// or a name begins with $, is {"$fields":[["name",value],…]}; but $ref, $id and
// $db are names like others. What is no UTF-8 in a text becomes U+FFFD, so that
// two such ids can look the same; what is no ID becomes null.
func (id ID) AppendJSON(dst []byte) []byte {
	if out, ok := id.appendJSON(dst); ok {
		return out
	}
	return append(dst, "null"...)
}

// MarshalJSON gives AppendJSON's form.
func (id ID) MarshalJSON() ([]byte, error) { return id.AppendJSON(nil), nil }

func (id ID) appendJSON(dst []byte) ([]byte, bool) {
	p := payload{rest: string(id)}
	if id != "" && id[0] == kindArray {
		return dst, false
	}
	dst = p.appendJSON(dst, maxDepth)
	return dst, p.done()
}

// appendJSON appends the value as extended JSON.
func (p *payload) appendJSON(dst []byte, depth int) []byte {
	switch kind := p.kind(); kind {
	case kindString:
		return appendJSONString(dst, p.text())
	case kindInt64:
		return strconv.AppendInt(dst, p.int64(), 10)
	case kindDouble:
		f := p.float()
		switch {
		case math.IsNaN(f):
			return append(dst, `{"$numberDouble":"NaN"}`...)
		case math.IsInf(f, 1):
			return append(dst, `{"$numberDouble":"Infinity"}`...)
		case math.IsInf(f, -1):
			return append(dst, `{"$numberDouble":"-Infinity"}`...)
		}
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	case kindDecimal:
		high, low := p.uint64(), p.uint64()
		return append(append(append(dst, `{"$numberDecimal":"`...), decimalText(high, low)...), `"}`...)
	case kindDocument:
		return p.appendFields(dst, depth)
	case kindArray:
		if depth == 0 {
			p.fail()
		}
		dst = append(dst, '[')
		for i := 0; p.next(); i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = p.appendJSON(dst, depth-1)
		}
		return append(dst, ']')
	case kindBinary:
		subtype, data := p.binary()
		dst = base64.StdEncoding.AppendEncode(append(dst, `{"$binary":{"base64":"`...), []byte(data))
		return fmt.Appendf(dst, `","subType":"%02x"}}`, subtype)
	case kindObjectID:
		return p.appendObjectID(dst)
	case kindBool:
		return strconv.AppendBool(dst, p.bool())
	case kindNull:
		return append(dst, "null"...)
	case kindDate:
		return appendJSONDate(dst, p.int64())
	case kindTimestamp:
		seconds, counter := p.uint32(), p.uint32()
		return fmt.Appendf(dst, `{"$timestamp":{"t":%d,"i":%d}}`, seconds, counter)
	case kindRegex:
		dst = appendJSONString(append(dst, `{"$regularExpression":{"pattern":`...), p.name())
		return append(appendJSONString(append(dst, `,"options":`...), p.name()), "}}"...)
	case kindPointer:
		dst = appendJSONString(append(dst, `{"$dbPointer":{"$ref":`...), p.text())
		return append(p.appendObjectID(append(dst, `,"$id":`...)), "}}"...)
	case kindCode:
		return append(appendJSONString(append(dst, `{"$code":`...), p.text()), '}')
	case kindSymbol:
		return append(appendJSONString(append(dst, `{"$symbol":`...), p.text()), '}')
	case kindScoped:
		dst = appendJSONString(append(dst, `{"$code":`...), p.text())
		if p.kind() != kindDocument {
			p.fail()
		}
		return append(p.appendFields(append(dst, `,"$scope":`...), depth), '}')
	case kindUndefined:
		return append(dst, `{"$undefined":true}`...)
	case kindMinKey:
		return append(dst, `{"$minKey":1}`...)
	case kindMaxKey:
		return append(dst, `{"$maxKey":1}`...)
	}
	p.fail()
	return dst
}

func (p *payload) appendObjectID(dst []byte) []byte {
	dst = hex.AppendEncode(append(dst, `{"$oid":"`...), []byte(p.take(12)))
	return append(dst, `"}`...)
}

// appendFields appends a document after its type byte.
func (p *payload) appendFields(dst []byte, depth int) []byte {
	if depth == 0 {
		p.fail()
	}
	form := [...]string{"{", "", ":", "", "}"} // around names and values
	if !p.plain(depth) {
		form = [...]string{`{"$fields":[`, "[", ",", "]", "]}"}
	}
	dst = append(dst, form[0]...)
	for i := 0; p.next(); i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(append(dst, form[1]...), p.name())
		dst = p.appendJSON(append(dst, form[2]...), depth-1)
		dst = append(dst, form[3]...)
	}
	return append(dst, form[4]...)
}

// plain says whether a document can be a JSON object. It reads ahead.
func (p payload) plain(depth int) bool {
	names := make(map[string]struct{})
	for p.next() {
		name := p.text()
		if _, twice := names[name]; twice || wraps(name) {
			return false
		}
		names[name] = struct{}{}
		p.skip(depth - 1)
	}
	return true
}

// wraps says whether a name makes an object stand for something else. Those of
// references do not: {"$ref": "collection", "$id": 1} is a document.
func wraps(name string) bool {
	return strings.HasPrefix(name, "$") && name != "$ref" && name != "$id" && name != "$db"
}

// lastDate ends the year 9999, in ms since 1970.
const lastDate = 253402300799999

// appendJSONDate appends a date as text from 1970 to 9999, else in ms.
func appendJSONDate(dst []byte, ms int64) []byte {
	dst = append(dst, `{"$date":`...)
	if ms < 0 || ms > lastDate {
		dst = strconv.AppendInt(append(dst, `{"$numberLong":"`...), ms, 10)
		return append(dst, `"}}`...)
	}
	layout := `"2006-01-02T15:04:05.000Z"}`
	if ms%1000 == 0 {
		layout = `"2006-01-02T15:04:05Z"}`
	}
	return time.UnixMilli(ms).UTC().AppendFormat(dst, layout)
}
