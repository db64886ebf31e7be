package changes

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// Version is a server's: major and minor, 7.0 as 700.
type Version int

// options are those of a $changeStream stage.
type options struct {
	full       string // fullDocument: default, updateLookup, whenAvailable, required
	before     string // fullDocumentBeforeChange: off, whenAvailable, required
	token      *token // resumeAfter or startAfter
	startAfter bool
	at         *bson.Timestamp // startAtOperationTime
	expanded   bool            // showExpandedEvents
	split      bool
	version    Version
}

func parse(spec value.Doc, scope Scope, version Version) (options, error) {
	o := options{full: "default", before: "off", version: version}
	positions := 0
	for name, v := range value.Elements(spec) {
		var err error
		switch name {
		case "fullDocument":
			o.full, err = choice(name, v, "default", "updateLookup", "whenAvailable", "required")
		case "fullDocumentBeforeChange":
			o.before, err = choice(name, v, "off", "whenAvailable", "required")
		case "resumeAfter", "startAfter":
			positions++
			if !value.IsDocument(v) {
				return o, fault.New(fault.TypeMismatch, "BSON field '$changeStream.%s' is the wrong type '%s', expected type 'object'", name, value.TypeName(v.Type))
			}
			var t token
			t, err = parseToken(value.Doc(v.Value))
			o.token, o.startAfter = &t, name == "startAfter"
		case "startAtOperationTime":
			positions++
			if v.Type != bson.TypeTimestamp {
				return o, fault.New(fault.TypeMismatch, "BSON field '$changeStream.startAtOperationTime' is the wrong type '%s', expected type 'timestamp'", value.TypeName(v.Type))
			}
			t, i := v.Timestamp()
			o.at = &bson.Timestamp{T: t, I: i}
		case "showExpandedEvents":
			o.expanded = value.Truthy(v)
		case "allChangesForCluster":
			if value.Truthy(v) != (scope.DB == "") {
				return o, fault.New(fault.InvalidOptions, "A $changeStream with 'allChangesForCluster' may only be opened on the 'admin' database, and with no collection name")
			}
		default:
			return o, fault.New(fault.UnknownField, "BSON field '$changeStream.%s' is an unknown field.", name)
		}
		if err != nil {
			return o, err
		}
	}
	if positions > 1 {
		return o, fault.New(40674, "Only one type of resume option is allowed, but multiple were found.")
	}
	return o, nil
}

func choice(name string, v value.Value, choices ...string) (string, error) {
	text, ok := value.Text(v)
	if !ok {
		return "", fault.New(fault.TypeMismatch, "BSON field '$changeStream.%s' is the wrong type '%s', expected type 'string'", name, value.TypeName(v.Type))
	}
	for _, c := range choices {
		if c == text {
			return text, nil
		}
	}
	return "", fault.New(fault.BadValue, "Enumeration value '%s' for field '$changeStream.%s' is not a valid value.", text, name)
}

// mentions says whether a query names a path that begins with a field.
func mentions(query value.Value, field string) bool {
	for name, v := range value.Elements(value.Doc(query.Value)) {
		if name == field || strings.HasPrefix(name, field+".") {
			return true
		}
		if text, ok := value.Text(v); ok && strings.HasPrefix(text, "$"+field) {
			return true
		}
		if (value.IsDocument(v) || value.IsArray(v)) && mentions(v, field) {
			return true
		}
	}
	return false
}
