package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// heartbeat is how often the clients of a test look at a server that they know;
// the shortest that the driver allows.
const heartbeat = 500 * time.Millisecond

// client is a client entity with what it has seen.
type client struct {
	*mongo.Client
	seen *recorder // nil if it observes nothing
}

// iterator is what change streams and cursors have in common.
type iterator interface {
	Next(context.Context) bool
	TryNext(context.Context) bool
	Close(context.Context) error
	Err() error
}

// cursor is a change stream or a cursor that is saved as an entity.
type cursor struct {
	iterator
	current func() bson.Raw
}

// entities are those of one test, by name. It is used by one goroutine.
type entities struct {
	uri   string
	named map[string]any
	order []string // as they came, so that the last is closed first
}

func newEntities(uri string) *entities { return &entities{uri: uri, named: map[string]any{}} }

// put adds an entity: *client, *mongo.Database, *mongo.Collection,
// *mongo.Session, *cursor or bson.RawValue.
func (es *entities) put(name string, entity any) error {
	if _, taken := es.named[name]; taken || name == "" {
		return fmt.Errorf("entity %q is there already", name)
	}
	es.named[name] = entity
	es.order = append(es.order, name)
	return nil
}

// get gives an entity of a type.
func get[T any](es *entities, name string) (T, error) {
	var none T
	entity, ok := es.named[name]
	if !ok {
		return none, fmt.Errorf("no entity %q", name)
	}
	typed, ok := entity.(T)
	if !ok {
		return none, fmt.Errorf("entity %q is a %T, not a %T", name, entity, none)
	}
	return typed, nil
}

// matcher gives one that knows these entities.
func (es *entities) matcher() matcher {
	return matcher{
		value: func(name string) (bson.RawValue, error) { return get[bson.RawValue](es, name) },
		lsid: func(name string) (bson.RawValue, error) {
			s, err := get[*mongo.Session](es, name)
			if err != nil {
				return missingValue, err
			}
			return document(s.ID()), nil
		},
	}
}

// create makes the entities of a list, each with one key that says what it is.
func (es *entities) create(list []bson.Raw) error {
	for _, d := range list {
		elements, err := d.Elements()
		if err != nil {
			return err
		}
		if len(elements) != 1 {
			return fmt.Errorf("entity %s has not exactly one key", d)
		}
		spec, ok := elements[0].Value().DocumentOK()
		if !ok {
			return fmt.Errorf("entity %s is no document", d)
		}
		if err := es.createOne(elements[0].Key(), newArguments(spec)); err != nil {
			return fmt.Errorf("create entity %s: %w", d, err)
		}
	}
	return nil
}

func (es *entities) createOne(kind string, a *arguments) error {
	name := a.text("id")
	var entity any
	var err error
	switch kind {
	case "client":
		entity, err = es.client(a)
	case "database":
		var c *client
		if c, err = get[*client](es, a.text("client")); err == nil {
			entity = c.Database(a.text("databaseName"), concerns[options.DatabaseOptions](a, "databaseOptions"))
		}
	case "collection":
		var d *mongo.Database
		if d, err = get[*mongo.Database](es, a.text("database")); err == nil {
			entity = d.Collection(a.text("collectionName"), concerns[options.CollectionOptions](a, "collectionOptions"))
		}
	case "session":
		var c *client
		if c, err = get[*client](es, a.text("client")); err == nil {
			entity, err = c.StartSession()
		}
	default:
		err = errors.New("unknown kind of entity")
	}
	if err = errors.Join(err, a.end()); err != nil {
		return err
	}
	return es.put(name, entity)
}

// concerns are the options of a database or of a collection, if there are any.
func concerns[T any](a *arguments, name string) *settings[T] {
	v := a.take(name)
	d, _ := v.DocumentOK()
	if err := onlyKeysOrNone(d, concernOptions); err != nil {
		a.fail(name, err)
	}
	inner := newArguments(d)
	s := rest[T](inner)
	if err := inner.end(); err != nil {
		a.fail(name, err)
	}
	return s
}

func onlyKeysOrNone(d bson.Raw, allowed []string) error {
	if len(d) == 0 {
		return nil
	}
	return onlyKeys(d, allowed)
}

// client connects one as a file describes it.
func (es *entities) client(a *arguments) (*client, error) {
	a.take("useMultipleMongoses") // has no effect but with sharded clusters
	var kinds, ignore []string
	for _, v := range items(a.take("observeEvents")) {
		kinds = append(kinds, v.StringValue())
	}
	for _, v := range items(a.take("ignoreCommandMonitoringEvents")) {
		ignore = append(ignore, v.StringValue())
	}
	uri, err := withOptions(es.uri, a.take("uriOptions"))
	if err != nil {
		return nil, err
	}
	opts := options.Client().ApplyURI(uri).SetHeartbeatInterval(heartbeat)
	c := new(client)
	if kinds != nil {
		if c.seen, err = newRecorder(kinds, ignore); err != nil {
			return nil, err
		}
		opts.SetMonitor(c.seen.commands()).SetPoolMonitor(c.seen.pool())
	}
	c.Client, err = mongo.Connect(opts)
	return c, err
}

// withOptions gives a connection string with these options in place of its own.
func withOptions(uri string, v bson.RawValue) (string, error) {
	d, ok := v.DocumentOK()
	if !ok {
		return uri, nil
	}
	elements, err := d.Elements()
	if err != nil {
		return "", err
	}
	base, query, _ := strings.Cut(uri, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("options of the connection string: %w", err)
	}
	for _, e := range elements {
		for key := range values {
			if strings.EqualFold(key, e.Key()) {
				values.Del(key)
			}
		}
		values.Set(e.Key(), strings.Trim(relaxed(e.Value()), `"`))
	}
	// A slash has to stand between hosts and options.
	if scheme, hosts, ok := strings.Cut(base, "://"); ok && !strings.Contains(hosts, "/") {
		base = scheme + "://" + hosts + "/"
	}
	return base + "?" + values.Encode(), nil
}

// stop ends all recording.
func (es *entities) stop() {
	for _, entity := range es.named {
		if c, ok := entity.(*client); ok && c.seen != nil {
			c.seen.stop()
		}
	}
}

// close ends what the entities hold, the last first.
func (es *entities) close(ctx context.Context) error {
	var err error
	for i := len(es.order) - 1; i >= 0; i-- {
		switch e := es.named[es.order[i]].(type) {
		case *cursor:
			// What the server says of killCursors is no part of a test.
			_ = e.Close(ctx)
		case *mongo.Session:
			e.EndSession(ctx)
		case *client:
			err = errors.Join(err, e.Disconnect(ctx))
		}
	}
	return err
}

func parseReadPreference(v bson.RawValue) (*readpref.ReadPref, error) {
	d, ok := v.DocumentOK()
	if !ok {
		return nil, fmt.Errorf("read preference %s is no document", v)
	}
	if err := onlyKeys(d, []string{"mode", "maxStalenessSeconds"}); err != nil {
		return nil, err
	}
	name, _ := d.Lookup("mode").StringValueOK()
	mode, err := readpref.ModeFromString(name)
	if err != nil {
		return nil, err
	}
	var opts []readpref.Option
	if s, ok := d.Lookup("maxStalenessSeconds").AsInt64OK(); ok {
		opts = append(opts, readpref.WithMaxStaleness(time.Duration(s)*time.Second))
	}
	return readpref.New(mode, opts...)
}
