// Package aggregate has aggregation pipelines: their stages are compiled once
// and then run over a source of documents, which they draw on as they are drawn
// on themselves.
package aggregate

import (
	"errors"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/value"
)

// Iterator gives documents one by one. false says that there is none now: a
// source of changes may have one when it is asked again, and the stages that
// hold nothing back ($match, $project, $set …) pass the next one on.
type Iterator interface {
	Next() (doc value.Doc, ok bool, err error)
}

// Env is what one operation fixes for its stages. Nothing in it may be nil, but
// Collection where no stage reads another collection.
type Env struct {
	*expr.Env

	// Collection gives the documents of a collection of the same database; none
	// where there is no such collection.
	Collection func(name string) (Iterator, error)
}

// Output is what $out or $merge say.
type Output struct {
	DB         string // empty for the pipeline's own
	Collection string
	Merge      *Merge // nil for $out
}

// Merge is what $merge does with a document: the one that is there, if any, is
// found by the fields On.
type Merge struct {
	On         []string                                            // [_id] unless given
	Matched    string                                              // merge, replace, keepExisting, fail, pipeline
	NotMatched string                                              // insert, discard, fail
	Pipeline   value.Value                                         // for Matched = pipeline: an update pipeline
	Let        func(doc value.Doc) (map[string]value.Value, error) // the variables of Pipeline, with $$new
}

// Pipeline is a compiled pipeline. It may be run more than once, and
// concurrently.
type Pipeline struct{}

// Compile compiles stages. Those that are the server's ($changeStream,
// $collStats …) are to be stripped before.
func Compile(stages []value.Doc, env *Env) (*Pipeline, error) { return nil, errors.New("not yet") }

// Leading gives the query of the first stage, if that is $match; else nil. What
// does not match it has no part in the result, so that an index may be used.
func (p *Pipeline) Leading() value.Doc { return nil }

// Output gives what the last stage says, if it is $out or $merge; else nil. Run
// then gives the documents to be written.
func (p *Pipeline) Output() *Output { return nil }

// NeedsSource says that the pipeline reads a collection; false where it begins
// with $documents.
func (p *Pipeline) NeedsSource() bool { return true }

// Run gives the pipeline's result over a source.
func (p *Pipeline) Run(source Iterator) Iterator { return source }

// CheckStream says what is wrong with the stages after $changeStream: a stage
// that may not stand there.
func CheckStream(stages []value.Doc) error { return nil }

// Docs gives documents that are already there.
func Docs(docs ...value.Doc) Iterator { return nil }
