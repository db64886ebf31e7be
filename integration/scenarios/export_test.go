package scenarios

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// What the tests of the matcher and of requirements see of the package.
var (
	Same         = same
	Unmet        = unmet
	ParseVersion = parseVersion
	WithOptions  = withOptions
)

// Match compares two values with the entities given.
func Match(expected, actual bson.RawValue, root bool, entities map[string]bson.RawValue) error {
	m := matcher{value: func(name string) (bson.RawValue, error) { return entities[name], nil }}
	return m.match(expected, actual, root)
}

// MatchEach compares arrays of root-level documents.
func MatchEach(expected, actual bson.RawValue) error { return matcher{}.matchEach(expected, actual) }

// Unknown calls the operations of a test without a server, and gives those that
// the runner does not know, or not with their arguments.
func Unknown(f *File, t *Test) error {
	es := newEntities("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1")
	r := &run{entities: es, points: map[string]bool{}}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	err := es.create(f.Entities)
	for _, o := range t.Operations {
		switch {
		case o.Object == "testRunner" && o.Name == "createEntities":
			err = errors.Join(err, r.special(gone, o))
		case o.Object == "testRunner":
			// Fails without a server; it is known if there is an entity for it.
			_, missing := get[*client](es, o.Arguments.Lookup("client").StringValue())
			err = errors.Join(err, missing)
		case es.named[o.Object] != nil:
			_, failed := r.call(gone, o)
			if u := (unknown{}); errors.As(failed, &u) {
				err = errors.Join(err, failed)
			}
		case o.Name != "iterateUntilDocumentOrError":
			err = errors.Join(err, errors.New("no entity "+o.Object))
		}
	}
	return errors.Join(err, es.close(context.Background()))
}
