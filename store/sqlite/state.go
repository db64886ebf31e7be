package sqlite

import (
	"context"
	"fmt"
	"strconv"
)

// The keys of the table state.
const (
	keySchema      = "schema"
	keyIdentity    = "identity"
	keyTrimmed     = "trimmed_through"
	keyEpoch       = "epoch"
	keyHolder      = "holder" // empty: nobody
	keySince       = "since"
	keyCheckpoint  = "checkpoint"
	keyStatus      = "status"
	keyStatusEpoch = "status_epoch" // of who published it
)

const readState = "SELECT value FROM state WHERE key = ?"

func stateText(ctx context.Context, c *conn, key string) (string, error) {
	return c.text(ctx, readState, key)
}

func stateInteger(ctx context.Context, c *conn, key string) (int64, error) {
	s, err := stateText(ctx, c, key)
	if err != nil || s == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read state %s: %w", key, err)
	}
	return n, nil
}

func setState(c *conn, key, value string) error {
	_, err := c.exec(quick, "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}
