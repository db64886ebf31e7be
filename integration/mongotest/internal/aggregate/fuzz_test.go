package aggregate_test

import (
	"bytes"
	"testing"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/value"
)

// FuzzPipeline: any valid array as a pipeline, over any documents: an error or
// valid documents, and no change to what came in.
func FuzzPipeline(f *testing.F) {
	add := func(docs, pipeline string) {
		f.Add([]byte(value.Of(list(f, docs)).Value), []byte(value.Of(list(f, pipeline)).Value))
	}
	add(items, `[{"$match":{"a":1}},{"$sort":{"a":1,"s":-1}},{"$limit":2},{"$skip":1}]`)
	add(items, `[{"$group":{"_id":"$s","n":{"$sum":"$a"},"l":{"$push":"$a"},"m":{"$max":"$a"},"f":{"$first":"$a"},"s":{"$addToSet":"$s"}}}]`)
	add(`[{"a":[1,{"b":[2]}],"o":{"x":1}}]`, `[{"$unwind":{"path":"$a","includeArrayIndex":"i.j","preserveNullAndEmptyArrays":true}},{"$sort":{"a.b":-1}},{"$count":"n"}]`)
	add(items, `[{"$lookup":{"from":"foreign","localField":"a","foreignField":"k","as":"f.g","let":{"x":"$a"},"pipeline":[{"$match":{"v":"a"}}]}},{"$sortByCount":"$f"}]`)
	add(items, `[{"$sample":{"size":2}},{"$set":{"a.b":1}},{"$project":{"a":1}},{"$unset":"s"},{"$replaceRoot":{"newRoot":"$a"}},{"$merge":{"into":"x","on":"a"}}]`)
	add(`[]`, `[{"$documents":[{"a":1}]},{"$out":"x"}]`)
	f.Fuzz(func(t *testing.T, docs, pipeline []byte) {
		if value.Validate(docs) != nil || value.Validate(pipeline) != nil {
			return
		}
		read := func(b []byte) (out []value.Doc) {
			for _, v := range value.Elements(b) {
				if value.IsDocument(v) {
					out = append(out, value.Doc(v.Value))
				}
			}
			return out
		}
		before := bytes.Clone(docs)
		_ = aggregate.CheckStream(read(pipeline))
		p, err := aggregate.Compile(read(pipeline), environment(t, nil))
		if err != nil {
			return
		}
		it := p.Run(aggregate.Docs(read(docs)...))
		for range 1000 {
			doc, ok, err := it.Next()
			if err != nil || !ok {
				break
			}
			if err := value.Validate(doc); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(before, docs) {
			t.Fatal("a document was changed in place")
		}
	})
}
