package sqlite

import (
	"database/sql/driver"
	"fmt"

	"botwatch/store"
)

// toID gives the ID of a column's value.
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

// fromID gives the value that an ID is stored as. It fails for IDs of types that
// SQLite does not have; none of these is ever stored.
func fromID(id store.ID) (driver.Value, error) {
	v, err := id.Value()
	if b, ok := v.([]byte); ok && len(b) == 0 {
		return nil, fmt.Errorf("an id of no bytes cannot be stored") // the driver binds it as null
	}
	return v, err
}
