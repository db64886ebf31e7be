package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/store"
	"botwatch/store/memory"
	"botwatch/store/sqlite"
)

// TestImportIDs: ids of other types become their text in SQLite, and what is no
// id leaves its account out.
func TestImportIDs(t *testing.T) {
	account := fixture(t, "accounts.ndjson")[0]
	ids := []string{`"a"`, `7`, `1.5`, `{"$oid":"507f1f77bcf86cd799439011"}`, `{"b":1,"a":2.0}`, `{"$iod":"507f"}`, `{"a":1,"a":2}`, `[1]`}
	var lines strings.Builder
	for _, id := range ids {
		lines.WriteString(`{"_id":` + id + "," + account[1:] + "\n")
	}
	path := filepath.Join(t.TempDir(), "try.db")
	got := botwatch("import", "--store", "sqlite:"+path, file(t, "ids.ndjson", lines.String()))
	if got.code != exitRows {
		t.Errorf("exit %d; want %d", got.code, exitRows)
	}
	for _, want := range []string{"line 6, ", "$iod is no name of extended JSON", `the name "a" comes twice`, "want any value but an array", "5 accounts put into", "3 left out"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("no %q in:\n%s", want, got.err)
		}
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	feed, err := s.Scan(t.Context(), nil, store.ScanKeys)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	batch, err := feed.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var stored []string
	for _, c := range batch.Changes {
		stored = append(stored, string(c.ID.AppendJSON(nil)))
	}
	if diff := cmp.Diff([]string{`1.5`, `7`, `"507f1f77bcf86cd799439011"`, `"a"`, `"{\"b\":1,\"a\":2}"`}, stored); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

// TestIDFromText: an id that people type is the text, or what has a letter of
// that look.
func TestIDFromText(t *testing.T) {
	oid, digits := `{"$oid":"507f1f77bcf86cd799439011"}`, `{"$oid":"111111111111111111111111"}`
	s := memory.New(memory.Options{})
	defer s.Close()
	var writes []store.Write
	for _, text := range []string{`"a"`, `"7"`, `7`, `8`, `true`, oid, digits, `{"a":1}`} {
		id, err := store.ParseID([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v := store.Version{Epoch: 1, Seq: 1}
		fault := &classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets", Message: "is missing"}
		writes = append(writes, store.Write{
			ID: id, Version: v, Kind: store.Fault, Prediction: store.NewFault(id, nil, fault, store.ModelRef{}),
			Letter: &store.Letter{ID: id, Reason: "missing", Attempts: 1, Version: v},
		})
	}
	if _, err := s.Write(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"a": `"a"`, `"a"`: `"a"`, "7": `"7"`, "8": `8`, "8.0": `8`, "9": `"9"`, "true": `true`, "false": `"false"`, "": `""`,
		"507f1f77bcf86cd799439011": oid, "507F1F77BCF86CD799439011": oid, oid: oid, "111111111111111111111111": digits, "507f1f77bcf86cd799439012": `"507f1f77bcf86cd799439012"`,
		`{"a":1}`: `{"a":1}`, `{"a":2}`: `{"a":2}`, `{"a"`: `"{\"a\""`,
	} {
		id, err := idFromText(t.Context(), s, text)
		if got := string(id.AppendJSON(nil)); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", text, got, err, want)
		}
	}
}
