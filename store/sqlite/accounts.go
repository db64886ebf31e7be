package sqlite

import (
	"context"
	"fmt"

	"botwatch/store"
)

// A transaction of PutAccounts ends with the account that reaches one of these.
const (
	putSlice = 100
	putBytes = 1 << 20
)

// PutAccounts inserts or replaces accounts, a slice of them a transaction.
func (s *Store) PutAccounts(ctx context.Context, accounts []store.Account) error {
	if s.opts.ProtectAccounts || s.opts.ReadOnly {
		return fmt.Errorf("put accounts: %w", store.ErrReadOnly)
	}
	for len(accounts) > 0 {
		n, bytes := 0, 0
		for n < len(accounts) && n < putSlice && bytes < putBytes {
			bytes += len(accounts[n].Doc)
			n++
		}
		err := s.write(ctx, func(c *conn) error {
			for _, a := range accounts[:n] {
				v, err := toValue(a.ID)
				if err != nil {
					return err
				}
				_, err = c.exec(quick, "INSERT INTO accounts (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc", v, string(a.Doc))
				if err != nil {
					return fmt.Errorf("account %s: %w", a.ID, err)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("put accounts: %w", err)
		}
		accounts = accounts[n:]
	}
	return nil
}

// DeleteAccounts deletes accounts.
func (s *Store) DeleteAccounts(ctx context.Context, ids []store.ID) error {
	if s.opts.ProtectAccounts || s.opts.ReadOnly {
		return fmt.Errorf("delete accounts: %w", store.ErrReadOnly)
	}
	if _, err := s.deleteRows(ctx, "DELETE FROM accounts WHERE id = ?", ids); err != nil {
		return fmt.Errorf("delete accounts: %w", err)
	}
	return nil
}

// deleteRows runs a DELETE for each id, a slice of them a transaction, and says
// how many rows there were.
func (s *Store) deleteRows(ctx context.Context, query string, ids []store.ID) (n int, err error) {
	for len(ids) > 0 {
		slice := ids[:min(len(ids), putSlice)]
		ids = ids[len(slice):]
		deleted := 0
		err := s.write(ctx, func(c *conn) error {
			for _, id := range slice {
				v, err := toValue(id)
				if err != nil {
					continue // no such id can be stored
				}
				changed, err := c.exec(quick, query, v)
				if err != nil {
					return err
				}
				deleted += int(changed)
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += deleted
	}
	return n, nil
}

// CountAccounts counts accounts.
func (s *Store) CountAccounts(ctx context.Context) (n int, err error) {
	err = s.read(ctx, func(c *conn) error {
		count, err := c.integer(ctx, "SELECT count(*) FROM accounts")
		n = int(count)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return n, nil
}
