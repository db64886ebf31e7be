// Package aggregate has aggregation pipelines: their stages are compiled once
// and then run over a source of documents, which they draw on as they are drawn
// on themselves.
package aggregate

import (
	"slices"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// Iterator gives documents one by one. false says that there is none now: a
// source of changes may have one when it is asked again, and the stages that
// hold nothing back ($match, $project, $set …) pass the next one on.
type Iterator interface {
	Next() (doc value.Doc, ok bool, err error)
}

// Env is what one operation fixes for its stages.
type Env struct {
	*expr.Env // may be nil

	// Collection gives the documents of a collection of the same database; none
	// where there is no such collection. It is called at each reading, so that
	// $lookup with a pipeline calls it once for each document. It may be nil
	// where no stage reads another collection: then those that do are refused.
	Collection func(name string) (Iterator, error)
}

// Pipeline is a compiled pipeline. It may be run more than once; its Env's Let
// must not change meanwhile.
type Pipeline struct {
	stages  []stage
	leading *match.Filter
	output  *Output
	source  func() Iterator // $documents
}

// stage draws on one iterator and is another.
type stage func(source Iterator) Iterator

// maxNesting is how deep pipelines may stand in each other.
const maxNesting = 20

// Compile compiles stages. Those that are the server's ($changeStream,
// $changeStreamSplitLargeEvent, $collStats, $indexStats, $listLocalSessions …)
// are to be stripped before. env may be nil.
func Compile(stages []value.Doc, env *Env) (*Pipeline, error) {
	if env == nil {
		env = &Env{}
	}
	if env.Env == nil {
		env = &Env{Env: &expr.Env{}, Collection: env.Collection}
	}
	return compile(stages, env, 0)
}

func compile(stages []value.Doc, env *Env, nesting int) (*Pipeline, error) {
	if nesting > maxNesting {
		return nil, fault.New(232, "maximum number of nested sub-pipelines exceeded: the limit is %d", maxNesting)
	}
	c := &compiler{Env: env, Pipeline: &Pipeline{}, nesting: nesting}
	for i, doc := range stages {
		name, v, err := stageOf(doc)
		if err != nil {
			return nil, err
		}
		if c.output != nil {
			return nil, fault.New(40601, "%s can only be the final stage in the pipeline", c.outputName)
		}
		if name == "$limit" && c.lastSort != nil {
			n, err := count(name, v)
			if err != nil {
				return nil, err
			}
			c.lastSort.limit = min(c.lastSort.limit, n)
		}
		c.first = i == 0
		s, err := c.compile(name, v)
		if err != nil {
			return nil, err
		}
		if name != "$sort" {
			c.lastSort = nil
		}
		if s != nil {
			c.stages = append(c.stages, s)
		}
	}
	return c.Pipeline, nil
}

// stageOf reads {$name: specification}.
func stageOf(doc value.Doc) (name string, v value.Value, err error) {
	n := 0
	for field, e := range value.Elements(doc) {
		name, v = field, e
		n++
	}
	if n != 1 {
		return "", value.Value{}, fault.New(40323, "a pipeline stage specification object must contain exactly one field")
	}
	return name, v, nil
}

type compiler struct {
	*Env
	*Pipeline
	nesting    int
	first      bool
	lastSort   *sorting // of the stage just before
	outputName string
}

// offered has the stages that compile knows.
var offered = []string{
	"$addFields", "$count", "$documents", "$group", "$limit", "$lookup", "$match", "$merge", "$out", "$project", "$replaceRoot",
	"$replaceWith", "$sample", "$set", "$skip", "$sort", "$sortByCount", "$unset", "$unwind",
}

// notOffered has the stages that servers know and mongotest does not.
var notOffered = []string{
	"$bucket", "$bucketAuto", "$currentOp", "$densify", "$facet", "$fill", "$geoNear", "$graphLookup", "$listSampledQueries",
	"$listSearchIndexes", "$listSessions", "$planCacheStats", "$querySettings", "$queryStats", "$redact", "$search", "$searchMeta",
	"$setWindowFields", "$shardedDataDistribution", "$unionWith", "$vectorSearch",
	// These are the server's, where they are first.
	"$changeStream", "$changeStreamSplitLargeEvent", "$collStats", "$indexStats", "$listLocalSessions",
}

// compile compiles one stage; nil for one that does nothing.
func (c *compiler) compile(name string, v value.Value) (stage, error) {
	transform, err := update.CompileStage(name, v, c.Env.Env)
	if err != nil {
		return nil, err
	}
	if transform != nil {
		return func(source Iterator) Iterator { return &mapping{source, transform} }, nil
	}
	switch name {
	case "$match":
		return c.compileMatch(v)
	case "$sort":
		return c.compileSort(v)
	case "$limit":
		return compileLimit(v)
	case "$skip":
		return compileSkip(v)
	case "$count":
		return compileCount(v)
	case "$sample":
		return compileSample(v)
	case "$group":
		return c.compileGroup(v)
	case "$sortByCount":
		return c.compileSortByCount(v)
	case "$unwind":
		return compileUnwind(v)
	case "$lookup":
		return c.compileLookup(v)
	case "$documents":
		return nil, c.compileDocuments(v)
	case "$out", "$merge":
		if c.nesting > 0 {
			return nil, fault.New(51047, "%s is not allowed within a $lookup's sub-pipeline", name)
		}
		c.outputName = name
		c.output, err = compileOutput(name, v, c.Env)
		return nil, err
	}
	if slices.Contains(notOffered, name) {
		return nil, fault.NotOffered("the stage %s here", name)
	}
	return nil, unrecognized(name)
}

func unrecognized(name string) error {
	return fault.New(40324, "unrecognized pipeline stage name: '%s'", name)
}

// Leading gives the query of the first stage, if that is $match; else nil. What
// does not match it has no part in the result, so that an index may be used.
func (p *Pipeline) Leading() *match.Filter { return p.leading }

// Output gives what the last stage says, if it is $out or $merge; else nil. Run
// then gives the documents to be written.
func (p *Pipeline) Output() *Output { return p.output }

// NeedsSource says that the pipeline reads a collection; false where it begins
// with $documents.
func (p *Pipeline) NeedsSource() bool { return p.source == nil }

// Run gives the pipeline's result over a source, which may be nil where
// NeedsSource says false.
func (p *Pipeline) Run(source Iterator) Iterator {
	if p.source != nil {
		source = p.source()
	}
	for _, s := range p.stages {
		source = s(source)
	}
	return source
}

// Docs gives documents that are already there.
func Docs(docs ...value.Doc) Iterator { return &list{docs} }

type list struct{ docs []value.Doc }

func (l *list) Next() (value.Doc, bool, error) {
	if len(l.docs) == 0 {
		return nil, false, nil
	}
	doc := l.docs[0]
	l.docs = l.docs[1:]
	return doc, true, nil
}

// All draws everything that an iterator has now.
func All(source Iterator) ([]value.Doc, error) {
	var docs []value.Doc
	for {
		doc, ok, err := source.Next()
		if err != nil || !ok {
			return docs, err
		}
		docs = append(docs, doc)
	}
}
