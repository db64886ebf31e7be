package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func insertOne(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	d, opts := a.doc("document"), rest[options.InsertOneOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.InsertOne(ctx, d, opts)
	return insertOneResult(r), err
}

func insertMany(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	docs, opts := a.docs("documents"), rest[options.InsertManyOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.InsertMany(ctx, docs, opts)
	return insertManyResult(r, err), err
}

func updateOne(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, update, opts := a.doc("filter"), a.any("update"), rest[options.UpdateOneOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.UpdateOne(ctx, filter, update, opts)
	return updateResult(r), err
}

func updateMany(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, update, opts := a.doc("filter"), a.any("update"), rest[options.UpdateManyOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.UpdateMany(ctx, filter, update, opts)
	return updateResult(r), err
}

func replaceOne(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, replacement, opts := a.doc("filter"), a.doc("replacement"), rest[options.ReplaceOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.ReplaceOne(ctx, filter, replacement, opts)
	return updateResult(r), err
}

func deleteOne(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.DeleteOneOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.DeleteOne(ctx, filter, opts)
	return deleteResult(r), err
}

func deleteMany(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.DeleteManyOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.DeleteMany(ctx, filter, opts)
	return deleteResult(r), err
}

func findOneAndDelete(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, opts := a.doc("filter"), rest[options.FindOneAndDeleteOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return single(c.FindOneAndDelete(ctx, filter, opts))
}

func findOneAndReplace(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, replacement, opts := a.doc("filter"), a.doc("replacement"), rest[options.FindOneAndReplaceOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return single(c.FindOneAndReplace(ctx, filter, replacement, opts))
}

func findOneAndUpdate(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	filter, update, opts := a.doc("filter"), a.any("update"), rest[options.FindOneAndUpdateOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return single(c.FindOneAndUpdate(ctx, filter, update, opts))
}

func bulkWrite(ctx context.Context, c *mongo.Collection, a *arguments) (result, error) {
	requests, opts := a.docs("requests"), rest[options.BulkWriteOptions](a)
	models := []mongo.WriteModel{}
	for _, d := range requests {
		m, err := writeModel(d)
		if err != nil {
			a.fail("requests", err)
		}
		models = append(models, m)
	}
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.BulkWrite(ctx, models, opts)
	return bulkResult(r, err), err
}

// oneKey gives the name and the arguments of a write, as {name: {arguments}}.
func oneKey(d bson.Raw) (string, *arguments, error) {
	elements, err := d.Elements()
	if err != nil {
		return "", nil, err
	}
	if len(elements) != 1 {
		return "", nil, errors.New("a write has exactly one key")
	}
	spec, ok := elements[0].Value().DocumentOK()
	if !ok {
		return "", nil, fmt.Errorf("write %s is no document", elements[0].Key())
	}
	return elements[0].Key(), newArguments(spec), nil
}

// writeModel gives one write of a collection's bulk.
func writeModel(d bson.Raw) (mongo.WriteModel, error) {
	name, a, err := oneKey(d)
	if err != nil {
		return nil, err
	}
	var m mongo.WriteModel
	switch name {
	case "insertOne":
		m = &mongo.InsertOneModel{}
	case "updateOne":
		m = &mongo.UpdateOneModel{}
	case "updateMany":
		m = &mongo.UpdateManyModel{}
	case "replaceOne":
		m = &mongo.ReplaceOneModel{}
	case "deleteOne":
		m = &mongo.DeleteOneModel{}
	case "deleteMany":
		m = &mongo.DeleteManyModel{}
	default:
		return nil, fmt.Errorf("unknown write %s", name)
	}
	a.fill(m)
	return m, a.end()
}

func clientBulkWrite(ctx context.Context, c *client, a *arguments) (result, error) {
	requests, opts := a.docs("models"), rest[options.ClientBulkWriteOptions](a)
	writes := []mongo.ClientBulkWrite{}
	for _, d := range requests {
		w, err := clientWrite(d)
		if err != nil {
			a.fail("models", err)
		}
		writes = append(writes, w)
	}
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.BulkWrite(ctx, writes, opts)
	if failed := (mongo.ClientBulkWriteException{}); errors.As(err, &failed) {
		r = failed.PartialResult
	}
	return clientBulkResult(r, err), err
}

// clientWrite gives one write of a client's bulk, with its namespace.
func clientWrite(d bson.Raw) (mongo.ClientBulkWrite, error) {
	var w mongo.ClientBulkWrite
	name, a, err := oneKey(d)
	if err != nil {
		return w, err
	}
	w.Database, w.Collection, _ = strings.Cut(a.text("namespace"), ".")
	switch name {
	case "insertOne":
		w.Model = &mongo.ClientInsertOneModel{}
	case "updateOne":
		w.Model = &mongo.ClientUpdateOneModel{}
	case "updateMany":
		w.Model = &mongo.ClientUpdateManyModel{}
	case "replaceOne":
		w.Model = &mongo.ClientReplaceOneModel{}
	case "deleteOne":
		w.Model = &mongo.ClientDeleteOneModel{}
	case "deleteMany":
		w.Model = &mongo.ClientDeleteManyModel{}
	default:
		return w, fmt.Errorf("unknown write %s", name)
	}
	a.fill(w.Model)
	return w, a.end()
}
