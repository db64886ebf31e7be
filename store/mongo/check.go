package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// oldest is the oldest server that the driver talks to, and that knows the
// expressions in our projections.
const oldest = 404

// lowHeadroom is the share of the oplog's reach that a stream should not use up.
const lowHeadroom = 0.25

// report gathers findings.
type report struct {
	found []store.Finding
}

func (r *report) add(level store.Level, subject, format string, args ...any) {
	r.found = append(r.found, store.Finding{Level: level, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

// Check looks at the server, the collections, the privileges and the state, and
// writes nothing.
func (s *Store) Check(ctx context.Context) ([]store.Finding, error) {
	r := &report{}
	s.checkServer(r)
	if err := s.checkCollections(ctx, r); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	if s.info.streams() {
		s.checkStream(ctx, r)
		s.checkOplog(ctx, r)
	}
	s.checkPrivileges(ctx, r)
	s.checkIndexes(ctx, r)
	if err := s.checkLease(ctx, r); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return r.found, nil
}

func (s *Store) checkServer(r *report) {
	kind := "a standalone server"
	switch {
	case s.info.sharded:
		kind = "a sharded cluster"
	case s.info.set != "":
		kind = "replica set " + s.info.set
	}
	switch {
	case s.info.major < oldest:
		r.add(store.LevelFail, "server", "MongoDB %s; want 4.4 or newer", s.info.version)
	case !s.info.streams():
		r.add(store.LevelWarn, "server", "MongoDB %s, %s, has no change streams: accounts are looked through by schedule alone; make it a replica set of one for predictions within milliseconds", s.info.version, kind)
	default:
		r.add(store.LevelOK, "server", "MongoDB %s, %s", s.info.version, kind)
	}
}

// checkCollections says what there is, and names the collections that there are
// where the accounts are missing.
func (s *Store) checkCollections(ctx context.Context, r *report) error {
	identity, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if identity == "" {
		names, err := s.source.ListCollectionNames(ctx, bson.D{})
		if err != nil {
			return err
		}
		slices.Sort(names)
		there := "the database is empty"
		if len(names) > 0 {
			there = "there are " + strings.Join(names, ", ")
		}
		r.add(store.LevelWarn, "accounts", "there is no collection %s.%s yet: %s", s.source.Name(), s.opts.Names.Accounts, there)
	} else {
		n, err := s.CountAccounts(ctx)
		if err != nil {
			return err
		}
		r.add(store.LevelOK, "accounts", "%s.%s: %d", s.source.Name(), s.opts.Names.Accounts, n)
	}
	for _, c := range []*mongo.Collection{s.predictions, s.letters} {
		n, err := c.EstimatedDocumentCount(ctx)
		if err != nil {
			return err
		}
		r.add(store.LevelOK, c.Name(), "%s.%s: %d", s.home.Name(), c.Name(), n)
	}
	return nil
}

// checkStream opens a change stream, as the daemon does.
func (s *Store) checkStream(ctx context.Context, r *report) {
	head, err := s.head(ctx)
	if err == nil {
		var feed store.Feed
		if feed, err = s.Stream(ctx, head.Position); err == nil {
			var b store.Batch
			if b, err = feed.Next(ctx); err == nil {
				if p, _ := decodePosition(b.After); len(p.Token) == 0 {
					r.add(store.LevelWarn, "change stream", "it opens, but gives no post-batch tokens: an idle stream's position can leave the oplog")
				} else {
					r.add(store.LevelOK, "change stream", "it opens, with post-batch tokens")
				}
			}
			_ = feed.Close()
		}
	}
	if err != nil {
		r.add(store.LevelFail, "change stream", "%v", err)
	}
}

// Headroom reads how far the oplog reaches back behind a sequence number. It is an
// error where the privileges do not allow it, or there is no oplog to be read, as
// on a sharded cluster.
func (s *Store) Headroom(ctx context.Context, seq uint64) (store.Headroom, error) {
	var times [2]uint32
	oplog := s.source.Client().Database("local").Collection("oplog.rs")
	for i, order := range []int{1, -1} {
		var entry struct {
			TS bson.Timestamp `bson:"ts"`
		}
		o := options.FindOne().SetSort(bson.D{{Key: "$natural", Value: order}}).SetProjection(bson.D{{Key: "ts", Value: 1}})
		if err := oplog.FindOne(ctx, bson.D{}, o).Decode(&entry); err != nil {
			return store.Headroom{}, fmt.Errorf("read the oplog's ends: %w", err)
		}
		times[i] = entry.TS.T
	}
	first := time.Duration(times[0]) * time.Second
	return store.Headroom{
		Window: time.Duration(times[1])*time.Second - first,
		Left:   time.Duration(timestamp(seq).T)*time.Second - first,
	}, nil
}

func (s *Store) checkOplog(ctx context.Context, r *report) {
	cp, err := s.Load(ctx)
	if err != nil {
		r.add(store.LevelFail, "checkpoint", "%v", err)
		return
	}
	h, err := s.Headroom(ctx, cp.Seq)
	switch {
	case err != nil:
		r.add(store.LevelOK, "oplog", "its reach is not known here (%v); the privilege find on local.oplog.rs lets it be watched", err)
	case cp.Schema == 0:
		r.add(store.LevelOK, "oplog", "it reaches back %v", h.Window.Round(time.Minute))
	case h.Share() < lowHeadroom:
		r.add(store.LevelWarn, "oplog", "only %.0f %% of its %v are left behind the checkpoint: a longer pause loses history; enlarge the oplog", 100*h.Share(), h.Window.Round(time.Minute))
	default:
		r.add(store.LevelOK, "oplog", "it reaches back %v; %.0f %% are left behind the checkpoint", h.Window.Round(time.Minute), 100*h.Share())
	}
}

// checkIndexes says which indexes the daemon will make, and which one on the
// crawler's collection would help.
func (s *Store) checkIndexes(ctx context.Context, r *report) {
	have := map[string]bool{}
	specs, err := s.predictions.Indexes().ListSpecifications(ctx)
	if err != nil && code(err) != codeNamespaceNotFound {
		r.add(store.LevelWarn, "indexes", "those of %s cannot be listed: %v", s.opts.Names.Predictions, err)
		return
	}
	for _, spec := range specs {
		have[spec.Name] = true
	}
	var missing []string
	for _, x := range predictionIndexes {
		var o options.IndexOptions
		for _, set := range x.Options.List() {
			_ = set(&o)
		}
		if !have[*o.Name] {
			missing = append(missing, *o.Name)
		}
	}
	if len(missing) > 0 {
		r.add(store.LevelOK, "indexes", "the daemon makes on %s: %s", s.opts.Names.Predictions, strings.Join(missing, ", "))
	} else {
		r.add(store.LevelOK, "indexes", "all are in place")
	}
	r.add(store.LevelOK, "indexes", "backfill walks _id and crawled_at; on large collections this index saves it from reading the accounts: db.%s.createIndex({_id: 1, crawled_at: 1})", s.opts.Names.Accounts)
}

// checkLease says who has the lease.
func (s *Store) checkLease(ctx context.Context, r *report) error {
	var d daemonState
	err := s.state.FindOne(ctx, bson.D{{Key: "_id", Value: keyDaemon}}).Decode(&d)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments) || err == nil && d.Holder == "":
		r.add(store.LevelOK, "lease", "free")
		return nil
	case err != nil:
		return err
	}
	r.add(store.LevelOK, "lease", "taken by %s at %s", d.Holder, d.Since.UTC().Format(time.RFC3339))
	return nil
}
