package sqlite

import (
	"database/sql/driver"
	"fmt"
	"math"

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

// toValue gives what stands in a column for an ID. SQLite has texts, numbers but
// NaN, and blobs; an ID of another type is its text, and comes back as that. What
// is no ID, and so is never stored, is an error.
func toValue(id store.ID) (driver.Value, error) {
	v, err := id.Value()
	if f, ok := v.(float64); err == nil && !(ok && math.IsNaN(f)) {
		return v, nil
	}
	if _, _, err := id.AppendBSON(nil); err != nil {
		return nil, fmt.Errorf("store id: %w", err)
	}
	return id.String(), nil
}
