package scenarios

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"
)

// arguments are those of one operation. What is taken out by name is gone; what
// is wrong, or left over at the end, makes the operation one that the runner
// does not know.
type arguments struct {
	left []bson.RawElement
	err  error
}

func newArguments(d bson.Raw) *arguments {
	a := new(arguments)
	if len(d) > 0 {
		a.left, a.err = d.Elements()
	}
	return a
}

func (a *arguments) fail(name string, err error) {
	a.err = errors.Join(a.err, fmt.Errorf("argument %s: %w", name, err))
}

// take gives an argument, or a missing value.
func (a *arguments) take(name string) bson.RawValue {
	for i, e := range a.left {
		if e.Key() == name {
			a.left = slices.Delete(slices.Clone(a.left), i, i+1)
			return e.Value()
		}
	}
	return missingValue
}

// doc gives a required document.
func (a *arguments) doc(name string) bson.Raw {
	d, ok := a.take(name).DocumentOK()
	if !ok {
		a.fail(name, errors.New("a document is required"))
	}
	return d
}

// docs gives a required array of documents.
func (a *arguments) docs(name string) []bson.Raw {
	v := a.take(name)
	if v.Type != bson.TypeArray {
		a.fail(name, errors.New("an array is required"))
		return nil
	}
	docs := []bson.Raw{}
	for _, item := range items(v) {
		d, ok := item.DocumentOK()
		if !ok {
			a.fail(name, errors.New("an array of documents is required"))
		}
		docs = append(docs, d)
	}
	return docs
}

// text gives a required string.
func (a *arguments) text(name string) string {
	s, ok := a.take(name).StringValueOK()
	if !ok {
		a.fail(name, errors.New("a string is required"))
	}
	return s
}

// any gives an argument as the driver takes it, or nil.
func (a *arguments) any(name string) any { return native(a.take(name)) }

// end fails if an argument was wrong, or was not taken.
func (a *arguments) end() error {
	for _, e := range a.left {
		a.fail(e.Key(), errors.New("is not known"))
	}
	return a.err
}

// native gives a value as a caller of the driver would: documents and arrays of
// them raw, so that the order of keys stays, and scalars as themselves.
func native(v bson.RawValue) any {
	switch v.Type {
	case 0:
		return nil
	case bson.TypeEmbeddedDocument:
		return v.Document()
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeArray:
		var docs []bson.Raw
		for _, item := range items(v) {
			d, ok := item.DocumentOK()
			if !ok {
				return v
			}
			docs = append(docs, d)
		}
		return docs
	}
	return v
}

// fill sets the fields of one of the driver's structs from all arguments that
// are left, each by its name.
func (a *arguments) fill(target any) {
	fields := reflect.ValueOf(target).Elem()
	for _, e := range slices.Clone(a.left) {
		name := e.Key()
		if name == "rawData" {
			a.take(name)
			a.rawData(fields, e.Value())
			continue
		}
		field := fields.FieldByName(strings.ToUpper(name[:1]) + name[1:])
		if !field.IsValid() {
			continue // end reports it
		}
		if err := setField(field, a.take(name)); err != nil {
			a.fail(name, err)
		}
	}
}

// rawData sets the option that users of the driver cannot set.
func (a *arguments) rawData(fields reflect.Value, v bson.RawValue) {
	on, ok := v.BooleanOK()
	field := fields.FieldByName("Internal")
	if !ok || !field.IsValid() {
		a.fail("rawData", errors.New("cannot be set"))
		return
	}
	// The driver holds it in one type for all operations, which only its own
	// packages can name.
	var find options.FindOptions
	builder := options.Find()
	if err := xoptions.SetInternalFindOptions(builder, "rawData", on); err != nil {
		a.fail("rawData", err)
		return
	}
	for _, set := range builder.Opts {
		if err := set(&find); err != nil {
			a.fail("rawData", err)
		}
	}
	field.Set(reflect.ValueOf(find).FieldByName("Internal"))
}

// setField sets one field of an options struct or of a write model.
func setField(field reflect.Value, v bson.RawValue) error {
	switch target := field.Addr().Interface().(type) {
	case *any:
		*target = native(v)
	case *string:
		return v.Unmarshal(target)
	case *[]any:
		for _, item := range items(v) {
			*target = append(*target, native(item))
		}
	case **options.ReturnDocument:
		when := options.Before
		switch s, _ := v.StringValueOK(); strings.ToLower(s) {
		case "before":
		case "after":
			when = options.After
		default:
			return fmt.Errorf("%s is neither Before nor After", v)
		}
		*target = &when
	case **writeconcern.WriteConcern:
		c, err := parseWriteConcern(v)
		*target = c
		return err
	case **readconcern.ReadConcern:
		c, err := parseReadConcern(v)
		*target = c
		return err
	case **readpref.ReadPref:
		p, err := parseReadPreference(v)
		*target = p
		return err
	default:
		if field.Kind() != reflect.Pointer {
			return fmt.Errorf("cannot set a field of type %s", field.Type())
		}
		p := reflect.New(field.Type().Elem())
		if err := v.Unmarshal(p.Interface()); err != nil {
			return err
		}
		field.Set(p)
	}
	return nil
}

// settings are options with their values, as a lister of the driver's. What is
// not given keeps the driver's default.
type settings[T any] struct{ value T }

func (s *settings[T]) List() []func(*T) error {
	return []func(*T) error{func(o *T) error {
		given, target := reflect.ValueOf(&s.value).Elem(), reflect.ValueOf(o).Elem()
		for i := range given.NumField() {
			if f := given.Field(i); !f.IsZero() {
				target.Field(i).Set(f)
			}
		}
		return nil
	}}
}

// rest takes all arguments that are left as the options of a method.
func rest[T any](a *arguments) *settings[T] {
	s := new(settings[T])
	a.fill(&s.value)
	return s
}

// concernOptions are the options that databases and collections have in files.
var concernOptions = []string{"readConcern", "readPreference", "writeConcern"}

func parseWriteConcern(v bson.RawValue) (*writeconcern.WriteConcern, error) {
	var given struct {
		W       bson.RawValue `bson:"w"`
		Journal *bool         `bson:"journal"`
	}
	d, ok := v.DocumentOK()
	if !ok {
		return nil, fmt.Errorf("write concern %s is no document", v)
	}
	if err := onlyKeys(d, []string{"w", "journal"}); err != nil {
		return nil, err
	}
	if err := bson.Unmarshal(d, &given); err != nil {
		return nil, err
	}
	c := &writeconcern.WriteConcern{Journal: given.Journal}
	if n, ok := given.W.AsInt64OK(); ok {
		c.W = int(n)
	} else if s, ok := given.W.StringValueOK(); ok {
		c.W = s
	}
	return c, nil
}

func parseReadConcern(v bson.RawValue) (*readconcern.ReadConcern, error) {
	d, ok := v.DocumentOK()
	if !ok {
		return nil, fmt.Errorf("read concern %s is no document", v)
	}
	level, ok := d.Lookup("level").StringValueOK()
	if !ok {
		return nil, fmt.Errorf("read concern %s has no level", v)
	}
	return &readconcern.ReadConcern{Level: level}, onlyKeys(d, []string{"level"})
}
