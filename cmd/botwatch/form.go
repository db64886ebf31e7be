package main

import (
	"path/filepath"
	"strings"

	"botwatch/store"
)

// form is how predictions are written, one after the other. row may be called
// from several goroutines at once.
type form struct {
	open    string // before the first row
	between string // after each row but the last
	close   string // after the last row
	row     func(dst []byte, p *store.Prediction) []byte
}

// The names of the forms.
const (
	formTable  = "table"
	formJSON   = "json"
	formNDJSON = "ndjson"
	formCSV    = "csv"
)

// formFromName gives the form that a file's extension asks for; a table where it
// asks for none.
func formFromName(file string) string {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".json":
		return formJSON
	case ".ndjson", ".jsonl":
		return formNDJSON
	case ".csv":
		return formCSV
	}
	return formTable
}

var jsonForm = form{
	open: "[\n", between: ",\n", close: "\n]\n",
	row: func(dst []byte, p *store.Prediction) []byte { return p.AppendJSON(dst) },
}

var ndjsonForm = form{
	row: func(dst []byte, p *store.Prediction) []byte { return append(p.AppendJSON(dst), '\n') },
}
