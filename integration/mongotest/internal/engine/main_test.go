package engine_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse reads a document of extended JSON.
func parse(t testing.TB, text string) value.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// store makes a store with an oplog, and the collection d.c with documents.
func store(t testing.TB, docs ...string) *engine.Store {
	t.Helper()
	s := engine.New(engine.Options{Log: true})
	for _, doc := range docs {
		must(t, s.Insert("d", "c", parse(t, doc), false))
	}
	return s
}

func query(t testing.TB, filter string) engine.Query {
	t.Helper()
	f, err := match.Compile(parse(t, filter), &expr.Env{})
	must(t, err)
	return engine.Query{Filter: f}
}

func index(t testing.TB, name, spec string, set func(*engine.Index)) *engine.Index {
	t.Helper()
	x := engine.NewIndex(name, parse(t, spec))
	if set != nil {
		set(x)
	}
	return x
}

func build(t testing.TB, s *engine.Store, indexes ...*engine.Index) {
	t.Helper()
	_, _, _, err := s.Index("d", "c", indexes)
	must(t, err)
}

func change(t testing.TB, s *engine.Store, filter, u string) engine.Changed {
	t.Helper()
	compiled, err := update.Compile(value.Document(parse(t, u)), nil, &expr.Env{})
	must(t, err)
	done, err := s.Update("d", "c", engine.Updating{Query: query(t, filter), Update: compiled, Multi: !compiled.IsReplacement()})
	must(t, err)
	return done
}

func remove(t testing.TB, s *engine.Store, filter string) {
	t.Helper()
	_, err := s.Delete("d", "c", query(t, filter), nil, false)
	must(t, err)
}

// scan gives the documents that a query matches.
func scan(t testing.TB, s *engine.Store, q engine.Query) []value.Doc {
	t.Helper()
	sc, err := s.Open("d", "c", q)
	must(t, err)
	var docs []value.Doc
	for {
		doc, ok, err := sc.Next()
		must(t, err)
		if !ok {
			return docs
		}
		docs = append(docs, doc)
	}
}

// ids gives the _ids of documents, which are small integers.
func ids(docs []value.Doc) []int {
	got := []int{}
	for _, doc := range docs {
		n, _ := value.Integer(value.Get(doc, "_id"))
		got = append(got, int(n))
	}
	return got
}

func order(t testing.TB, sort string) engine.Order {
	t.Helper()
	o, err := aggregate.CompileOrder(parse(t, sort), nil)
	must(t, err)
	return o
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want the code %d (%s)", err, code, code.Name())
	}
}
