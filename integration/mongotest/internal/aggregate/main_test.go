package aggregate_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// list reads an array of documents in extended JSON.
func list(t testing.TB, s string) []value.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(`{"v":`+s+`}`), false, &d); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var docs []value.Doc
	for _, item := range value.Items(value.Get(b, "v")) {
		if !value.IsDocument(item) {
			t.Fatalf("%s has %v", s, item)
		}
		docs = append(docs, value.Doc(item.Value))
	}
	return docs
}

// foreign is the other collection of the tests.
const foreign = `[
	{"_id":1,"k":1,"v":"a"}, {"_id":2,"k":2,"v":"b"}, {"_id":3,"k":[1,3],"v":"c"}, {"_id":4,"k":null,"v":"d"},
	{"_id":5,"v":"e"}, {"_id":6,"k":{"x":1},"v":"f"}, {"_id":7,"k":[{"x":2},{"x":3}],"v":"g"}, {"_id":8,"k":"A","v":"h"}]`

func environment(t testing.TB, c *collation.Collation) *aggregate.Env {
	return &aggregate.Env{
		Env: &expr.Env{Now: time.UnixMilli(1), Let: map[string]value.Value{"outer": value.Int32(2)}, Collation: c},
		Collection: func(name string) (aggregate.Iterator, error) {
			switch name {
			case "foreign":
				return aggregate.Docs(list(t, foreign)...), nil
			case "broken":
				return nil, errors.New("broken")
			}
			return aggregate.Docs(), nil
		},
	}
}

func run(t testing.TB, docs, pipeline string) ([]value.Doc, error) {
	t.Helper()
	return runIn(t, environment(t, nil), docs, pipeline)
}

func runIn(t testing.TB, env *aggregate.Env, docs, pipeline string) ([]value.Doc, error) {
	t.Helper()
	p, err := aggregate.Compile(list(t, pipeline), env)
	if err != nil {
		return nil, err
	}
	it := p.Run(aggregate.Docs(list(t, docs)...))
	got, err := aggregate.All(it)
	if err != nil {
		return nil, err
	}
	if doc, ok, err := it.Next(); ok || err != nil {
		t.Errorf("after the end: %v %v", doc, err)
	}
	return got, nil
}

func wantDocs(t testing.TB, got []value.Doc, want string) {
	t.Helper()
	var texts, wanted []string
	for _, d := range got {
		if err := value.Validate(d); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, bsonText(d))
	}
	for _, d := range list(t, want) {
		wanted = append(wanted, bsonText(d))
	}
	if diff := cmp.Diff(wanted, texts); diff != "" {
		t.Errorf("the documents are other than wanted (-want +got):\n%s", diff)
	}
}

// bsonText tells numeric types apart.
func bsonText(d value.Doc) string {
	text, err := bson.MarshalExtJSON(d, true, false)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want the code %d (%s)", err, code, code.Name())
	}
}
