package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// The time limits of one test and of cleaning up after it.
const (
	testLimit  = 30 * time.Second
	cleanLimit = 10 * time.Second
)

// Deployment is what the scenarios run against. One test runs at a time.
type Deployment struct {
	Facts Facts

	uri      string
	internal *mongo.Client // sets up, cleans up and looks at outcomes
}

// Connect learns what requirements ask of the deployment at a connection
// string. The deployment must be closed.
func Connect(ctx context.Context, uri string) (*Deployment, error) {
	opts := options.Client().ApplyURI(uri)
	internal, err := mongo.Connect(opts)
	if err != nil {
		return nil, err
	}
	d := &Deployment{uri: uri, internal: internal, Facts: Facts{Auth: opts.Auth != nil}}
	if err := d.learn(ctx, opts); err != nil {
		return nil, errors.Join(err, internal.Disconnect(ctx))
	}
	return d, nil
}

// Close disconnects.
func (d *Deployment) Close(ctx context.Context) error { return d.internal.Disconnect(ctx) }

func (d *Deployment) learn(ctx context.Context, opts *options.ClientOptions) error {
	admin := d.internal.Database("admin")
	var build struct {
		Version []int `bson:"versionArray"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	copy(d.Facts.Version[:], build.Version)
	var hello struct {
		Set     string `bson:"setName"`
		Message string `bson:"msg"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return fmt.Errorf("ask for the topology: %w", err)
	}
	switch {
	case opts.LoadBalanced != nil && *opts.LoadBalanced:
		d.Facts.Topology = "load-balanced"
	case hello.Message == "isdbgrid":
		d.Facts.Topology = "sharded"
	case hello.Set != "":
		d.Facts.Topology = "replicaset"
	default:
		d.Facts.Topology = "single"
	}
	return nil
}

// Run runs one test that is in scope and gives why it failed.
func (d *Deployment) Run(ctx context.Context, f *File, t *Test) (err error) {
	run := &run{deployment: d, entities: newEntities(d.uri), points: map[string]bool{}}
	defer func() { err = errors.Join(err, run.clean(ctx, f.InitialData)) }()
	ctx, cancel := withLimit(ctx, testLimit)
	defer cancel()
	for _, data := range f.InitialData {
		if err := d.setUp(ctx, data); err != nil {
			return fmt.Errorf("set up %s.%s: %w", data.Database, data.Collection, err)
		}
	}
	if err := run.entities.create(f.Entities); err != nil {
		return err
	}
	for i, o := range t.Operations {
		if err := run.execute(ctx, o); err != nil {
			return fmt.Errorf("operation %d, %s of %s: %w", i, o.Name, o.Object, err)
		}
	}
	run.entities.stop()
	if err := run.pointsOff(ctx); err != nil {
		return err
	}
	for _, e := range t.Events {
		if err := run.checkEvents(e); err != nil {
			return err
		}
	}
	for _, data := range t.Outcome {
		if err := d.checkOutcome(ctx, data); err != nil {
			return fmt.Errorf("outcome of %s.%s: %w", data.Database, data.Collection, err)
		}
	}
	return nil
}

// errLimit is why a test is cancelled that takes too long.
var errLimit = errors.New("the test takes too long")

// withLimit gives a context that ends after a time, without a deadline that the
// driver would see: with one it retries as often as there is time, and sends
// maxTimeMS.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errLimit) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// setUp makes a collection what it is before a test.
func (d *Deployment) setUp(ctx context.Context, data CollectionData) error {
	majority := options.Database().SetWriteConcern(writeconcern.Majority())
	database := d.internal.Database(data.Database, majority)
	if err := database.Collection(data.Collection).Drop(ctx); err != nil {
		return err
	}
	if len(data.Documents) == 0 || len(data.Options) > 0 {
		command := bson.D{{Key: "create", Value: data.Collection}}
		given := data.Options
		if len(given) == 0 {
			given = noOptions
		}
		elements, err := given.Elements()
		if err != nil {
			return err
		}
		for _, e := range elements {
			command = append(command, bson.E{Key: e.Key(), Value: e.Value()})
		}
		command = append(command, bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}})
		if err := database.RunCommand(ctx, command).Err(); err != nil {
			return err
		}
	}
	if len(data.Documents) == 0 {
		return nil
	}
	_, err := database.Collection(data.Collection).InsertMany(ctx, data.Documents)
	return err
}

// noOptions is an empty document.
var noOptions = bson.Raw{5, 0, 0, 0, 0}

// checkOutcome compares all that a collection holds.
func (d *Deployment) checkOutcome(ctx context.Context, data CollectionData) error {
	c := d.internal.Database(data.Database).Collection(data.Collection, options.Collection().
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Local()))
	cur, err := c.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return err
	}
	var docs []bson.Raw
	if err := cur.All(ctx, &docs); err != nil {
		return err
	}
	if len(docs) != len(data.Documents) {
		return fmt.Errorf("there are %d documents (%s), expected %d (%s)", len(docs), docs, len(data.Documents), data.Documents)
	}
	for i, doc := range docs {
		if err := same(document(data.Documents[i]), document(doc)); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
	}
	return nil
}

// run is one run of one test.
type run struct {
	deployment *Deployment
	entities   *entities
	points     map[string]bool // fail points that are set
}

// execute does one operation and compares what it gave.
func (r *run) execute(ctx context.Context, o Operation) error {
	if o.Object == "testRunner" {
		return r.special(ctx, o)
	}
	got, err := r.call(ctx, o)
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	m := r.entities.matcher()
	switch u := (unknown{}); {
	case errors.As(err, &u):
		return err
	case o.Ignore:
		return nil
	case o.ExpectError != nil:
		return checkError(m, o.ExpectError, err, got)
	case err != nil:
		return err
	}
	if !isMissing(o.ExpectResult) {
		actual, err := got.raw()
		if err != nil {
			return err
		}
		if got.each {
			err = m.matchEach(o.ExpectResult, actual)
		} else {
			err = m.match(o.ExpectResult, actual, true)
		}
		if err != nil {
			return fmt.Errorf("result: %w", err)
		}
	}
	if o.SaveAs == "" {
		return nil
	}
	return r.save(o.SaveAs, got)
}

// save makes a result an entity.
func (r *run) save(name string, got result) error {
	if got.cursor != nil {
		return r.entities.put(name, got.cursor)
	}
	v, err := got.raw()
	if err != nil {
		return err
	}
	if isMissing(v) {
		return errors.New("there is no result to save")
	}
	return r.entities.put(name, v)
}

// call does an operation of an entity.
func (r *run) call(ctx context.Context, o Operation) (result, error) {
	entity, ok := r.entities.named[o.Object]
	if !ok {
		return nothing, unknown{fmt.Errorf("no entity %q", o.Object)}
	}
	a := newArguments(o.Arguments)
	if v := a.take("session"); !isMissing(v) {
		s, err := get[*mongo.Session](r.entities, v.StringValue())
		if err != nil {
			return nothing, unknown{err}
		}
		ctx = mongo.NewSessionContext(ctx, s)
	}
	switch e := entity.(type) {
	case *mongo.Collection:
		if f, ok := collectionOperations[o.Name]; ok {
			return f(ctx, e, a)
		}
	case *mongo.Database:
		if f, ok := databaseOperations[o.Name]; ok {
			return f(ctx, e, a)
		}
	case *client:
		if f, ok := clientOperations[o.Name]; ok {
			return f(ctx, e, a)
		}
	case *cursor:
		return cursorOperation(ctx, o.Name, e, a)
	case *mongo.Session:
		if o.Name == "endSession" {
			e.EndSession(ctx)
			return nothing, a.known()
		}
	}
	return nothing, unknown{fmt.Errorf("unknown operation of a %s", strings.TrimPrefix(fmt.Sprintf("%T", entity), "*"))}
}

// checkEvents compares what a client saw.
func (r *run) checkEvents(expected EventsForClient) error {
	c, err := get[*client](r.entities, expected.Client)
	if err != nil {
		return err
	}
	if c.seen == nil {
		return fmt.Errorf("client %s observes no events", expected.Client)
	}
	return c.seen.check(r.entities.matcher(), expected)
}

// pointsOff disables the fail points that the test has set.
func (r *run) pointsOff(ctx context.Context) error {
	for name := range r.points {
		command := bson.D{{Key: "configureFailPoint", Value: name}, {Key: "mode", Value: "off"}}
		if err := r.deployment.internal.Database("admin").RunCommand(ctx, command).Err(); err != nil {
			return fmt.Errorf("fail point %s off: %w", name, err)
		}
		delete(r.points, name)
	}
	return nil
}

// clean leaves nothing of the test behind, whatever became of it: there are
// files that insert what other files have left in the same collection.
func (r *run) clean(ctx context.Context, initial []CollectionData) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	used := map[[2]string]bool{}
	for _, data := range initial {
		used[[2]string{data.Database, data.Collection}] = true
	}
	for _, entity := range r.entities.named {
		if c, ok := entity.(*mongo.Collection); ok {
			used[[2]string{c.Database().Name(), c.Name()}] = true
		}
	}
	err := errors.Join(r.pointsOff(ctx), r.entities.close(ctx))
	for name := range used {
		err = errors.Join(err, r.deployment.internal.Database(name[0]).Collection(name[1]).Drop(ctx))
	}
	return err
}
