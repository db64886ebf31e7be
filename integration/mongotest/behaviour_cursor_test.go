package mongotest_test

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Cursors: the manual's "find", "getMore", "killCursors", "aggregate", and
// "MongoDB Limits and Thresholds".
var cursorParts = []part{
	{"batches and their lengths", batches},
	{"a limit closes the cursor", limitCloses},
	{"batches of an aggregate", aggregateBatches},
	{"killed cursors", killedCursors},
	{"what getMore refuses", badGetMores},
	{"documents that change between batches", changesBetween},
	{"a drop ends the cursors of a collection", dropBetween},
	{"a cursor belongs to its session", sessionCursors},
}

var sizeParts = []part{
	{"a document has 16 MiB at most", documentSize},
	{"a batch has 16 MiB at most", batchSize},
}

// numbered inserts documents with the _ids from 0 on.
func (x *trial) numbered(n int) {
	x.Helper()
	docs := make([]any, n)
	for i := range docs {
		docs[i] = bson.D{{Key: "_id", Value: i}, {Key: "a", Value: i % 10}}
	}
	_, err := x.db.Collection("c").InsertMany(x.ctx, docs)
	x.must(err)
}

// session lets the commands that follow run in a session, as those of one cursor
// must.
func (x *trial) session() {
	x.Helper()
	s, err := x.client.StartSession()
	x.must(err)
	x.Cleanup(func() { s.EndSession(x.ctx) })
	x.ctx = mongo.NewSessionContext(x.ctx, s)
}

// batch runs a command that answers with a batch, and gives the cursor's number
// and the documents.
func (x *trial) batch(command string) (int64, []bson.Raw) {
	x.Helper()
	return x.read(x.run(command))
}

func (x *trial) read(reply bson.Raw) (int64, []bson.Raw) {
	x.Helper()
	cursor := reply.Lookup("cursor").Document()
	list, ok := cursor.Lookup("firstBatch").ArrayOK()
	if !ok {
		list = cursor.Lookup("nextBatch").Array()
	}
	values, err := list.Values()
	x.must(err)
	docs := make([]bson.Raw, len(values))
	for i, v := range values {
		docs[i] = v.Document()
	}
	return cursor.Lookup("id").Int64(), docs
}

func (x *trial) more(id int64, rest string) (int64, []bson.Raw) {
	x.Helper()
	return x.batch(getMore(id, "c", rest))
}

func getMore(id int64, coll, rest string) string {
	return fmt.Sprintf(`{"getMore": {"$numberLong": "%d"}, "collection": "%s"%s}`, id, coll, rest)
}

func (x *trial) length(what string, docs []bson.Raw, want int) {
	x.Helper()
	if len(docs) != want {
		x.Errorf("%s has %d documents, want %d", what, len(docs), want)
	}
}

func (x *trial) open(id int64, want bool) {
	x.Helper()
	if (id != 0) != want {
		x.Errorf("the cursor's number is %d; it should be open: %v", id, want)
	}
}

func batches(x *trial) {
	x.numbered(300)
	x.session()
	id, docs := x.batch(`{"find": "c"}`)
	x.length("a first batch", docs, 101)
	x.open(id, true)
	id, docs = x.more(id, "")
	x.length("the rest", docs, 199)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "batchSize": 2, "sort": {"_id": 1}}`)
	x.length("a batch of two", docs, 2)
	for i := range 3 {
		id, docs = x.more(id, `, "batchSize": 3`)
		x.length("a batch of three", docs, 3)
		if n := docs[0].Lookup("_id").Int32(); n != int32(2+3*i) {
			x.Errorf("the batch begins with %d", n)
		}
	}
	id, docs = x.more(id, "")
	x.length("the rest", docs, 289)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "batchSize": 0}`)
	x.length("a batch of none", docs, 0)
	x.open(id, true)
	id, docs = x.more(id, "")
	x.length("all", docs, 300)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "batchSize": 5, "singleBatch": true}`)
	x.length("a single batch", docs, 5)
	x.open(id, false)
	id, docs = x.batch(`{"find": "absent"}`)
	x.length("a collection that is not there", docs, 0)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "noCursorTimeout": true, "batchSize": 299}`)
	x.length("a batch", docs, 299)
	_, docs = x.more(id, "")
	x.length("the last", docs, 1)
	x.fields(x.run(`{"find": "c", "batchSize": 1}`), `{"cursor.ns": "`+x.db.Name()+`.c"}`)
}

func limitCloses(x *trial) {
	x.numbered(20)
	x.session()
	id, docs := x.batch(`{"find": "c", "limit": 5}`)
	x.length("a limit", docs, 5)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "limit": 5, "batchSize": 5}`)
	x.length("limit and batch alike", docs, 5)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "limit": 5, "batchSize": 3, "sort": {"a": 1}}`)
	x.length("a batch within the limit", docs, 3)
	x.open(id, true)
	id, docs = x.more(id, `, "batchSize": 3`)
	x.length("the rest of the limit", docs, 2)
	x.open(id, false)
	id, docs = x.batch(`{"find": "c", "limit": 5, "skip": 18}`)
	x.length("skip and limit", docs, 2)
	x.open(id, false)
}

func aggregateBatches(x *trial) {
	x.numbered(250)
	x.session()
	id, docs := x.batch(`{"aggregate": "c", "pipeline": [{"$match": {"_id": {"$gte": 0}}}, {"$set": {"b": 1}}], "cursor": {}}`)
	x.length("a first batch", docs, 101)
	id, docs = x.more(id, `, "batchSize": 100`)
	x.length("the second", docs, 100)
	x.open(id, true)
	id, docs = x.more(id, "")
	x.length("the rest", docs, 49)
	x.open(id, false)
	id, docs = x.batch(`{"aggregate": "c", "pipeline": [], "cursor": {"batchSize": 0}}`)
	x.length("a batch of none", docs, 0)
	x.open(id, true)
	x.run(fmt.Sprintf(`{"killCursors": "c", "cursors": [{"$numberLong": "%d"}]}`, id))
	id, docs = x.batch(`{"aggregate": "c", "pipeline": [{"$group": {"_id": "$a"}}], "cursor": {"batchSize": 4}}`)
	x.length("groups", docs, 4)
	_, docs = x.more(id, "")
	x.length("the other groups", docs, 6)
	x.refuses(9, `{"aggregate": "c", "pipeline": []}`)
}

func killedCursors(x *trial) {
	x.numbered(10)
	x.session()
	id, _ := x.batch(`{"find": "c", "batchSize": 1}`)
	reply := x.run(fmt.Sprintf(`{"killCursors": "c", "cursors": [{"$numberLong": "%d"}, {"$numberLong": "12345"}]}`, id))
	x.fields(reply, fmt.Sprintf(`{"ok": 1, "cursorsKilled": [{"$numberLong": "%d"}], "cursorsNotFound": [{"$numberLong": "12345"}], "cursorsAlive": [], "cursorsUnknown": []}`, id))
	x.refuses(43, getMore(id, "c", ""), getMore(12345, "c", ""))
	id, _ = x.batch(`{"find": "c", "batchSize": 9}`)
	id2, _ := x.more(id, "")
	x.open(id2, false)
	x.refuses(43, getMore(id, "c", "")) // it was read to its end
}

func badGetMores(x *trial) {
	x.numbered(10)
	x.session()
	id, _ := x.batch(`{"find": "c", "batchSize": 1}`)
	x.refuses(13, getMore(id, "other", ""))
	x.refuses(2, getMore(id, "c", `, "maxTimeMS": 100`))
	x.refuses(14, `{"getMore": "x", "collection": "c"}`)
	x.refuses(51024, getMore(id, "c", `, "batchSize": -1`))
	x.refuses(someCode, `{"getMore": {"$numberLong": "1"}}`, `{"getMore": {"$numberLong": "1"}, "collection": ""}`)
	id, docs := x.more(id, "") // none of that closed it
	x.length("the rest", docs, 9)
	x.open(id, false)
}

func changesBetween(x *trial) {
	x.numbered(300)
	x.session()
	for _, sort := range []string{`{}`, `{"_id": 1}`} {
		x.fill(`{"_id": 0}`, `{"_id": 1}`, `{"_id": 2}`, `{"_id": 3}`, `{"_id": 4}`)
		id, docs := x.batch(`{"find": "c", "batchSize": 2, "sort": ` + sort + `}`)
		x.same("the first", docs, `{"_id": 0}`, `{"_id": 1}`)
		x.run(`{"delete": "c", "deletes": [{"q": {"_id": {"$in": [0, 2]}}, "limit": 0}]}`)
		x.run(`{"update": "c", "updates": [{"q": {"_id": 3}, "u": {"$set": {"a": 1}}}]}`)
		x.insert(`{"_id": 5}`)
		_, docs = x.more(id, "")
		x.same("the others, in the order of "+sort, docs, `{"_id": 3, "a": 1}`, `{"_id": 4}`, `{"_id": 5}`)
	}
	x.fill(`{"_id": 1, "a": 1}`, `{"_id": 2, "a": 2}`, `{"_id": 3, "a": 3}`)
	x.indexes(`{"key": {"a": 1}, "name": "a"}`)
	id, _ := x.batch(`{"find": "c", "batchSize": 1, "filter": {"a": {"$lt": 10}}, "hint": "a"}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 2}, "u": {"$set": {"a": 50}}}, {"q": {"_id": 3}, "u": {"$set": {"a": 1.5}}}]}`)
	_, docs := x.more(id, "")
	x.same("what no longer matches is not given", docs, `{"_id": 3, "a": 1.5}`)
}

func dropBetween(x *trial) {
	x.session()
	for _, how := range []string{`{"drop": "c"}`, `{"dropDatabase": 1}`} {
		x.numbered(300)
		id, _ := x.batch(`{"find": "c", "batchSize": 2}`)
		x.run(how)
		x.refuses(175, getMore(id, "c", ""))
		x.refuses(43, getMore(id, "c", ""))
	}
	x.numbered(300)
	x.indexes(`{"key": {"a": 1}, "name": "a"}`)
	id, _ := x.batch(`{"find": "c", "batchSize": 2, "hint": "a"}`)
	x.run(`{"dropIndexes": "c", "index": "a"}`)
	x.refuses(175, getMore(id, "c", ""))
}

func sessionCursors(x *trial) {
	x.numbered(10)
	s, err := x.client.StartSession()
	x.must(err)
	defer s.EndSession(x.ctx)
	other, err := x.client.StartSession()
	x.must(err)
	defer other.EndSession(x.ctx)
	reply, err := x.db.RunCommand(mongo.NewSessionContext(x.ctx, s), d(`{"find": "c", "batchSize": 1}`)).Raw()
	x.must(err)
	id, _ := x.read(reply)
	reply, err = x.db.RunCommand(mongo.NewSessionContext(x.ctx, other), d(getMore(id, "c", ""))).Raw()
	x.fails(someCode, "getMore in another session", reply, err)
	reply, err = x.db.RunCommand(mongo.NewSessionContext(x.ctx, s), d(getMore(id, "c", ""))).Raw()
	x.must(err)
	_, docs := x.read(reply)
	x.length("the rest", docs, 9)
}

func documentSize(x *trial) {
	const most = 16 << 20
	sized := func(id, size int) bson.D {
		doc := bson.D{{Key: "_id", Value: id}, {Key: "s", Value: ""}}
		empty, err := bson.Marshal(doc)
		x.must(err)
		doc[1].Value = strings.Repeat("x", size-len(empty))
		return doc
	}
	c := x.db.Collection("c")
	_, err := c.InsertOne(x.ctx, sized(1, most))
	x.must(err)
	docs := x.documents(d(`{"find": "c"}`))
	if len(docs) != 1 || len(docs[0]) != most {
		x.Fatal("the greatest document does not come back")
	}
	reply, err := x.db.RunCommand(x.ctx, bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{sized(2, most+1)}}}).Raw()
	x.fails(someCode, "one byte more", reply, err)
	x.refuses(someCode, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"t": 1}}}]}`, `{"findAndModify": "c", "query": {"_id": 1}, "update": {"$set": {"t": 1}}}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$rename": {"s": "t"}}}]}`)
	x.fields(x.run(`{"count": "c", "query": {"t": {"$exists": true}}}`), `{"n": 1}`)
	_, err = c.InsertMany(x.ctx, []any{sized(3, 15<<20), sized(4, 15<<20), sized(5, 15<<20), sized(6, 15<<20)}) // more than one message
	x.must(err)
	x.idsOf("a 60 MB result", d(`{"find": "c", "filter": {"_id": {"$gt": 2}}, "sort": {"_id": -1}}`), 6, 5, 4, 3)
}

func batchSize(x *trial) {
	const mega = 1 << 20
	docs := make([]any, 40)
	for i := range docs {
		docs[i] = bson.D{{Key: "_id", Value: i}, {Key: "s", Value: strings.Repeat("x", mega)}}
	}
	_, err := x.db.Collection("c").InsertMany(x.ctx, docs)
	x.must(err)
	x.session()
	id, batch := x.batch(`{"find": "c", "batchSize": 1000}`)
	total := 0
	for {
		size := 0
		for _, doc := range batch {
			size += len(doc)
		}
		if size > 16*mega+16<<10 {
			x.Errorf("a batch has %d bytes", size)
		}
		total += len(batch)
		if id == 0 {
			break
		}
		if len(batch) < 14 {
			x.Errorf("a batch has only %d documents", len(batch))
		}
		id, batch = x.more(id, "")
	}
	if total != len(docs) {
		x.Errorf("got %d documents of %d", total, len(docs))
	}
}
