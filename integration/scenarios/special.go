package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// special does an operation of the runner itself, which has no result.
func (r *run) special(ctx context.Context, o Operation) error {
	if o.ExpectError != nil || !isMissing(o.ExpectResult) || o.SaveAs != "" || o.Ignore {
		return errors.New("an operation of the runner has no result and no error")
	}
	a := newArguments(o.Arguments)
	switch o.Name {
	case "createEntities":
		list := a.docs("entities")
		return errors.Join(a.end(), r.entities.create(list))
	case "failPoint":
		return r.failPoint(ctx, a)
	case "targetedFailPoint":
		// Sessions are pinned to one server of a sharded cluster only.
		return errors.New("the session is not pinned to a server")
	case "assertCollectionExists", "assertCollectionNotExists":
		return r.collectionExists(ctx, a, o.Name == "assertCollectionExists")
	case "assertIndexExists", "assertIndexNotExists":
		return r.indexExists(ctx, a, o.Name == "assertIndexExists")
	case "assertSameLsidOnLastTwoCommands", "assertDifferentLsidOnLastTwoCommands":
		return r.sameSession(a, o.Name == "assertSameLsidOnLastTwoCommands")
	}
	return fmt.Errorf("unknown operation %s of the runner", o.Name)
}

// failPoint sets one through the client of the test.
func (r *run) failPoint(ctx context.Context, a *arguments) error {
	name, command := a.text("client"), a.doc("failPoint")
	if err := a.end(); err != nil {
		return err
	}
	c, err := get[*client](r.entities, name)
	if err != nil {
		return err
	}
	point, ok := command.Lookup("configureFailPoint").StringValueOK()
	if !ok {
		return errors.New("the fail point has no name")
	}
	// Also if it fails: it may have been set.
	r.points[point] = true
	return c.Database("admin").RunCommand(ctx, command).Err()
}

func (r *run) collectionExists(ctx context.Context, a *arguments, want bool) error {
	database, name := a.text("databaseName"), a.text("collectionName")
	if err := a.end(); err != nil {
		return err
	}
	filter := bson.D{{Key: "name", Value: name}}
	names, err := r.deployment.internal.Database(database).ListCollectionNames(ctx, filter)
	if err != nil {
		return err
	}
	if has := slices.Contains(names, name); has != want {
		return fmt.Errorf("collection %s.%s exists: %t, expected %t", database, name, has, want)
	}
	return nil
}

func (r *run) indexExists(ctx context.Context, a *arguments, want bool) error {
	database, collection, name := a.text("databaseName"), a.text("collectionName"), a.text("indexName")
	if err := a.end(); err != nil {
		return err
	}
	indexes, err := r.deployment.internal.Database(database).Collection(collection).Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	has := slices.ContainsFunc(indexes, func(s mongo.IndexSpecification) bool { return s.Name == name })
	if has != want {
		return fmt.Errorf("index %s of %s.%s exists: %t, expected %t", name, database, collection, has, want)
	}
	return nil
}

// sameSession compares the sessions of a client's last two commands.
func (r *run) sameSession(a *arguments, want bool) error {
	name := a.text("client")
	if err := a.end(); err != nil {
		return err
	}
	c, err := get[*client](r.entities, name)
	if err != nil {
		return err
	}
	if c.seen == nil {
		return fmt.Errorf("client %s observes no events", name)
	}
	var ids []bson.RawValue
	for _, o := range c.seen.seen(false) {
		if o.kind == commandStarted {
			ids = append(ids, o.body.Lookup("lsid"))
		}
	}
	if len(ids) < 2 {
		return errors.New("there were fewer than two commands")
	}
	x, y := ids[len(ids)-2], ids[len(ids)-1]
	if isMissing(x) || isMissing(y) {
		return errors.New("a command has no lsid")
	}
	if equal := bytes.Equal(x.Value, y.Value); equal != want {
		return fmt.Errorf("the sessions are %s and %s: the same %t, expected %t", x, y, equal, want)
	}
	return nil
}
