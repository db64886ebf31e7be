package scenarios

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// missingValue is what a key that is not there has.
var missingValue bson.RawValue

func isMissing(v bson.RawValue) bool { return v.Type == 0 }

// matcher compares values by the rules that the format calls "Evaluating
// Matches". Its functions resolve names of the entity map; without them the
// operators that need them are errors.
type matcher struct {
	value func(entity string) (bson.RawValue, error)
	lsid  func(session string) (bson.RawValue, error)
}

// match tells whether the actual value, missing or not, is as expected. Of a
// root-level document more keys are allowed than are expected.
func (m matcher) match(expected, actual bson.RawValue, root bool) error {
	return m.compare("", expected, actual, root)
}

// matchEach compares an array of which each element is a root-level document,
// as find gives it.
func (m matcher) matchEach(expected, actual bson.RawValue) error {
	if _, ok := expected.ArrayOK(); !ok {
		return m.match(expected, actual, false)
	}
	return m.array("", expected, actual, true)
}

func (m matcher) compare(path string, expected, actual bson.RawValue, root bool) error {
	if expected.Type == bson.TypeEmbeddedDocument {
		return m.document(path, expected, actual, root)
	}
	if isMissing(actual) {
		return mismatch(path, "is missing, expected %s", expected)
	}
	if expected.Type == bson.TypeArray {
		return m.array(path, expected, actual, false)
	}
	if order, ok := compareNumbers(expected, actual); ok {
		if order != 0 {
			return mismatch(path, "is %s, expected %s", actual, expected)
		}
		return nil
	}
	if expected.Type != actual.Type || !bytes.Equal(expected.Value, actual.Value) {
		return mismatch(path, "is %s, expected %s", actual, expected)
	}
	return nil
}

func (m matcher) document(path string, expected, actual bson.RawValue, root bool) error {
	want, err := expected.Document().Elements()
	if err != nil {
		return err
	}
	if len(want) == 1 && strings.HasPrefix(want[0].Key(), "$$") {
		return m.operator(path, want[0].Key(), want[0].Value(), actual, root)
	}
	have, ok := actual.DocumentOK()
	if !ok {
		return mismatch(path, "is %s, expected the document %s", actual, expected)
	}
	expectedKeys := make(map[string]bool, len(want))
	for _, e := range want {
		expectedKeys[e.Key()] = true
		// A key that is expected not to be there is compared as missing.
		v, err := have.LookupErr(e.Key())
		if err != nil {
			v = missingValue
		}
		if err := m.compare(path+"."+e.Key(), e.Value(), v, false); err != nil {
			return err
		}
	}
	if root {
		return nil
	}
	elements, err := have.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		if !expectedKeys[e.Key()] {
			return mismatch(path+"."+e.Key(), "is %s, expected none", e.Value())
		}
	}
	return nil
}

func (m matcher) array(path string, expected, actual bson.RawValue, roots bool) error {
	if _, ok := actual.ArrayOK(); !ok {
		return mismatch(path, "is %s, expected the array %s", actual, expected)
	}
	want, have := items(expected), items(actual)
	if len(want) != len(have) {
		return mismatch(path, "has %d elements (%s), expected %d (%s)", len(have), actual, len(want), expected)
	}
	for i := range want {
		if err := m.compare(fmt.Sprintf("%s[%d]", path, i), want[i], have[i], roots); err != nil {
			return err
		}
	}
	return nil
}

// operator executes a document whose one key starts with $$.
func (m matcher) operator(path, name string, operand, actual bson.RawValue, root bool) error {
	switch name {
	case "$$exists":
		want, ok := operand.BooleanOK()
		if !ok {
			return fmt.Errorf("$$exists has %s", operand)
		}
		if want == isMissing(actual) {
			return mismatch(path, "is %s, expected $$exists: %s", actual, operand)
		}
		return nil
	case "$$unsetOrMatches":
		if isMissing(actual) {
			return nil
		}
		return m.compare(path, operand, actual, root)
	case "$$type":
		return matchType(path, operand, actual)
	case "$$matchesHexBytes":
		return matchHexBytes(path, operand, actual)
	case "$$lte":
		order, ok := compareNumbers(actual, operand)
		if !ok || order > 0 {
			return mismatch(path, "is %s, expected at most %s", actual, operand)
		}
		return nil
	case "$$matchAsRoot":
		return m.compare(path, operand, actual, true)
	case "$$matchAsDocument":
		return m.asDocument(path, operand, actual)
	case "$$matchesEntity":
		return m.entity(path, m.value, operand, actual, root)
	case "$$sessionLsid":
		return m.entity(path, m.lsid, operand, actual, root)
	}
	return fmt.Errorf("%s: unknown operator %s", path, name)
}

// entity compares with what a name of the entity map stands for.
func (m matcher) entity(path string, resolve func(string) (bson.RawValue, error), operand, actual bson.RawValue, root bool) error {
	name, ok := operand.StringValueOK()
	if !ok || resolve == nil {
		return fmt.Errorf("%s: no entity %s", path, operand)
	}
	v, err := resolve(name)
	if err != nil {
		return err
	}
	return m.compare(path, v, actual, root)
}

// asDocument compares with the document that a string holds as Extended JSON.
func (m matcher) asDocument(path string, operand, actual bson.RawValue) error {
	text, ok := actual.StringValueOK()
	if !ok {
		return mismatch(path, "is %s, expected a string with a document", actual)
	}
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		return mismatch(path, "is %s: %s", actual, err)
	}
	v, err := rawValue(d)
	if err != nil {
		return err
	}
	return m.compare(path, operand, v, false)
}

// typeNames are the aliases that $type has for each type.
var typeNames = map[bson.Type][]string{
	bson.TypeDouble:           {"double", "number"},
	bson.TypeString:           {"string"},
	bson.TypeEmbeddedDocument: {"object"},
	bson.TypeArray:            {"array"},
	bson.TypeBinary:           {"binData"},
	bson.TypeUndefined:        {"undefined"},
	bson.TypeObjectID:         {"objectId"},
	bson.TypeBoolean:          {"bool"},
	bson.TypeDateTime:         {"date"},
	bson.TypeNull:             {"null"},
	bson.TypeRegex:            {"regex"},
	bson.TypeDBPointer:        {"dbPointer"},
	bson.TypeJavaScript:       {"javascript"},
	bson.TypeSymbol:           {"symbol"},
	bson.TypeCodeWithScope:    {"javascriptWithScope"},
	bson.TypeInt32:            {"int", "number"},
	bson.TypeTimestamp:        {"timestamp"},
	bson.TypeInt64:            {"long", "number"},
	bson.TypeDecimal128:       {"decimal", "number"},
	bson.TypeMinKey:           {"minKey"},
	bson.TypeMaxKey:           {"maxKey"},
}

// matchType compares with one name of a type, or with several.
func matchType(path string, operand, actual bson.RawValue) error {
	wanted := items(operand)
	if wanted == nil {
		wanted = []bson.RawValue{operand}
	}
	for _, w := range wanted {
		name, ok := w.StringValueOK()
		if !ok {
			return fmt.Errorf("%s: $$type has %s", path, operand)
		}
		for _, alias := range typeNames[actual.Type] {
			if alias == name {
				return nil
			}
		}
	}
	return mismatch(path, "is %s, expected of type %s", actual, operand)
}

// matchHexBytes compares a string with the bytes that the operand spells.
func matchHexBytes(path string, operand, actual bson.RawValue) error {
	digits, ok := operand.StringValueOK()
	if !ok {
		return fmt.Errorf("%s: $$matchesHexBytes has %s", path, operand)
	}
	want, err := hex.DecodeString(digits)
	if err != nil {
		return fmt.Errorf("%s: $$matchesHexBytes: %w", path, err)
	}
	if have, ok := actual.StringValueOK(); !ok || have != string(want) {
		return mismatch(path, "is %s, expected the bytes %s", actual, digits)
	}
	return nil
}

// compareNumbers orders two numbers by their values, whatever their types;
// false if one of them is no number, a decimal, or not a number by IEEE 754.
func compareNumbers(a, b bson.RawValue) (int, bool) {
	x, okX := number(a)
	y, okY := number(b)
	if !okX || !okY {
		return 0, false
	}
	return x.Cmp(y), true
}

func number(v bson.RawValue) (*big.Float, bool) {
	switch v.Type {
	case bson.TypeInt32:
		return new(big.Float).SetInt64(int64(v.Int32())), true
	case bson.TypeInt64:
		return new(big.Float).SetInt64(v.Int64()), true
	case bson.TypeDouble:
		if f := v.Double(); f == f {
			return big.NewFloat(f), true
		}
	}
	return nil, false
}

// mismatch says what differs and where; values are shown as Extended JSON.
func mismatch(path, format string, arguments ...any) error {
	for i, a := range arguments {
		if v, ok := a.(bson.RawValue); ok {
			arguments[i] = show(v)
		}
	}
	if path == "" {
		path = "value"
	}
	return fmt.Errorf("%s "+format, append([]any{strings.TrimPrefix(path, ".")}, arguments...)...)
}

// show gives a value as Extended JSON, shortened to what can be read.
func show(v bson.RawValue) string {
	if isMissing(v) {
		return "missing"
	}
	text := relaxed(v)
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}

// relaxed gives a value as Extended JSON with numbers as they are written.
func relaxed(v bson.RawValue) string {
	text, err := bson.MarshalExtJSON(bson.D{{Key: "", Value: v}}, false, false)
	if err != nil {
		return v.String()
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), `{"":`), "}")
}

// same tells whether two documents are equal in all but the order of keys, as
// outcomes must be.
func same(expected, actual bson.RawValue) error {
	return sameAt("", expected, actual)
}

func sameAt(path string, expected, actual bson.RawValue) error {
	if expected.Type != actual.Type {
		return mismatch(path, "is %s, expected %s", actual, expected)
	}
	switch expected.Type {
	case bson.TypeEmbeddedDocument:
		want, err := expected.Document().Elements()
		if err != nil {
			return err
		}
		have, err := actual.Document().Elements()
		if err != nil {
			return err
		}
		if len(want) != len(have) {
			return mismatch(path, "is %s, expected %s", actual, expected)
		}
		for _, e := range want {
			v, err := actual.Document().LookupErr(e.Key())
			if err != nil {
				v = missingValue
			}
			if err := sameAt(path+"."+e.Key(), e.Value(), v); err != nil {
				return err
			}
		}
		return nil
	case bson.TypeArray:
		want, have := items(expected), items(actual)
		if len(want) != len(have) {
			return mismatch(path, "is %s, expected %s", actual, expected)
		}
		for i := range want {
			if err := sameAt(fmt.Sprintf("%s[%d]", path, i), want[i], have[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if !bytes.Equal(expected.Value, actual.Value) {
		return mismatch(path, "is %s, expected %s", actual, expected)
	}
	return nil
}

// rawValue gives any value that the driver can encode.
func rawValue(v any) (bson.RawValue, error) {
	kind, data, err := bson.MarshalValue(v)
	return bson.RawValue{Type: kind, Value: data}, err
}

// document gives a document as a value.
func document(d bson.Raw) bson.RawValue {
	return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: d}
}
