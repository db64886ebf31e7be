package format

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// identity is what an account is called by.
type identity struct {
	text string
	json []byte // in extended JSON; nil where there is no name
}

// idKeys are the members that can name an account, best first.
var idKeys = [...]string{"_id", "id", "id_str", "screen_name"}

// identify reads an id from its checked (extended) JSON: a string is its text,
// a number its digits, {"$oid": "x"} and {"$numberLong": "1"} what they hold,
// anything else its compact JSON; null names nothing.
func identify(raw []byte) (identity, bool) {
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return identity{}, false
	case raw[0] == '"':
		return named(raw[1 : len(raw)-1])
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return identity{}, false
	}
	id := identity{text: compact.String(), json: compact.Bytes()}
	if raw[0] == '{' {
		var held struct {
			OID    *string `json:"$oid"`
			Long   *string `json:"$numberLong"`
			Int    *string `json:"$numberInt"`
			Double *string `json:"$numberDouble"`
		}
		if json.Unmarshal(raw, &held) == nil {
			for _, text := range []*string{held.OID, held.Long, held.Int, held.Double} {
				if text != nil {
					id.text = *text
				}
			}
		}
	}
	return id, true
}

// named gives the identity of the content of a checked JSON string.
func named(raw []byte) (identity, bool) {
	id := identity{text: string(unquote(raw, nil))}
	if utf8.Valid(raw) {
		id.json = append(append(append(make([]byte, 0, len(raw)+2), '"'), raw...), '"')
	} else {
		id.json = appendString(nil, id.text)
	}
	return id, true
}
