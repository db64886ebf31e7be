package scenarios

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// collectionOperation is a method of collections. It takes its arguments before
// it calls the driver, and calls it only if they are right.
type collectionOperation func(context.Context, *mongo.Collection, *arguments) (result, error)

var collectionOperations = map[string]collectionOperation{
	"aggregate":              aggregateCollection,
	"countDocuments":         countDocuments,
	"createChangeStream":     watchCollection,
	"createFindCursor":       createFindCursor,
	"createIndex":            createIndex,
	"distinct":               distinct,
	"dropIndex":              dropIndex,
	"estimatedDocumentCount": estimatedDocumentCount,
	"find":                   find,
	"findOne":                findOne,
	"listIndexNames":         listIndexNames,
	"listIndexes":            listIndexes,
	"rename":                 rename,

	"bulkWrite":         bulkWrite,
	"deleteMany":        deleteMany,
	"deleteOne":         deleteOne,
	"findOneAndDelete":  findOneAndDelete,
	"findOneAndReplace": findOneAndReplace,
	"findOneAndUpdate":  findOneAndUpdate,
	"insertMany":        insertMany,
	"insertOne":         insertOne,
	"replaceOne":        replaceOne,
	"updateMany":        updateMany,
	"updateOne":         updateOne,
}

// unknown is an operation, or an argument, that the runner does not know. It
// never satisfies an expected error.
type unknown struct{ error }

func (u unknown) Unwrap() error { return u.error }

// known ends the arguments: no operation is called with wrong ones.
func (a *arguments) known() error {
	if err := a.end(); err != nil {
		return unknown{err}
	}
	return nil
}

// drain gives all documents of a cursor.
func drain(ctx context.Context, c *mongo.Cursor, err error) (result, error) {
	if err != nil {
		return nothing, err
	}
	var docs []bson.Raw
	if err := c.All(ctx, &docs); err != nil {
		return nothing, err
	}
	return documents(docs), nil
}

// single gives the one document of a result, or null if there is none.
func single(r *mongo.SingleResult) (result, error) {
	d, err := r.Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return result{value: nil}, nil
	case err != nil:
		return nothing, err
	}
	return result{value: d}, nil
}

func aggregateCollection(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	pipeline, opts := a.docs("pipeline"), rest[options.AggregateOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	cur, err := c.Aggregate(ctx, pipeline, opts)
	return drain(ctx, cur, err)
}

func countDocuments(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.CountOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	n, err := c.CountDocuments(ctx, filter, opts)
	return result{value: n}, err
}

func estimatedDocumentCount(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	opts := rest[options.EstimatedDocumentCountOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	n, err := c.EstimatedDocumentCount(ctx, opts)
	return result{value: n}, err
}

func distinct(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	field, filter, opts := a.text("fieldName"), a.doc("filter"), rest[options.DistinctOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	values, err := c.Distinct(ctx, field, filter, opts).Raw()
	if err != nil {
		return nothing, err
	}
	return result{value: bson.RawValue{Type: bson.TypeArray, Value: values}}, nil
}

func find(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.FindOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	cur, err := c.Find(ctx, filter, opts)
	return drain(ctx, cur, err)
}

func findOne(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.FindOneOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return single(c.FindOne(ctx, filter, opts))
}

func createFindCursor(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.FindOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	cur, err := c.Find(ctx, filter, opts)
	if err != nil {
		return nothing, err
	}
	return result{value: absent{}, cursor: &cursor{cur, func() bson.Raw { return cur.Current }}}, nil
}

func createIndex(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	keys, opts := a.doc("keys"), rest[options.IndexOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	name, err := c.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    keys,
		Options: &options.IndexOptionsBuilder{Opts: opts.List()},
	})
	return result{value: name}, err
}

func dropIndex(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	name := a.text("name")
	if err := a.known(); err != nil {
		return nothing, err
	}
	return nothing, c.Indexes().DropOne(ctx, name)
}

func listIndexes(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	opts := rest[options.ListIndexesOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	cur, err := c.Indexes().List(ctx, opts)
	return drain(ctx, cur, err)
}

// listIndexNames has no method of its own in the Go driver: the names are in
// the specifications.
func listIndexNames(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	opts := rest[options.ListIndexesOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	specifications, err := c.Indexes().ListSpecifications(ctx, opts)
	if err != nil {
		return nothing, err
	}
	names := []string{}
	for _, s := range specifications {
		names = append(names, s.Name)
	}
	return result{value: names}, nil
}

// rename is a command in the Go driver, which has no method for it.
func rename(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	database := c.Database()
	command := bson.D{
		{Key: "renameCollection", Value: database.Name() + "." + c.Name()},
		{Key: "to", Value: database.Name() + "." + a.text("to")},
	}
	if v := a.take("dropTarget"); !isMissing(v) {
		command = append(command, bson.E{Key: "dropTarget", Value: v})
	}
	if err := a.known(); err != nil {
		return nothing, err
	}
	return nothing, database.Client().Database("admin").RunCommand(ctx, command).Err()
}

func watchCollection(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	return watch(ctx, c.Watch, a)
}

// watch opens a change stream on whatever has the method.
func watch(
	ctx context.Context,
	method func(context.Context, any, ...options.Lister[options.ChangeStreamOptions]) (*mongo.ChangeStream, error),
	a *arguments,
) (result, error) {
	pipeline, opts := a.docs("pipeline"), rest[options.ChangeStreamOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	stream, err := method(ctx, pipeline, opts)
	if err != nil {
		return nothing, err
	}
	return result{value: absent{}, cursor: &cursor{stream, func() bson.Raw { return stream.Current }}}, nil
}

// cursorOperation is one that change streams and cursors have.
func cursorOperation(ctx context.Context, name string, c *cursor, a *arguments) (result, error) {
	if err := a.known(); err != nil {
		return nothing, err
	}
	switch name {
	case "iterateUntilDocumentOrError":
		if c.Next(ctx) {
			return result{value: c.current()}, nil
		}
		if err := c.Err(); err != nil {
			return nothing, err
		}
		return nothing, errors.New("the cursor ended without a document or an error")
	case "iterateOnce":
		if c.TryNext(ctx) {
			return result{value: c.current()}, nil
		}
		return nothing, c.Err()
	case "close":
		// Drivers differ in what they report of it, so that no test may ask.
		_ = c.Close(ctx)
		return nothing, nil
	}
	return nothing, unknown{fmt.Errorf("unknown operation %s of a cursor", name)}
}
