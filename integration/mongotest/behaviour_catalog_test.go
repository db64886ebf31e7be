package mongotest_test

import (
	"bytes"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Collections and databases: the manual's "create", "drop", "renameCollection",
// "listCollections", "listDatabases", "collMod", "Capped Collections", "Schema
// Validation", "MongoDB Limits and Thresholds".
var catalogParts = []part{
	{"collections are created and dropped", createDrop},
	{"names that are none", badNames},
	{"collections are renamed", renames},
	{"collections are listed", listedCollections},
	{"databases are listed and dropped", databases},
	{"capped collections", capped},
	{"figures of collections", figures},
}

var validationParts = []part{
	{"validators", validators},
	{"levels and actions of validation", validationLevels},
	{"collMod changes the validator", changedValidators},
}

func createDrop(x *trial) {
	x.run(`{"create": "c"}`)
	x.refuses(48, `{"create": "c", "capped": true, "size": 4096}`)
	x.run(`{"insert": "implicit", "documents": [{"_id": 1}]}`)
	x.refuses(48, `{"create": "implicit", "validator": {"a": 1}}`)
	x.insert(`{"_id": 1}`)
	x.indexes(`{"key": {"a": 1}, "name": "a"}`)
	x.fields(x.run(`{"drop": "c"}`), `{"ok": 1, "nIndexesWas": 2, "ns": "`+x.db.Name()+`.c"}`)
	x.gives(`{"find": "c"}`)
	if x.major >= 700 {
		x.run(`{"drop": "c"}`)
	} else {
		x.refuses(26, `{"drop": "c"}`)
	}
	x.insert(`{"_id": 1}`) // made anew, without the index
	x.same("indexes", x.documents(d(`{"listIndexes": "c"}`)), `{"v": 2, "key": {"_id": 1}, "name": "_id_"}`)
	x.refuses(40415, `{"create": "d", "nonsense": 1}`)
	x.refuses(14, `{"create": "d", "validator": 1}`)
}

func badNames(x *trial) {
	for _, name := range []string{"", ".a", "a$b", "$a"} {
		x.refuses(73, `{"create": "`+name+`"}`, `{"insert": "`+name+`", "documents": [{"_id": 1}]}`)
	}
	x.run(`{"create": "a.b c-d"}`)
	long := strings.Repeat("n", 300)
	x.refuses(73, `{"create": "`+long+`"}`)
	for _, db := range []string{"a b", "a$b", `a"b`, "a/b", strings.Repeat("d", 64)} {
		reply, err := x.client.Database(db).RunCommand(x.ctx, d(`{"create": "c"}`)).Raw()
		x.fails(73, "a database named "+db, reply, err)
	}
}

func renames(x *trial) {
	db := x.db.Name()
	rename := func(from, to, more string) (bson.Raw, error) {
		return x.admin(fmt.Sprintf(`{"renameCollection": "%s.%s", "to": "%s.%s"%s}`, db, from, db, to, more))
	}
	x.insert(`{"_id": 1, "a": 1}`)
	x.indexes(`{"key": {"a": 1}, "name": "a"}`)
	before := x.uuid("c")
	_, err := rename("c", "r", "")
	x.must(err)
	x.gives(`{"find": "c"}`)
	x.gives(`{"find": "r", "hint": "a"}`, `{"_id": 1, "a": 1}`)
	if !bytes.Equal(before, x.uuid("r")) {
		x.Error("a collection's UUID changed with its name")
	}
	reply, err := rename("absent", "z", "")
	x.fails(26, "a source that is not there", reply, err)
	x.run(`{"create": "t"}`)
	reply, err = rename("r", "t", "")
	x.fails(48, "a target that is there", reply, err)
	_, err = rename("r", "t", `, "dropTarget": true`)
	x.must(err)
	x.gives(`{"find": "t"}`, `{"_id": 1, "a": 1}`)
	reply, err = rename("t", "t", "")
	x.fails(20, "the same name", reply, err)
	reply, err = rename("t", "a$b", "")
	x.fails(someCode, "a name that is none", reply, err)
	reply, err = x.db.RunCommand(x.ctx, d(fmt.Sprintf(`{"renameCollection": "%s.t", "to": "%s.u"}`, db, db))).Raw()
	x.fails(13, "not on admin", reply, err)
}

func (x *trial) uuid(coll string) []byte {
	x.Helper()
	docs := x.documents(d(`{"listCollections": 1, "filter": {"name": "` + coll + `"}}`))
	if len(docs) != 1 {
		x.Fatalf("%d collections are named %s", len(docs), coll)
	}
	subtype, data := docs[0].Lookup("info", "uuid").Binary()
	if subtype != 4 || len(data) != 16 {
		x.Errorf("the UUID of %s is %x of the subtype %d", coll, data, subtype)
	}
	return data
}

func listedCollections(x *trial) {
	x.run(`{"create": "a"}`)
	x.run(`{"create": "b", "validator": {"n": {"$gte": 0}}}`)
	x.run(`{"create": "z", "capped": true, "size": 8192, "max": 10}`)
	names := func(filter string, want ...string) {
		x.Helper()
		got := map[string]bool{}
		for _, doc := range x.documents(d(`{"listCollections": 1, "filter": ` + filter + `}`)) {
			got[doc.Lookup("name").StringValue()] = true
		}
		for _, name := range want {
			if !got[name] {
				x.Errorf("%s does not give %s", filter, name)
			}
		}
		if len(got) != len(want) {
			x.Errorf("%s gives %v", filter, got)
		}
	}
	names(`{}`, "a", "b", "z")
	names(`{"name": "a"}`, "a")
	names(`{"name": {"$in": ["a", "z", "q"]}}`, "a", "z")
	names(`{"options.capped": true}`, "z")
	names(`{"type": "collection", "name": {"$ne": "a"}}`, "b", "z")
	docs := x.documents(d(`{"listCollections": 1, "filter": {"name": "z"}}`))
	x.fields(docs[0], `{"type": "collection", "options.capped": true, "options.size": 8192, "options.max": 10, "info.readOnly": false,
		"idIndex": {"v": 2, "key": {"_id": 1}, "name": "_id_"}}`)
	docs = x.documents(d(`{"listCollections": 1, "filter": {"name": "a"}, "nameOnly": true}`))
	x.same("names alone", docs, `{"name": "a", "type": "collection"}`)
	first := x.uuid("a")
	x.run(`{"drop": "a"}`)
	x.run(`{"create": "a"}`)
	if bytes.Equal(first, x.uuid("a")) {
		x.Error("a collection that is made anew has the same UUID")
	}
	x.documents(d(`{"listCollections": 1, "cursor": {"batchSize": 1}}`))
	got, err := x.db.ListCollectionNames(x.ctx, bson.D{})
	x.must(err)
	x.length("ListCollectionNames", make([]bson.Raw, len(got)), 3)
	specs, err := x.db.ListCollectionSpecifications(x.ctx, d(`{"name": "a"}`))
	x.must(err)
	if len(specs) != 1 || specs[0].UUID == nil || specs[0].IDIndex.Name != "_id_" {
		x.Errorf("got %+v", specs)
	}
}

func databases(x *trial) {
	name := x.db.Name()
	listed := func() bool {
		x.Helper()
		names, err := x.client.ListDatabaseNames(x.ctx, bson.D{{Key: "name", Value: name}})
		x.must(err)
		return len(names) == 1
	}
	if listed() {
		x.Error("a database without collections is listed")
	}
	x.insert(`{"_id": 1}`)
	if !listed() {
		x.Error("a database with a document is not listed")
	}
	reply, err := x.admin(`{"listDatabases": 1, "filter": {"name": "` + name + `"}}`)
	x.must(err)
	x.fields(reply, `{"databases.0.name": "`+name+`", "databases.0.empty": false, "databases.1": null}`)
	if size, _ := reply.Lookup("databases", "0", "sizeOnDisk").AsInt64OK(); size <= 0 {
		x.Errorf("sizeOnDisk is %d", size)
	}
	all, err := x.client.ListDatabaseNames(x.ctx, bson.D{})
	x.must(err)
	if len(all) < 2 { // admin and local, or config, beside it
		x.Errorf("the databases are %v", all)
	}
	x.refuses(13, `{"listDatabases": 1}`) // not on admin
	x.fields(x.run(`{"dropDatabase": 1}`), `{"dropped": "`+name+`"}`)
	x.run(`{"dropDatabase": 1}`)
	if listed() {
		x.Error("a database that was dropped is listed")
	}
}

func capped(x *trial) {
	x.run(`{"create": "c", "capped": true, "size": 100000, "max": 3}`)
	for i := range 5 {
		x.insert(fmt.Sprintf(`{"_id": %d, "a": 0}`, 10-i))
	}
	x.idsOf("the newest three, as they came", d(`{"find": "c"}`), 8, 7, 6)
	x.idsOf("the newest first", d(`{"find": "c", "sort": {"$natural": -1}}`), 6, 7, 8)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 7}, "u": {"$set": {"a": 1}}}]}`)
	x.idsOf("an update keeps the place", d(`{"find": "c"}`), 8, 7, 6)
	x.refuses(72, `{"create": "d", "capped": true}`)
	x.run(`{"create": "e", "capped": true, "size": 4096}`)
	for range 20 {
		_, err := x.db.Collection("e").InsertOne(x.ctx, bson.D{{Key: "s", Value: strings.Repeat("x", 1000)}})
		x.must(err)
	}
	n, err := x.db.Collection("e").CountDocuments(x.ctx, bson.D{})
	x.must(err)
	if n < 1 || n > 4 {
		x.Errorf("4096 bytes hold %d documents of 1 KB", n)
	}
}

func figures(x *trial) {
	x.insert(`{"_id": 1, "a": 1}`, `{"_id": 2, "a": 2}`)
	x.indexes(`{"key": {"a": 1}, "name": "a"}`)
	x.fields(x.run(`{"collStats": "c"}`), `{"ns": "`+x.db.Name()+`.c", "count": 2, "size": 42, "avgObjSize": 21, "nindexes": 2, "capped": false}`)
	x.fields(x.run(`{"collStats": "absent"}`), `{"ok": 1}`)
	x.fields(x.run(`{"dbStats": 1}`), `{"db": "`+x.db.Name()+`", "collections": 1, "objects": 2, "indexes": 2, "dataSize": 42}`)
	docs := x.documents(d(`{"aggregate": "c", "pipeline": [{"$collStats": {"count": {}}}], "cursor": {}}`))
	x.length("$collStats", docs, 1)
	x.fields(docs[0], `{"count": 2, "ns": "`+x.db.Name()+`.c"}`)
	n, err := x.db.Collection("c").EstimatedDocumentCount(x.ctx)
	x.must(err)
	if n != 2 {
		x.Errorf("the estimate is %d", n)
	}
}

func validators(x *trial) {
	x.run(`{"create": "c", "validator": {"n": {"$type": "number", "$gte": 0}}}`)
	x.insert(`{"_id": 1, "n": 1}`)
	reply := x.attempt(`{"insert": "c", "documents": [{"_id": 2, "n": -1}]}`)
	x.fields(reply, `{"n": 0, "writeErrors.0.index": 0, "writeErrors.0.code": 121, "writeErrors.0.errInfo.failingDocumentId": 2}`)
	x.refuses(121, `{"insert": "c", "documents": [{"_id": 2}]}`, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"n": "x"}}}]}`, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"a": 1}}]}`,
		`{"update": "c", "updates": [{"q": {"_id": 9}, "u": {"$set": {"a": 1}}, "upsert": true}]}`, `{"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"n": -5}}}`)
	x.has(`{"_id": 1, "n": 1}`)
	x.run(`{"insert": "c", "documents": [{"_id": 2}], "bypassDocumentValidation": true}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"n": -1}}}], "bypassDocumentValidation": true}`)
	x.has(`{"_id": 1, "n": -1}`, `{"_id": 2}`)
	x.run(`{"create": "e", "validator": {"$expr": {"$lt": ["$a", "$b"]}}}`)
	x.run(`{"insert": "e", "documents": [{"a": 1, "b": 2}]}`)
	x.refuses(121, `{"insert": "e", "documents": [{"a": 2, "b": 1}]}`)
	x.refuses(2, `{"create": "f", "validator": {"a": {"$nonsense": 1}}}`)
}

func validationLevels(x *trial) {
	x.insert(`{"_id": 1, "n": -1}`, `{"_id": 2, "n": 1}`)
	x.run(`{"collMod": "c", "validator": {"n": {"$gte": 0}}, "validationLevel": "moderate"}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 1}}}]}`), `{"nModified": 1}`) // it was invalid before
	x.refuses(121, `{"update": "c", "updates": [{"q": {"_id": 2}, "u": {"$set": {"n": -2}}}]}`, `{"insert": "c", "documents": [{"_id": 3, "n": -1}]}`)
	x.run(`{"collMod": "c", "validationLevel": "strict"}`)
	x.refuses(121, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 2}}}]}`)
	x.run(`{"collMod": "c", "validationAction": "warn"}`)
	x.insert(`{"_id": 4, "n": -4}`)
	x.run(`{"collMod": "c", "validationAction": "error", "validationLevel": "off"}`)
	x.insert(`{"_id": 5, "n": -5}`)
	x.run(`{"collMod": "c", "validationLevel": "strict"}`)
	x.refuses(121, `{"insert": "c", "documents": [{"_id": 6, "n": -6}]}`)
	x.refuses(someCode, `{"collMod": "c", "validationLevel": "nonsense"}`, `{"collMod": "c", "validationAction": "nonsense"}`, `{"create": "d", "validationLevel": "nonsense"}`)
}

func changedValidators(x *trial) {
	x.run(`{"create": "c", "validator": {"a": 1}}`)
	x.run(`{"collMod": "c", "validator": {"b": 1}}`)
	x.refuses(121, `{"insert": "c", "documents": [{"_id": 1, "a": 1}]}`)
	x.insert(`{"_id": 1, "b": 1}`)
	docs := x.documents(d(`{"listCollections": 1, "filter": {"name": "c"}}`))
	x.fields(docs[0], `{"options.validator": {"b": 1}}`)
	x.run(`{"collMod": "c", "validator": {}}`)
	x.insert(`{"_id": 2}`)
	x.refuses(26, `{"collMod": "absent", "validator": {}}`)
	x.refuses(40415, `{"collMod": "c", "nonsense": 1}`)
}
