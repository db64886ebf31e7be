package store

import (
	"slices"
	"time"

	"botwatch/classifier"
)

// Platform is the platform of every account so far.
const Platform = "twitter"

// NewPrediction makes the document of a classified account, without version
// and history. slugs are the model's; r may be used again afterwards.
func NewPrediction(id ID, a *classifier.Account, r *classifier.Result, model ModelRef, slugs *[classifier.NumClasses]string) *Prediction {
	p := &Prediction{
		ID: id, Platform: Platform, UserID: a.UserID, ScreenName: a.ScreenName,
		Status: StatusInsufficient, Support: r.Support, Basis: r.Basis, Flags: r.Flags, Model: model,
		Source: SourceRef{CrawledAt: a.CrawledAt},
	}
	if r.Status == classifier.Classified {
		p.Status = StatusClassified
		p.Class, p.Slug = r.Prediction, slugs[r.Prediction-1]
		p.Slugs, p.Scores, p.Margin = slugs, r.Scores, r.Margin
		p.Base, p.Reasons = r.Base, slices.Clone(r.Reasons())
		p.HasAttributes, p.Attributes = true, r.Attributes
		p.OutOfRange = r.OutOfRange
	}
	return p
}

// NewFault makes the document of an account that could not be read or
// classified. a may be nil, or hold what could be read of it.
func NewFault(id ID, a *classifier.Account, fault *classifier.FieldError, model ModelRef) *Prediction {
	p := &Prediction{ID: id, Platform: Platform, Status: StatusError, Stale: true, Error: fault, Model: model}
	if a != nil {
		p.UserID, p.ScreenName = a.UserID, a.ScreenName
	}
	return p
}

// NewTombstone makes the document that stands for a deleted account until
// expires, so that no older write brings its prediction back.
func NewTombstone(id ID, via string, expires time.Time) *Prediction {
	return &Prediction{ID: id, Status: StatusDeleted, Source: SourceRef{Via: via}, ExpiresAt: expires}
}

// Follow sets history, class_changed_at and classified_at from what is stored:
// one entry for each change of class, support or model.
func (p *Prediction) Follow(s *Stamp, now time.Time) {
	now = now.UTC().Truncate(time.Microsecond)
	p.ClassifiedAt, p.ClassChangedAt, p.History = now, now, nil
	if s.Found && s.Status != StatusDeleted {
		p.History = s.History
		if s.Class == p.Slug && !s.ClassChangedAt.IsZero() {
			p.ClassChangedAt = s.ClassChangedAt
		}
	}
	entry := HistoryEntry{Class: p.Slug, Support: p.Support.String(), Model: p.Model.Digest, At: now}
	if len(p.History) > 0 {
		if h := p.History[0]; h.Class == entry.Class && h.Support == entry.Support && h.Model == entry.Model {
			return
		}
	}
	keep := min(len(p.History), MaxHistory-1)
	p.History = append([]HistoryEntry{entry}, p.History[:keep]...)
}
