package scenarios

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// databaseOperation and clientOperation are as collectionOperation is.
type (
	databaseOperation func(context.Context, *mongo.Database, *arguments) (result, error)
	clientOperation   func(context.Context, *client, *arguments) (result, error)
)

var databaseOperations = map[string]databaseOperation{
	"aggregate":           aggregateDatabase,
	"createChangeStream":  watchDatabase,
	"createCollection":    createCollection,
	"dropCollection":      dropCollection,
	"listCollectionNames": listCollectionNames,
	"listCollections":     listCollections,
	"modifyCollection":    modifyCollection,
	"runCommand":          runCommand,
}

var clientOperations = map[string]clientOperation{
	"clientBulkWrite":    clientBulkWrite,
	"createChangeStream": watchClient,
	"listDatabaseNames":  listDatabaseNames,
	"listDatabases":      listDatabases,
}

func aggregateDatabase(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	pipeline, opts := a.docs("pipeline"), rest[options.AggregateOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	cur, err := d.Aggregate(ctx, pipeline, opts)
	return drain(ctx, cur, err)
}

func watchDatabase(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	return watch(ctx, d.Watch, a)
}

func watchClient(ctx context.Context, c *client, a *arguments) (result, error) {
	return watch(ctx, c.Watch, a)
}

// createCollection makes a view if the arguments say what it is on.
func createCollection(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	name, on := a.text("collection"), a.take("viewOn")
	if source, ok := on.StringValueOK(); ok {
		pipeline := []bson.Raw{}
		for _, stage := range items(a.take("pipeline")) {
			pipeline = append(pipeline, stage.Document())
		}
		opts := rest[options.CreateViewOptions](a)
		if err := a.known(); err != nil {
			return nothing, err
		}
		return nothing, d.CreateView(ctx, name, source, pipeline, opts)
	}
	opts := rest[options.CreateCollectionOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return nothing, d.CreateCollection(ctx, name, opts)
}

func dropCollection(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	name, opts := a.text("collection"), rest[options.DropCollectionOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return nothing, d.Collection(name).Drop(ctx, opts)
}

// modifyCollection is a command in the Go driver, which has no method for it.
func modifyCollection(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	command := bson.D{{Key: "collMod", Value: a.text("collection")}}
	for _, e := range a.left {
		command = append(command, bson.E{Key: e.Key(), Value: e.Value()})
	}
	a.left = nil
	if err := a.known(); err != nil {
		return nothing, err
	}
	return nothing, d.RunCommand(ctx, command).Err()
}

// runCommand has the name of the command for languages without ordered keys.
func runCommand(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	a.text("commandName")
	command, opts := a.doc("command"), rest[options.RunCmdOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	return single(d.RunCommand(ctx, command, opts))
}

// filter gives the filter of a list, which may be left out.
func (a *arguments) filter() bson.Raw {
	v := a.take("filter")
	if d, ok := v.DocumentOK(); ok {
		return d
	}
	return bson.Raw{5, 0, 0, 0, 0}
}

func listCollections(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	filter, opts := a.filter(), rest[options.ListCollectionsOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	cur, err := d.ListCollections(ctx, filter, opts)
	return drain(ctx, cur, err)
}

func listCollectionNames(ctx context.Context, d *mongo.Database, a *arguments) (result, error) {
	filter, opts := a.filter(), rest[options.ListCollectionsOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	names, err := d.ListCollectionNames(ctx, filter, opts)
	return result{value: names}, err
}

func listDatabases(ctx context.Context, c *client, a *arguments) (result, error) {
	filter, opts := a.filter(), rest[options.ListDatabasesOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	r, err := c.ListDatabases(ctx, filter, opts)
	if err != nil {
		return nothing, err
	}
	array := bson.A{}
	for _, d := range r.Databases {
		array = append(array, bson.D{
			{Key: "name", Value: d.Name}, {Key: "sizeOnDisk", Value: d.SizeOnDisk}, {Key: "empty", Value: d.Empty},
		})
	}
	return result{value: array, each: true}, nil
}

func listDatabaseNames(ctx context.Context, c *client, a *arguments) (result, error) {
	filter, opts := a.filter(), rest[options.ListDatabasesOptions](a)
	if err := a.known(); err != nil {
		return nothing, err
	}
	names, err := c.ListDatabaseNames(ctx, filter, opts)
	return result{value: names}, err
}
