package update_test

import (
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

func BenchmarkSet(b *testing.B) {
	doc := value.D("_id", 1, "a", value.D("b", 1, "c", 2), "n", 0, "fill", strings.Repeat("x", 1000))
	u, err := update.Compile(parseValue(b, `{"$set":{"a.b":7,"x":1},"$inc":{"n":1}}`), nil, env)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := u.Apply(doc, -1, false); err != nil {
			b.Fatal(err)
		}
	}
}
