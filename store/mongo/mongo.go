// Package mongo keeps predictions beside a collection of accounts in MongoDB: the
// production store. A change stream follows the accounts, finds scan them, and
// predictions, dead letters and state have collections of their own.
//
// Everything is written with majority write concern, and accounts are read with
// majority read concern, so that no failover undoes what a checkpoint is past.
package mongo

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

	"botwatch/store"
)

// Time limits of what this package asks a server for.
const (
	selectTimeout = 10 * time.Second // to find a server
	callTimeout   = 30 * time.Second // of one command whose caller sets none
	openTimeout   = 20 * time.Second // of the look around when a store is opened
	// heartbeat is how often the driver hears of each server. Disconnecting can take
	// as long, where a monitor has just begun to listen.
	heartbeat = 2 * time.Second
)

// appName is what servers log and show of this program.
const appName = "botwatch"

// Names are those of the collections.
type Names struct {
	Accounts    string // the crawler's
	Predictions string
	State       string
	DeadLetters string
}

// DefaultNames gives the names that design and README use.
func DefaultNames() Names {
	return Names{Accounts: "accounts", Predictions: "predictions", State: "botwatch_state", DeadLetters: "botwatch_dead_letters"}
}

func (n Names) all() []string { return []string{n.Accounts, n.Predictions, n.State, n.DeadLetters} }

// Options are what Open may be told.
type Options struct {
	// URI names the server and the database, as the driver has it. It may hold a
	// password, and is never part of an error.
	URI string
	// PredictionsURI names another place for all that botwatch writes; empty for
	// the same.
	PredictionsURI string
	// Names of the collections; the zero one is DefaultNames.
	Names Names
	// ReadPreference is where accounts are scanned: primary (""), or
	// secondaryPreferred and its like.
	ReadPreference string
	// ProtectAccounts makes PutAccounts and DeleteAccounts answer ErrReadOnly.
	ProtectAccounts bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is a store.Store in MongoDB. It is safe for concurrent use.
type Store struct {
	opts    Options
	clients []*mongo.Client // one, or two where predictions are elsewhere
	source  *mongo.Database
	home    *mongo.Database // of predictions and state
	scans   *readpref.ReadPref
	info    serverInfo

	accounts    *mongo.Collection
	predictions *mongo.Collection
	state       *mongo.Collection
	letters     *mongo.Collection
}

var _ store.Store = (*Store)(nil)

// Open connects to the server and looks whether it can be worked with. It writes
// nothing, and answers store.ErrForeign where the predictions are somebody else's.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open MongoDB: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, o Options) (_ *Store, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Names == (Names{}) {
		o.Names = DefaultNames()
	}
	if err := o.Names.check(o.PredictionsURI == "" || o.PredictionsURI == o.URI); err != nil {
		return nil, err
	}
	s := &Store{opts: o, scans: readpref.Primary()}
	if o.ReadPreference != "" {
		mode, err := readpref.ModeFromString(o.ReadPreference)
		if err == nil {
			s.scans, err = readpref.New(mode)
		}
		if err != nil {
			return nil, fmt.Errorf("read preference %q: %w", o.ReadPreference, err)
		}
	}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if s.source, err = s.connect(o.URI); err != nil {
		return nil, err
	}
	s.home = s.source
	if o.PredictionsURI != "" && o.PredictionsURI != o.URI {
		if s.home, err = s.connect(o.PredictionsURI); err != nil {
			return nil, fmt.Errorf("predictions: %w", err)
		}
	}
	s.accounts = s.source.Collection(o.Names.Accounts, options.Collection().SetReadConcern(readconcern.Majority()))
	s.predictions = s.home.Collection(o.Names.Predictions, options.Collection().SetReadConcern(readconcern.Majority())) // what a failover may undo is not done
	s.state = s.home.Collection(o.Names.State)
	s.letters = s.home.Collection(o.Names.DeadLetters)
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if s.info, err = readInfo(ctx, s.source); err != nil {
		return nil, err
	}
	if err := s.refuseForeign(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// check refuses names that would make two things one.
func (n Names) check(together bool) error {
	seen := map[string]bool{}
	for i, name := range n.all() {
		if name == "" || strings.HasPrefix(name, "system.") || strings.ContainsAny(name, "$\x00") {
			return fmt.Errorf("%q is no name for a collection", name)
		}
		if (i > 0 || together) && seen[name] {
			return fmt.Errorf("two of the collections for accounts, predictions, state and dead letters are named %q", name)
		}
		seen[name] = i > 0 || together
	}
	return nil
}

// connect makes a client, and gives the database that the URI names.
func (s *Store) connect(uri string) (*mongo.Database, error) {
	name, err := databaseOf(uri)
	if err != nil {
		return nil, err
	}
	o := options.Client().ApplyURI(uri).
		SetBSONOptions(&options.BSONOptions{}).
		SetReadConcern(readconcern.Local()).
		SetWriteConcern(writeconcern.Majority())
	if o.AppName == nil {
		o.SetAppName(appName)
	}
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(selectTimeout)
	}
	if o.Timeout == nil {
		o.SetTimeout(callTimeout) // of every call whose context has no limit
	}
	if o.HeartbeatInterval == nil {
		o.SetHeartbeatInterval(heartbeat)
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, errors.New(redact(err.Error(), uri))
	}
	s.clients = append(s.clients, client)
	return client.Database(name), nil
}

// Close ends the connections.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), selectTimeout)
	defer cancel()
	var errs []error
	for _, c := range s.clients {
		if err := c.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close MongoDB: %w", err)
	}
	return nil
}

// databaseOf gives the database that a URI names.
func databaseOf(uri string) (string, error) {
	_, rest, found := strings.Cut(uri, "://")
	if !found {
		return "", errors.New("want mongodb://HOST/DATABASE")
	}
	rest, _, _ = strings.Cut(rest, "?")
	_, name, _ := strings.Cut(rest, "/")
	switch {
	case name == "":
		return "", errors.New("the URI names no database; want mongodb://HOST/DATABASE")
	case strings.ContainsAny(name, "/\\. \"$@:"):
		return "", errors.New("the URI's database has a character that is in no database's name; those of a password are to be escaped, as %2F is for /")
	}
	return name, nil
}

// redact takes a URI's secrets out of a text.
func redact(text, uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if _, password, found := strings.Cut(rest[:at], ":"); found && password != "" {
			text = strings.ReplaceAll(text, password, "xxxxx")
		}
	}
	return text
}

// serverInfo is what a server says of itself.
type serverInfo struct {
	version string
	major   int    // 4.4 is 404
	set     string // the replica set's name; empty for none
	sharded bool
}

// streams says that there are change streams.
func (i serverInfo) streams() bool { return i.set != "" || i.sharded }

func readInfo(ctx context.Context, db *mongo.Database) (serverInfo, error) {
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	if err := db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return serverInfo{}, fmt.Errorf("ask the server who it is: %w", err)
	}
	var build struct {
		Version string  `bson:"version"`
		Numbers []int32 `bson:"versionArray"`
	}
	if err := db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return serverInfo{}, fmt.Errorf("ask the server for its version: %w", err)
	}
	info := serverInfo{version: build.Version, set: hello.SetName, sharded: hello.Msg == "isdbgrid"}
	if len(build.Numbers) >= 2 {
		info.major = int(build.Numbers[0])*100 + int(build.Numbers[1])
	}
	return info, nil
}
