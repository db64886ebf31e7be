//go:build unix

package integration_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/store"
)

// TestMongoFollow: whatever pymongo does to accounts is followed at once, and
// predictions have the accounts' _ids, in type and value. It runs with each
// interpreter that BOTWATCH_TEST_PYTHON names.
func TestMongoFollow(t *testing.T) {
	interpreters := filepath.SplitList(os.Getenv("BOTWATCH_TEST_PYTHON"))
	if len(interpreters) == 0 {
		t.Skip("BOTWATCH_TEST_PYTHON names no interpreter with pymongo")
	}
	example := reference(t, "example_data.json")
	for _, python := range interpreters {
		t.Run(python, func(t *testing.T) { followPymongo(t, python, example) })
	}
}

func followPymongo(t *testing.T, python, example string) {
	p := anyMongo(t)
	t.Parallel()
	d := p.start(t) // before there is any collection
	d.awaitLead(t)
	s := p.open(t)
	p.look = s
	p.drained(t, s)
	do := func(stage string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, python, filepath.Join("testdata", "follow.py"), p.uri, example, stage).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "done") {
			t.Fatalf("%s: %v\n%s", stage, err, out)
		}
		p.drained(t, s)
	}
	id := func(v any) store.ID {
		t.Helper()
		kind, value, err := bson.MarshalValue(v)
		check(t, err)
		id, err := store.BSONID(byte(kind), value)
		check(t, err)
		return id
	}
	object, err := bson.ObjectIDFromHex("65a000000000000000000001")
	check(t, err)
	uuid := bson.Binary{Subtype: 4, Data: append(make([]byte, 15), 7)}
	document := bson.D{{Key: "platform", Value: "twitter"}, {Key: "n", Value: int64(9)}}
	nested := bson.D{{Key: "n", Value: 9.0}, {Key: "of", Value: bson.A{int32(1), int64(2), 3.0}}}
	large := int64(1)<<53 + 1

	const deleted, insufficient, faulty = -1, 0, -2
	wants := func(stage string, want map[any]int) {
		t.Helper()
		do(stage)
		for v, class := range want {
			if e, ok := v.(*bson.D); ok {
				v = *e
			}
			if e, ok := v.(*bson.Binary); ok {
				v = *e
			}
			got, found := prediction(t, s, id(v))
			ok := found && got.Class == class && got.Status == store.StatusClassified && got.Error == nil
			switch class {
			case deleted:
				ok = got.Status == store.StatusDeleted
			case insufficient:
				ok = got.Status == store.StatusInsufficient
			case faulty:
				ok = got.Error != nil && got.Stale
			}
			if !ok {
				t.Errorf("%s: account %v (%T) has status %q, class %d, error %v; want %d", stage, v, v, got.Status, got.Class, got.Error, class)
			}
		}
	}
	wants("insert", map[any]int{
		object: exampleClasses[0], "a text": exampleClasses[1], int64(5): exampleClasses[2], &uuid: exampleClasses[3], &document: exampleClasses[4],
		int32(6): 2, 8.0: 2, 2.5: 2, large: 2, &nested: 2,
	})
	if n := p.verify(t); n != (census{good: 10}) {
		t.Errorf("after inserts: %+v", n)
	}
	wants("change", map[any]int{
		object: insufficient, &uuid: 3, "a text": deleted, int64(5): 3, int32(6): insufficient, 8.0: 3, 2.5: deleted, "new": 3, &nested: faulty, &document: exampleClasses[4],
	})
	if n := p.verify(t); n != (census{good: 8, poison: 1, tombstones: 2}) {
		t.Errorf("after changes: %+v", n)
	}
	wants("again", map[any]int{"a text": 2, large: deleted, object: 3, 8.0: 3, &nested: 2, 2.5: deleted})
	if n := p.verify(t); n != (census{good: 9, tombstones: 2}) {
		t.Errorf("after deletes and inserts: %+v", n)
	}
	d.stop(t, syscall.SIGTERM)
}
