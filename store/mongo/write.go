package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// Write does its writes in one unordered bulk. Letters that good writes clear go
// before it, and those of faults come after it: what ends in between is written
// again, since nobody was told that it was done.
func (s *Store) Write(ctx context.Context, writes []store.Write) ([]store.Outcome, error) {
	outcomes, err := s.write(ctx, writes)
	if err != nil {
		return nil, fmt.Errorf("write predictions: %w", err)
	}
	return outcomes, nil
}

func (s *Store) write(ctx context.Context, writes []store.Write) ([]store.Outcome, error) {
	outcomes := make([]store.Outcome, len(writes))
	var models []mongo.WriteModel
	var at []int // which write a model is of
	var buf []byte
	for i := range writes {
		m, err := operation(&writes[i], &buf)
		if err != nil {
			outcomes[i] = store.Outcome{Result: store.Rejected, Err: err}
			continue
		}
		outcomes[i].Result = store.Written
		models, at = append(models, m), append(at, i)
	}
	if len(models) == 0 {
		return outcomes, nil
	}
	if err := s.clearLetters(ctx, writes, at); err != nil {
		return nil, err
	}
	result, err := s.predictions.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	doubtful, err := s.sort(err, at, outcomes)
	if err != nil {
		return nil, err
	}
	done := len(at) - len(doubtful)
	for _, i := range at {
		if outcomes[i].Result == store.Rejected {
			done--
		}
	}
	if result != nil && int(result.MatchedCount+result.UpsertedCount) < done { // a touch found nothing
		for _, i := range at {
			if writes[i].Kind == store.Touch && outcomes[i].Result == store.Written {
				doubtful = append(doubtful, i)
			}
		}
	}
	if err := s.look(ctx, writes, doubtful, outcomes); err != nil {
		return nil, err
	}
	return outcomes, s.putLetters(ctx, writes, outcomes)
}

// sort tells the errors of a bulk apart: duplicate keys are doubtful, others can
// never be stored. What is no error of single writes is given back.
func (s *Store) sort(err error, at []int, outcomes []store.Outcome) (doubtful []int, _ error) {
	var bulk mongo.BulkWriteException
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &bulk):
		return nil, err
	case bulk.WriteConcernError != nil:
		return nil, fmt.Errorf("no majority has it: %w", err)
	}
	for _, e := range bulk.WriteErrors {
		i := at[e.Index]
		if e.Code == codeDuplicateKey {
			doubtful = append(doubtful, i)
		} else {
			outcomes[i] = store.Outcome{Result: store.Rejected, Err: errors.New(e.Message)}
		}
	}
	return doubtful, nil
}

// look decides what became of writes by what is stored. A version that is greater
// superseded them; what is equal is as good as theirs; else they lost a race of
// inserts, or found nothing, and are to be tried again.
func (s *Store) look(ctx context.Context, writes []store.Write, doubtful []int, outcomes []store.Outcome) error {
	if len(doubtful) == 0 {
		return nil
	}
	ids := make([]store.ID, len(doubtful))
	for n, i := range doubtful {
		ids[n] = writes[i].ID
	}
	stamps, err := s.Stamps(ctx, ids)
	if err != nil {
		return err
	}
	for n, i := range doubtful {
		stored, o := stamps[n], &outcomes[i]
		switch {
		case !stored.Found:
			*o = store.Outcome{Result: store.Retry, Err: errors.New("nothing is stored")}
		case stored.Version == (store.Version{}):
			*o = store.Outcome{Result: store.Rejected, Err: errors.New("what is stored has no version: somebody else wrote it")}
		case writes[i].Version.Less(stored.Version):
			*o = store.Outcome{Result: store.Superseded}
		case writes[i].Kind == store.Touch && stored.Version == writes[i].Version:
		default:
			*o = store.Outcome{Result: store.Retry, Err: fmt.Errorf("the stored version is %d.%d", stored.Version.Epoch, stored.Version.Seq)}
		}
	}
	return nil
}

// maxStatement is how large a statement of a bulk may be: as a document, beside
// the operators of ours that are in it.
const maxStatement = 16<<20 - 4<<10

// fits says that a statement can be stored that has these values in it.
func fits(values ...[]byte) error {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	if n > maxStatement {
		return fmt.Errorf("it takes %d bytes; want at most %d", n, maxStatement)
	}
	return nil
}

// operation makes what a bulk does for a write. Documents are made in buf, and keep to it.
func operation(w *store.Write, buf *[]byte) (mongo.WriteModel, error) {
	id, err := keyed(w)
	if err != nil {
		return nil, err
	}
	if w.Kind != store.Touch && w.Prediction == nil {
		return nil, errors.New("it has no prediction")
	}
	filter := fence(id, w.Version)
	if w.Kind == store.Touch {
		set := bson.D{{Key: "source.epoch", Value: w.Version.Epoch}, {Key: "source.seq", Value: timestamp(w.Version.Seq)}}
		return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(bson.D{{Key: "$set", Value: set}}), nil
	}
	p := *w.Prediction
	p.ID, p.Source.Version = w.ID, w.Version
	if w.Kind == store.Remove {
		p.Status = store.StatusDeleted
	}
	start := len(*buf)
	*buf = appendPrediction(*buf, byte(id.Type), id.Value, &p)
	doc := bson.Raw((*buf)[start:len(*buf):len(*buf)])
	if err := fits(id.Value, doc, doc.Lookup("error").Value); err != nil {
		return nil, err
	}
	if w.Letter != nil {
		if err := fits(id.Value, appendLetter(nil, byte(id.Type), id.Value, w.Letter)); err != nil {
			return nil, fmt.Errorf("its dead letter: %w", err)
		}
	}
	switch w.Kind {
	case store.Remove: // what is stored keeps its _id, the number's type included
		return mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(tombstone(doc)).SetUpsert(true), nil
	case store.Replace:
		return mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(doc).SetUpsert(true), nil
	case store.Fault:
		return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(mark(doc)).SetUpsert(true), nil
	}
	return nil, fmt.Errorf("there is no write of kind %d", w.Kind)
}

// tombstone gives a tombstone's document without its _id.
func tombstone(doc bson.Raw) bson.D {
	var fields bson.D
	for _, name := range []string{"status", "source", "expires_at"} {
		fields = append(fields, bson.E{Key: name, Value: doc.Lookup(name)})
	}
	return fields
}

// fence is the filter of rule 2: the account's, where no greater version is stored.
func fence(id bson.RawValue, v store.Version) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "$or", Value: bson.A{
		bson.D{{Key: "source.epoch", Value: bson.D{{Key: "$lt", Value: v.Epoch}}}},
		bson.D{{Key: "source.epoch", Value: v.Epoch}, {Key: "source.seq", Value: bson.D{{Key: "$lte", Value: timestamp(v.Seq)}}}},
	}}}
}

// mark is the update of a Fault: what is stored gets the document's stale, error
// and version, and keeps the rest; where there is nothing to keep, the document
// itself is stored.
func mark(doc bson.Raw) mongo.Pipeline {
	literal := func(v any) bson.D { return bson.D{{Key: "$literal", Value: v}} }
	marked := bson.D{{Key: "$mergeObjects", Value: bson.A{"$$ROOT", bson.D{
		{Key: "stale", Value: literal(true)},
		{Key: "error", Value: literal(doc.Lookup("error"))},
		{Key: "source", Value: bson.D{{Key: "$mergeObjects", Value: bson.A{"$source", bson.D{
			{Key: "epoch", Value: literal(doc.Lookup("source", "epoch"))}, {Key: "seq", Value: literal(doc.Lookup("source", "seq"))},
		}}}}},
	}}}}
	nothing := bson.D{{Key: "$in", Value: bson.A{
		bson.D{{Key: "$ifNull", Value: bson.A{"$status", string(store.StatusDeleted)}}}, bson.A{string(store.StatusDeleted)},
	}}}
	return mongo.Pipeline{{{Key: "$replaceWith", Value: bson.D{{Key: "$cond", Value: bson.A{nothing, literal(doc), marked}}}}}}
}

// clearLetters removes the letters that good writes clear, but for those of newer
// versions.
func (s *Store) clearLetters(ctx context.Context, writes []store.Write, at []int) error {
	var models []mongo.WriteModel
	for _, i := range at {
		if w := &writes[i]; w.ClearLetter {
			id, err := rawID(w.ID)
			if err != nil {
				return err
			}
			models = append(models, mongo.NewDeleteOneModel().SetFilter(letterFence(id, w.Version)))
		}
	}
	if len(models) == 0 {
		return nil
	}
	if _, err := s.letters.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("clear dead letters: %w", err)
	}
	return nil
}

func letterFence(id bson.RawValue, v store.Version) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "$or", Value: bson.A{
		bson.D{{Key: "epoch", Value: bson.D{{Key: "$lt", Value: v.Epoch}}}},
		bson.D{{Key: "epoch", Value: v.Epoch}, {Key: "seq", Value: bson.D{{Key: "$lte", Value: timestamp(v.Seq)}}}},
	}}}
}

// putLetters puts the letters of the faults that were written. One that is there
// keeps its first_seen, and counts an attempt.
func (s *Store) putLetters(ctx context.Context, writes []store.Write, outcomes []store.Outcome) error {
	var models []mongo.WriteModel
	for i := range writes {
		w := &writes[i]
		if w.Letter == nil || outcomes[i].Result != store.Written {
			continue
		}
		id, err := keyed(w)
		if err != nil {
			return err
		}
		l := *w.Letter
		l.Version = w.Version
		doc := bson.Raw(appendLetter(nil, byte(id.Type), id.Value, &l))
		literal := bson.D{{Key: "$literal", Value: doc}}
		put := bson.D{{Key: "$mergeObjects", Value: bson.A{literal, bson.D{
			{Key: "attempts", Value: bson.D{{Key: "$add", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$attempts", int32(l.Attempts - 1)}}}, int32(1)}}}},
			{Key: "first_seen", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$first_seen", bson.D{{Key: "$literal", Value: doc.Lookup("first_seen")}}}}}},
		}}}}
		models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).
			SetUpdate(mongo.Pipeline{{{Key: "$replaceWith", Value: put}}}).SetUpsert(true))
	}
	if len(models) == 0 {
		return nil
	}
	if _, err := s.letters.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("put dead letters: %w", err)
	}
	return nil
}
