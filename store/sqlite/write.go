package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"

	"botwatch/store"
)

// writeSlice is how many writes share a transaction: enough to share pages, few
// enough to let others write within some milliseconds.
const writeSlice = 100

const upsertPrediction = `INSERT INTO predictions (id, epoch, seq, status, class, support, score, margin, stale, has_error, user_id, screen_name,
	model, fingerprint, crawled_at, classified_at, class_changed_at, expires_at, history, doc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, status = excluded.status, class = excluded.class,
	support = excluded.support, score = excluded.score, margin = excluded.margin, stale = excluded.stale, has_error = excluded.has_error,
	user_id = excluded.user_id, screen_name = excluded.screen_name, model = excluded.model, fingerprint = excluded.fingerprint,
	crawled_at = excluded.crawled_at, classified_at = excluded.classified_at, class_changed_at = excluded.class_changed_at,
	expires_at = excluded.expires_at, history = excluded.history, doc = excluded.doc
WHERE epoch < excluded.epoch OR epoch = excluded.epoch AND seq <= excluded.seq`

const touchPrediction = `UPDATE predictions SET epoch = ?1, seq = ?2,
	doc = CASE WHEN json_valid(doc) THEN json_set(doc, '$.source.epoch', ?1, '$.source.seq', CAST(?2 AS TEXT)) ELSE doc END
WHERE id = ?3 AND (epoch < ?1 OR epoch = ?1 AND seq <= ?2)`

const putLetter = `INSERT INTO dead_letters (id, reason, field, error, attempts, first_seen, last_seen, model, epoch, seq)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, field = excluded.field, error = excluded.error, attempts = attempts + 1,
	last_seen = excluded.last_seen, model = excluded.model, epoch = excluded.epoch, seq = excluded.seq`

// prepared is a Write made ready before the lock is taken.
type prepared struct {
	*store.Write
	id     driver.Value
	row    []any // of upsertPrediction
	letter []any // of putLetter
	err    error // why it can never be stored
}

// Write does its writes in order, each on its own, a slice of them a transaction.
// A letter is put or cleared only where the prediction is written.
func (s *Store) Write(ctx context.Context, writes []store.Write) ([]store.Outcome, error) {
	ready := prepareWrites(writes)
	outcomes := make([]store.Outcome, len(writes))
	for from := 0; from < len(ready); from += writeSlice {
		to := min(from+writeSlice, len(ready))
		err := s.write(ctx, func(c *conn) error {
			for i := from; i < to; i++ {
				var err error
				if outcomes[i], err = writeOne(c, &ready[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("write predictions: %w", err)
		}
	}
	return outcomes, nil
}

func prepareWrites(writes []store.Write) []prepared {
	ready := make([]prepared, len(writes))
	var buf []byte
	for i := range writes {
		w := &writes[i]
		r := &ready[i]
		r.Write = w
		if r.id, r.err = toValue(w.ID); r.err != nil {
			continue
		}
		switch {
		case w.Kind < store.Replace || w.Kind > store.Remove:
			r.err = fmt.Errorf("there is no write of kind %d", w.Kind)
		case w.Version.Seq > math.MaxInt64:
			r.err = fmt.Errorf("sequence number %d is too large", w.Version.Seq)
		case w.Kind != store.Touch && w.Prediction == nil:
			r.err = errors.New("it has no prediction")
		}
		if r.err != nil {
			continue
		}
		if w.Kind != store.Touch {
			p := *w.Prediction
			p.ID, p.Source.Version = toID(r.id), w.Version
			if w.Kind == store.Remove {
				p.Status = store.StatusDeleted
			}
			r.row, buf = predictionRow(r.id, &p, buf[:0])
		}
		if l := w.Letter; l != nil {
			r.letter = []any{r.id, l.Reason, l.Field, l.Error, l.Attempts, l.FirstSeen.UTC().Format(store.TimeFormat),
				l.LastSeen.UTC().Format(store.TimeFormat), l.Model, l.Version.Epoch, l.Version.Seq}
		}
	}
	return ready
}

// predictionRow gives the values of upsertPrediction, in order. It uses buf.
func predictionRow(id driver.Value, p *store.Prediction, buf []byte) ([]any, []byte) {
	row := make([]any, 0, 20)
	row = append(row, id, p.Source.Epoch, p.Source.Seq, string(p.Status))
	if p.Status == store.StatusDeleted {
		row = append(row, nil, nil, nil, nil, 0, 0, nil, nil, nil, nil, nil, nil, nil, formatTime(p.ExpiresAt), nil)
	} else {
		var class, score, margin driver.Value
		if p.Class != 0 {
			class, score, margin = p.Slug, maxScore(p), p.Margin
		}
		crawled := driver.Value(nil)
		if p.Source.CrawledAt != 0 {
			crawled = formatTime(p.Source.CrawledAt.Time())
		}
		buf = store.AppendHistory(buf, p.History)
		row = append(row, class, p.Support.String(), score, margin, flag(p.Stale), flag(p.Error != nil), p.UserID, p.ScreenName, p.Model.Digest,
			p.Source.Fingerprint, crawled, formatTime(p.ClassifiedAt), formatTime(p.ClassChangedAt), nil, string(buf))
	}
	buf = p.AppendJSON(buf[:0])
	return append(row, string(buf)), buf
}

func maxScore(p *store.Prediction) float64 {
	best := p.Scores[0]
	for _, s := range p.Scores {
		best = max(best, s)
	}
	return best
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writeOne does one write within a transaction. An error is the store's, and
// ends the transaction.
func writeOne(c *conn, w *prepared) (store.Outcome, error) {
	if w.err != nil {
		return store.Outcome{Result: store.Rejected, Err: w.err}, nil
	}
	if w.letter == nil { // one statement, or two of which the second cannot be refused
		return writeFenced(c, w)
	}
	// What is refused must leave neither the letter nor the prediction behind.
	if _, err := c.exec(quick, "SAVEPOINT one"); err != nil {
		return store.Outcome{}, err
	}
	o, err := writeFenced(c, w)
	if err != nil {
		return o, err
	}
	if o.Result == store.Rejected {
		if _, err := c.exec(quick, "ROLLBACK TO one"); err != nil {
			return o, err
		}
	}
	_, err = c.exec(quick, "RELEASE one")
	return o, err
}

func writeFenced(c *conn, w *prepared) (store.Outcome, error) {
	changed, err := writePrediction(c, w)
	if err == nil && changed == 0 {
		return lost(c, w)
	}
	if err == nil && w.letter != nil {
		_, err = c.exec(quick, putLetter, w.letter...)
	}
	if err == nil && w.ClearLetter {
		_, err = c.exec(quick, "DELETE FROM dead_letters WHERE id = ?", w.id)
	}
	if err != nil && rejected(err) {
		return store.Outcome{Result: store.Rejected, Err: err}, nil
	}
	return store.Outcome{Result: store.Written}, err
}

func writePrediction(c *conn, w *prepared) (changed int64, err error) {
	switch w.Kind {
	case store.Touch:
		return c.exec(quick, touchPrediction, w.Version.Epoch, w.Version.Seq, w.id)
	case store.Fault:
		row, err := faultRow(c, w)
		if err != nil {
			return 0, err
		}
		return c.exec(quick, upsertPrediction, row...)
	}
	return c.exec(quick, upsertPrediction, w.row...)
}

// faultRow marks what is stored as stale and at fault. Where there is no
// document to mark, the write's own is stored.
func faultRow(c *conn, w *prepared) ([]any, error) {
	doc, err := c.text(quick, "SELECT doc FROM predictions WHERE id = ? AND status <> 'deleted'", w.id)
	if err != nil || doc == "" {
		return w.row, err
	}
	var p store.Prediction
	if p.UnmarshalJSON([]byte(doc)) != nil { // somebody else's hand was in it
		return w.row, nil
	}
	p.ID, p.Source.Version, p.Stale, p.Error = toID(w.id), w.Version, true, w.Prediction.Error
	row, _ := predictionRow(w.id, &p, nil)
	return row, nil
}

// lost says why a write changed nothing.
func lost(c *conn, w *prepared) (store.Outcome, error) {
	var stored store.Version
	found, err := c.one(quick, "SELECT epoch, seq FROM predictions WHERE id = ?", func(v []driver.Value) error {
		stored.Epoch, _ = v[0].(int64)
		seq, _ := v[1].(int64)
		stored.Seq = uint64(seq)
		return nil
	}, w.id)
	switch {
	case err != nil:
		return store.Outcome{}, err
	case !found:
		return store.Outcome{Result: store.Retry, Err: errors.New("nothing is stored")}, nil
	case w.Version.Less(stored):
		return store.Outcome{Result: store.Superseded}, nil
	}
	return store.Outcome{Result: store.Retry, Err: fmt.Errorf("the stored version is %d.%d", stored.Epoch, stored.Seq)}, nil
}
