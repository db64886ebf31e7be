package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"botwatch/classifier"
	"botwatch/internal/killpoint"
	"botwatch/store"
)

// CodeRejected is the reason of a letter whose account the store would not
// take a prediction for.
const CodeRejected classifier.ErrorCode = "rejected"

// A lane takes batches of accounts and sees each through to a durable write.
type lane struct {
	p          *Pipeline
	builder    classifier.Builder
	classifier *classifier.Classifier
	result     classifier.Result
	buf        []byte
	trying     *atomic.Pointer[try]
}

func newLane(p *Pipeline, trying *atomic.Pointer[try]) *lane {
	return &lane{p: p, classifier: classifier.New(p.o.Model), trying: trying}
}

// work is an item with what is to be stored for it.
type work struct {
	item       *item
	prediction *store.Prediction      // of a good account, or of a fault
	fault      *classifier.FieldError // set: the account is poison
}

func (l *lane) run(ctx context.Context) error {
	for {
		items, err := l.p.queue.take(ctx, l.p.o.BatchItems, l.p.o.BatchBytes)
		if err != nil || len(items) == 0 {
			return err
		}
		var works []work
		for _, it := range items {
			if w, needed := l.judge(it); needed {
				works = append(works, w)
			} else {
				l.finish(it)
			}
		}
		l.count(ctx, works)
		if reason, tripped := l.p.fault.tripped(l.p.o.FaultShare); tripped {
			l.p.Pause()
			l.p.o.Trip(reason)
		}
		if err := l.write(ctx, works); err != nil {
			return err
		}
	}
}

// count adds works to the share of faults, in their order. Another fault of an
// account that has a dead letter is no news: scans and replays come back to them
// all. Where the store cannot tell which they are, no fault of the batch counts.
func (l *lane) count(ctx context.Context, works []work) {
	var ids []store.ID
	for i := range works {
		if works[i].fault != nil {
			ids = append(ids, works[i].item.change.ID)
		}
	}
	var stamps []store.Stamp
	if len(ids) > 0 {
		ctx, cancel := context.WithTimeout(ctx, l.p.o.Timeout)
		defer cancel()
		stamps, _ = l.p.o.Sink.Stamps(ctx, ids) // an error is met again, and told, before the write
	}
	for i := range works {
		switch w := &works[i]; {
		case w.fault == nil && w.prediction != nil:
			l.p.fault.add(false)
		case w.fault != nil && len(stamps) > 0:
			if !stamps[0].Faulty {
				l.p.fault.add(true)
			}
			stamps = stamps[1:]
		}
	}
}

// finish ends an item: what it stands for is durable.
func (l *lane) finish(it *item) {
	it.finish()
	l.p.queue.land([]*item{it})
}

// judge decides what an item's account comes to, looking at nothing stored.
func (l *lane) judge(it *item) (w work, needed bool) {
	c := &it.change
	w.item = it
	if c.Op == store.OpDelete {
		return w, true
	}
	if c.Doc == nil && c.Err == nil {
		return w, false // gone again: its delete follows
	}
	w.prediction, w.fault = l.classify(c)
	c.Doc = nil // from here on only its prediction is needed
	return w, true
}

// classify makes the account's prediction. Whatever goes wrong is the
// account's fault, a panic included.
func (l *lane) classify(c *store.Change) (p *store.Prediction, fault *classifier.FieldError) {
	defer func() {
		if v := recover(); v != nil {
			l.p.stats.Panics.Add(1)
			l.p.o.Log.WithField("id", c.ID.String()).WithField("stack", string(debug.Stack())).Errorf("classify: panic: %v", v)
			fault = &classifier.FieldError{Code: classifier.CodePanic, Message: fmt.Sprint("a fault of botwatch: ", v)}
			p = store.NewFault(c.ID, nil, fault, l.p.model)
			l.builder, l.classifier = classifier.Builder{}, classifier.New(l.p.o.Model)
		}
	}()
	err := c.Err
	var account *classifier.Account
	if err == nil {
		err = l.p.o.Source.Decode(c.Doc, &l.builder)
	}
	if err == nil {
		account, err = l.builder.Finish()
	}
	if err == nil {
		err = l.classifier.Classify(account, &l.result)
	}
	if err != nil {
		if !errors.As(err, &fault) {
			fault = &classifier.FieldError{Code: classifier.CodeSyntax, Message: err.Error()}
		}
		return store.NewFault(c.ID, account, fault, l.p.model), fault
	}
	p = store.NewPrediction(c.ID, account, &l.result, l.p.model, l.p.slugs)
	p.Source.Fingerprint, l.buf = account.Fingerprint(l.buf)
	return p, nil
}

// write stores what the works come to, until nothing is left to do or ctx ends.
// It waits while the queue is paused, and gives up where it was closed then.
func (l *lane) write(ctx context.Context, works []work) error {
	log := l.p.o.Log
	var b backoff
	var since time.Time
	defer l.trying.Store(nil)
	for len(works) > 0 {
		if open, err := l.p.queue.waitOpen(ctx); err != nil || !open {
			return err
		}
		if since.IsZero() {
			since = l.p.o.Now()
			l.trying.Store(&try{since: since})
		}
		left, err := l.attempt(ctx, works)
		if err == nil && len(left) == 0 {
			b.recovered(log, "write predictions")
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			l.p.stats.WriteErrors.Add(1)
		} else {
			err = fmt.Errorf("%d of %d are not written yet", len(left), len(works))
		}
		b.report(log, "write predictions", err)
		l.trying.Store(&try{since: since, err: err})
		works = left
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// attempt looks at what is stored, writes what is needed, and gives what must
// be tried again; all of it on an error.
func (l *lane) attempt(ctx context.Context, works []work) ([]work, error) {
	ctx, cancel := context.WithTimeout(ctx, l.p.o.Timeout)
	defer cancel()
	ids := make([]store.ID, len(works))
	for i := range works {
		ids[i] = works[i].item.change.ID
	}
	stamps, err := l.p.o.Sink.Stamps(ctx, ids)
	if err != nil {
		return works, fmt.Errorf("look up stamps: %w", err)
	}
	now := l.p.o.Now()
	var writes []store.Write
	var written []work
	for i := range works {
		if w, needed := l.decide(&works[i], &stamps[i], now); needed {
			writes, written = append(writes, w), append(written, works[i])
		} else {
			l.finish(works[i].item)
		}
	}
	if len(writes) == 0 {
		return nil, nil
	}
	killpoint.At("before-write")
	outcomes, err := l.p.o.Sink.Write(ctx, writes)
	if err != nil {
		return written, fmt.Errorf("write: %w", err)
	}
	killpoint.At("after-write")
	var left []work
	for i, o := range outcomes {
		l.p.stats.outcome(&writes[i], o.Result)
		switch o.Result {
		case store.Retry:
			left = append(left, written[i])
			continue
		case store.Rejected:
			if w, again := l.rejected(written[i], o.Err); again {
				left = append(left, w)
				continue
			}
		}
		l.finish(written[i].item)
	}
	return left, nil
}

// rejected turns a work that the store will not take into a fault. A fault
// that it will not take either is logged, and counted as a rejected outcome.
func (l *lane) rejected(w work, err error) (work, bool) {
	id := w.item.change.ID
	if w.fault != nil || w.item.change.Op == store.OpDelete {
		l.p.o.Log.WithError(err).WithField("id", id.String()).Error("write predictions: the store rejects even the fault of this account")
		return w, false
	}
	w.fault = &classifier.FieldError{Code: CodeRejected, Message: fmt.Sprint("the store rejects the prediction: ", err)}
	w.prediction = store.NewFault(id, nil, w.fault, l.p.model)
	return w, true
}

// decide says what to write, if anything, beside what is stored (rules 2, 3, 4
// and 8 of the design).
func (l *lane) decide(w *work, stamp *store.Stamp, now time.Time) (store.Write, bool) {
	it := w.item
	version := store.Version{Epoch: l.p.o.Epoch, Seq: it.change.Seq}
	if stamp.Found && version.Less(stamp.Version) {
		l.p.stats.Outcomes[store.Superseded].Add(1)
		return store.Write{}, false
	}
	out := store.Write{ID: it.change.ID, Key: it.change.Key, Version: version, Prediction: w.prediction}
	if it.change.Op == store.OpDelete {
		out.Kind, out.ClearLetter = store.Remove, stamp.Faulty || it.letter
		out.Prediction = store.NewTombstone(it.change.ID, it.via, now.Add(l.p.o.TombstoneTTL))
		out.Prediction.Source.Version = version
		return out, true
	}
	p := w.prediction
	p.Source.Version, p.Source.Via = version, it.via
	if w.fault != nil {
		p.Follow(stamp, now)
		out.Kind = store.Fault
		out.Letter = &store.Letter{
			ID: p.ID, Reason: string(w.fault.Code), Field: w.fault.Field, Error: w.fault.Message,
			Attempts: 1, FirstSeen: now, LastSeen: now, Model: l.p.model.Digest, Version: version,
		}
		return out, true
	}
	p.Stale = l.p.o.StaleAfter > 0 && now.Sub(p.Source.CrawledAt.Time()) > l.p.o.StaleAfter
	if l.unchanged(p, stamp) && !l.due(it, p, stamp, now) {
		if it.event && stamp.Version.Less(version) || it.letter {
			out.Kind, out.Prediction, out.ClearLetter = store.Touch, nil, it.letter
			return out, true
		}
		l.p.stats.Unchanged.Add(1)
		return store.Write{}, false
	}
	p.Follow(stamp, now)
	out.Kind, out.ClearLetter = store.Replace, stamp.Faulty || it.letter
	return out, true
}

// unchanged says whether what is stored was made of this very account by this
// very model.
func (l *lane) unchanged(p *store.Prediction, s *store.Stamp) bool {
	return s.Found && s.Status == p.Status && !s.Faulty &&
		s.Fingerprint == p.Source.Fingerprint && s.Model == p.Model.Digest
}

// due says whether an unchanged prediction is to be written all the same.
func (l *lane) due(it *item, p *store.Prediction, s *store.Stamp, now time.Time) bool {
	aged := l.p.o.MaxAge > 0 && now.Sub(s.ClassifiedAt) > l.p.o.MaxAge
	return it.rescore && (aged || s.Stale != p.Stale)
}
