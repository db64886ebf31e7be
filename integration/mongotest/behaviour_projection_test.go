package mongotest_test

// What projections leave: the manual's "Project Fields to Return from Query",
// "$project", and of arrays $slice, $elemMatch and the positional $.
var projectionParts = []part{
	{"fields included and excluded", inclusion},
	{"projections of arrays", projectedArrays},
	{"elements chosen by a projection", chosenElements},
	{"computed fields", computedFields},
	{"projections that are refused", badProjections},
}

// project holds what a projection makes of a document against what it should, by
// find and, where it can be one, by $project.
func (x *trial) project(before, projection, after string) {
	x.Helper()
	x.fill(before)
	x.gives(`{"find": "c", "projection": `+projection+`}`, after)
	x.gives(`{"aggregate": "c", "pipeline": [{"$project": `+projection+`}], "cursor": {}}`, after)
}

func inclusion(x *trial) {
	doc := `{"_id": 1, "b": 1, "a": {"x": 1, "y": {"z": 2, "w": 3}}, "n": null}`
	x.project(doc, `{"a": 1, "b": 1}`, `{"_id": 1, "b": 1, "a": {"x": 1, "y": {"z": 2, "w": 3}}}`) // in the document's order
	x.project(doc, `{"b": true, "_id": 0}`, `{"b": 1}`)
	x.project(doc, `{"_id": 1}`, `{"_id": 1}`)
	x.project(doc, `{"_id": 0}`, `{"b": 1, "a": {"x": 1, "y": {"z": 2, "w": 3}}, "n": null}`)
	x.project(doc, `{"a": 0}`, `{"_id": 1, "b": 1, "n": null}`)
	x.project(doc, `{"a": 0, "_id": 1}`, `{"_id": 1, "b": 1, "n": null}`)
	x.project(doc, `{"a.y.z": 1}`, `{"_id": 1, "a": {"y": {"z": 2}}}`)
	x.project(doc, `{"a": {"y": {"z": 1}}}`, `{"_id": 1, "a": {"y": {"z": 2}}}`)
	x.project(doc, `{"a.y.z": 0, "b": 0}`, `{"_id": 1, "a": {"x": 1, "y": {"w": 3}}, "n": null}`)
	x.project(doc, `{"a.zz": 1}`, `{"_id": 1, "a": {}}`)
	x.project(doc, `{"zz.a": 1}`, `{"_id": 1}`)
	x.project(doc, `{"b.c": 1, "n": 1}`, `{"_id": 1, "n": null}`)
	x.project(doc, `{"b.c": 0, "a": 0}`, `{"_id": 1, "b": 1, "n": null}`)
	x.fill(doc)
	x.gives(`{"find": "c", "projection": {}}`, doc)
}

func projectedArrays(x *trial) {
	doc := `{"_id": 1, "a": [{"b": 1, "c": 2}, {"c": 3}, 5, null, "s", {"b": {"d": 1}}], "e": []}`
	x.project(doc, `{"a.b": 1}`, `{"_id": 1, "a": [{"b": 1}, {}, {"b": {"d": 1}}]}`)
	x.project(doc, `{"a.b": 0}`, `{"_id": 1, "a": [{"c": 2}, {"c": 3}, 5, null, "s", {}], "e": []}`)
	x.project(doc, `{"a.b.d": 1, "_id": 0}`, `{"a": [{}, {}, {"b": {"d": 1}}]}`)
	x.project(doc, `{"a.zz": 1}`, `{"_id": 1, "a": [{}, {}, {}]}`)
	x.project(doc, `{"e.b": 1}`, `{"_id": 1, "e": []}`)
	x.project(doc, `{"a": 1}`, `{"_id": 1, "a": [{"b": 1, "c": 2}, {"c": 3}, 5, null, "s", {"b": {"d": 1}}]}`)
	x.project(`{"_id": 1, "a": [1, 2]}`, `{"a.b": 1}`, `{"_id": 1, "a": []}`)
	x.project(`{"_id": 1, "a": [{"b": [{"c": 1, "d": 1}, 2]}]}`, `{"a.b.c": 1}`, `{"_id": 1, "a": [{"b": [{"c": 1}]}]}`)
	x.project(`{"_id": 1, "a": [{"0": 1, "b": 2}]}`, `{"a.0": 1}`, `{"_id": 1, "a": [{"0": 1}]}`) // a name, no position
}

func chosenElements(x *trial) {
	find := func(filter, projection, after string) {
		x.Helper()
		x.gives(`{"find": "c", "filter": `+filter+`, "projection": `+projection+`}`, after)
	}
	x.insert(`{"_id": 1, "a": [1, 2, 3, 4], "b": [{"c": 1, "d": 1}, {"c": 2, "d": 2}, {"c": 2, "d": 3}], "s": "x"}`)
	find(`{}`, `{"a": {"$slice": 2}, "_id": 1, "s": 1}`, `{"_id": 1, "a": [1, 2], "s": "x"}`)
	find(`{}`, `{"a": {"$slice": -1}, "b": 0}`, `{"_id": 1, "a": [4], "s": "x"}`)
	find(`{}`, `{"a": {"$slice": [1, 2]}, "b": 0}`, `{"_id": 1, "a": [2, 3], "s": "x"}`)
	find(`{}`, `{"a": {"$slice": [-3, 2]}, "b": 0}`, `{"_id": 1, "a": [2, 3], "s": "x"}`)
	find(`{}`, `{"s": {"$slice": 1}, "a": 0, "b": 0}`, `{"_id": 1, "s": "x"}`)
	find(`{}`, `{"b": {"$elemMatch": {"c": 2}}}`, `{"_id": 1, "b": [{"c": 2, "d": 2}]}`)
	find(`{}`, `{"b": {"$elemMatch": {"c": 7}}}`, `{"_id": 1}`)
	find(`{}`, `{"a": {"$elemMatch": {"$gt": 2}}, "s": 1}`, `{"_id": 1, "s": "x", "a": [3]}`) // behind the others, since 4.4
	find(`{"a": {"$gt": 2}}`, `{"a.$": 1}`, `{"_id": 1, "a": [3]}`)
	find(`{"b.c": 2}`, `{"b.$": 1, "_id": 0}`, `{"b": [{"c": 2, "d": 2}]}`)
	find(`{"b": {"$elemMatch": {"c": 2, "d": 3}}}`, `{"b.$": 1}`, `{"_id": 1, "b": [{"c": 2, "d": 3}]}`)
}

func computedFields(x *trial) {
	doc := `{"_id": 1, "a": 2, "b": {"c": 3}, "l": [1, 2, 3]}`
	x.project(doc, `{"n": {"$size": "$l"}, "a": 1}`, `{"_id": 1, "a": 2, "n": 3}`)
	x.project(doc, `{"x": "$b.c", "y": "$zz", "z": "$a"}`, `{"_id": 1, "x": 3, "z": 2}`)
	x.project(doc, `{"x": "text", "y": {"$literal": 1}}`, `{"_id": 1, "x": "text", "y": 1}`)
	x.project(doc, `{"a": {"$add": ["$a", 1]}, "_id": 0}`, `{"a": 3}`)
	x.project(doc, `{"b.d": {"$add": ["$b.c", 1]}}`, `{"_id": 1, "b": {"d": 4}}`)
	x.project(doc, `{"x": ["$a", "$zz"]}`, `{"_id": 1, "x": [2, null]}`)
	x.project(doc, `{"a": {"$cond": [true, "$$REMOVE", 1]}, "l": 1}`, `{"_id": 1, "l": [1, 2, 3]}`)
	x.project(doc, `{"_id": "$a"}`, `{"_id": 2}`)
}

func badProjections(x *trial) {
	x.insert(`{"_id": 1, "a": [1]}`)
	x.refuses(31254, `{"find": "c", "projection": {"a": 1, "b": 0}}`)
	x.refuses(31253, `{"find": "c", "projection": {"a": 0, "b": 1}}`)
	x.refuses(someCode, `{"find": "c", "projection": {"a": 1, "a.b": 1}}`, `{"find": "c", "projection": {"a.b": 1, "a": 1}}`,
		`{"find": "c", "projection": {"a.$": 1, "b.$": 1}}`, `{"find": "c", "projection": {"a": {"$nonsense": 1}}}`, `{"find": "c", "projection": {"": 1}}`,
		`{"find": "c", "projection": {"a..b": 1}}`, `{"find": "c", "filter": {"b": 1}, "projection": {"a.$": 0}}`,
		`{"aggregate": "c", "pipeline": [{"$project": {}}], "cursor": {}}`)
	x.refuses(51246, `{"find": "c", "filter": {"_id": 1}, "projection": {"a.$": 1}}`)
}
