package sqlite

import (
	"database/sql/driver"

	"botwatch/store"
)

// toID gives the ID of a column's value. ID.Value goes the other way; it fails for
// types that SQLite does not have, and no id of these is ever stored.
func toID(v driver.Value) store.ID {
	switch v := v.(type) {
	case int64:
		return store.IntID(v)
	case float64:
		return store.FloatID(v)
	case string:
		return store.StringID(v)
	case []byte:
		return store.BytesID(v)
	}
	return ""
}
