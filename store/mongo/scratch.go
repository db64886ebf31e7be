package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Scratch is a database that was empty when it was claimed, for measurements.
type Scratch struct{ o Options }

// Claim answers for the database that the options name, if it is empty; else it
// is an error that says what is in it.
func Claim(ctx context.Context, o Options) (*Scratch, error) {
	if o.PredictionsURI != "" {
		return nil, errors.New("claim a database: predictions have one of their own")
	}
	if o.Names == (Names{}) {
		o.Names = DefaultNames()
	}
	err := o.within(ctx, func(ctx context.Context, s *Store) error {
		names, err := s.source.ListCollectionNames(ctx, bson.D{})
		if err == nil && len(names) > 0 {
			slices.Sort(names)
			err = fmt.Errorf("%s is not empty: it holds %s", s.source.Name(), strings.Join(names, ", "))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim a database: %w", err)
	}
	return &Scratch{o}, nil
}

// Drop drops the collections that a Store makes, and with them the database,
// unless somebody else wrote to it since.
func (s *Scratch) Drop(ctx context.Context) error {
	err := s.o.within(ctx, func(ctx context.Context, st *Store) error {
		var errs []error
		for _, name := range s.o.Names.all() {
			errs = append(errs, st.source.Collection(name).Drop(ctx))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return fmt.Errorf("drop the database: %w", err)
	}
	return nil
}

// within does something on a connection of its own.
func (o Options) within(ctx context.Context, do func(context.Context, *Store) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s := &Store{opts: o}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.source, err = s.connect(o.URI); err != nil {
		return err
	}
	return do(ctx, s)
}
