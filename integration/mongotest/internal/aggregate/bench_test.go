package aggregate_test

import (
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/value"
)

// BenchmarkPipeline: one operation is 10,000 documents of 1 KB.
func BenchmarkPipeline(b *testing.B) {
	docs := make([]value.Doc, 10_000)
	for i := range docs {
		docs[i] = value.D("_id", i, "operationType", "insert", "k", i*7919%1009, "fullDocument", value.D("fill", strings.Repeat("x", 1000)))
	}
	for name, pipeline := range map[string]string{
		"match":  `[{"$match":{"operationType":{"$in":["insert","update"]}}}]`,
		"stream": `[{"$match":{"operationType":"insert"}},{"$project":{"fullDocument.fill":0}}]`,
		"sort":   `[{"$sort":{"k":1}}]`,
		"group":  `[{"$group":{"_id":"$k","n":{"$sum":1}}}]`,
	} {
		b.Run(name, func(b *testing.B) {
			p, err := aggregate.Compile(list(b, pipeline), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := aggregate.All(p.Run(aggregate.Docs(docs...))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
