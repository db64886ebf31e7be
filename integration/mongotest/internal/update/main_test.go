package update_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

var env = &expr.Env{Now: time.UnixMilli(1_700_000_000_000), ClusterTime: bson.Timestamp{T: 7, I: 3}}

// parse reads a document of extended JSON, relaxed as in the shell.
func parse(t testing.TB, s string) value.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(s), false, &d); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parseValue reads a document, or an array.
func parseValue(t testing.TB, s string) value.Value {
	t.Helper()
	return value.Get(parse(t, `{"v":`+s+`}`), "v")
}

func compile(t testing.TB, u string, arrayFilters ...string) (*update.Update, error) {
	t.Helper()
	var filters []value.Doc
	for _, f := range arrayFilters {
		filters = append(filters, parse(t, f))
	}
	return update.Compile(parseValue(t, u), filters, env)
}

func apply(t testing.TB, doc, u string, position int, arrayFilters ...string) (update.Result, error) {
	t.Helper()
	c, err := compile(t, u, arrayFilters...)
	if err != nil {
		return update.Result{}, err
	}
	return c.Apply(parse(t, doc), position, false)
}

func wantDoc(t testing.TB, got value.Doc, want string) {
	t.Helper()
	if err := value.Validate(got); err != nil {
		t.Fatal(err)
	}
	if w := parse(t, want); string(w) != string(got) {
		t.Errorf("the document is other than wanted (-want +got):\n%s", cmp.Diff(w.String(), got.String()))
	}
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want the code %d (%s)", err, code, code.Name())
	}
}
