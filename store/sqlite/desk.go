package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"botwatch/store"
)

// keptRequests is how many finished requests stay.
const keptRequests = 100

// Submit files a request.
func (s *Store) Submit(ctx context.Context, r store.Request) (id string, err error) {
	if r.Filed.IsZero() {
		r.Filed = s.opts.Now().UTC()
	}
	r.State = store.RequestFiled
	err = s.write(ctx, func(c *conn) error {
		if _, err := c.exec(quick, "INSERT INTO requests (finished, doc) VALUES (0, '')"); err != nil {
			return err
		}
		n, err := c.integer(quick, "SELECT last_insert_rowid()")
		if err != nil {
			return err
		}
		id = strconv.FormatInt(n, 10)
		r.ID = id
		doc, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = c.exec(quick, "UPDATE requests SET doc = ? WHERE n = ?", string(doc), n)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("submit request: %w", err)
	}
	return id, nil
}

// Requests lists requests, oldest first.
func (s *Store) Requests(ctx context.Context, all bool) (list []store.Request, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, "SELECT doc FROM requests WHERE ? OR NOT finished ORDER BY n", func(v []driver.Value) error {
			var r store.Request
			if err := json.Unmarshal([]byte(text(v[0])), &r); err != nil {
				return err
			}
			list = append(list, r)
			return nil
		}, flag(all))
	})
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return list, nil
}

// Update replaces a request. Of the finished ones, the newest 100 stay.
func (s *Store) Update(ctx context.Context, r store.Request) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("update request %s: %w", r.ID, err)
	}
	n, err := strconv.ParseInt(r.ID, 10, 64)
	if err != nil {
		return fmt.Errorf("update request %q: there is none", r.ID)
	}
	err = s.write(ctx, func(c *conn) error {
		changed, err := c.exec(quick, "UPDATE requests SET finished = ?, doc = ? WHERE n = ?", flag(r.Finished()), string(doc), n)
		if err == nil && changed == 0 {
			err = fmt.Errorf("there is none")
		}
		if err != nil || !r.Finished() {
			return err
		}
		_, err = c.exec(quick, `DELETE FROM requests WHERE finished AND n NOT IN
			(SELECT n FROM requests WHERE finished ORDER BY n DESC LIMIT ?)`, keptRequests)
		return err
	})
	if err != nil {
		return fmt.Errorf("update request %s: %w", r.ID, err)
	}
	return nil
}

// Publish replaces the status, but for that of a greater epoch.
func (s *Store) Publish(ctx context.Context, epoch int64, status []byte) error {
	err := s.write(ctx, func(c *conn) error {
		last, err := stateInteger(quick, c, keyStatusEpoch)
		switch {
		case err != nil:
			return err
		case last > epoch:
			return fmt.Errorf("epoch %d has published one after %d: %w", last, epoch, store.ErrFenced)
		}
		return errors.Join(setState(c, keyStatusEpoch, strconv.FormatInt(epoch, 10)), setState(c, keyStatus, string(status)))
	})
	if err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	return nil
}

// Published gives the last status.
func (s *Store) Published(ctx context.Context) ([]byte, error) {
	var status []byte
	err := s.read(ctx, func(c *conn) error {
		_, err := c.one(ctx, readState, func(v []driver.Value) error {
			status = []byte(text(v[0]))
			return nil
		}, keyStatus)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	return status, nil
}
