package update

import (
	"bytes"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/project"
	"botwatch/integration/mongotest/internal/value"
)

// stage is a stage that makes one document of each one.
type stage = func(value.Doc) (value.Doc, error)

func compileStages(pipeline value.Value, env *expr.Env) ([]stage, error) {
	var stages []stage
	for _, item := range value.Items(pipeline) {
		if !value.IsDocument(item) {
			return nil, fault.New(fault.TypeMismatch, "each element of the pipeline must be an object")
		}
		names, values := fields(value.Doc(item.Value))
		if len(names) != 1 {
			return nil, fault.New(40323, "a pipeline stage specification object must contain exactly one field")
		}
		s, err := CompileStage(names[0], values[0], env)
		if err != nil {
			return nil, err
		}
		if s == nil {
			if !known[names[0]] {
				return nil, fault.New(40324, "unrecognized pipeline stage name: '%s'", names[0])
			}
			return nil, fault.New(fault.InvalidOptions, "%s is not allowed to be used within an update", names[0])
		}
		stages = append(stages, s)
	}
	return stages, nil
}

// known has the stages that aggregations have and updates have not.
var known = map[string]bool{
	"$bucket": true, "$bucketAuto": true, "$changeStream": true, "$changeStreamSplitLargeEvent": true, "$collStats": true, "$count": true,
	"$currentOp": true, "$densify": true, "$documents": true, "$facet": true, "$fill": true, "$geoNear": true, "$graphLookup": true,
	"$group": true, "$indexStats": true, "$limit": true, "$listLocalSessions": true, "$listSessions": true, "$lookup": true, "$match": true,
	"$merge": true, "$out": true, "$planCacheStats": true, "$redact": true, "$sample": true, "$setWindowFields": true, "$skip": true,
	"$sort": true, "$sortByCount": true, "$unionWith": true, "$unwind": true,
}

// maxIntermediate bounds what one stage hands to the next: pipelines can double
// a document at each stage.
const maxIntermediate = 64 << 20

// CompileStage compiles a stage that makes one document of each one, as updates
// and aggregations have them: $set, $addFields, $unset, $project, $replaceRoot
// and $replaceWith; nil for any other.
func CompileStage(name string, v value.Value, env *expr.Env) (func(value.Doc) (value.Doc, error), error) {
	var p *project.Projection
	var err error
	switch name {
	case "$set", "$addFields":
		if !value.IsDocument(v) {
			return nil, fault.New(40272, "%s specification stage must be an object, got %s", name, value.TypeName(v.Type))
		}
		p, err = project.CompileSet(value.Doc(v.Value), env)
	case "$project":
		if !value.IsDocument(v) {
			return nil, fault.New(15969, "$project specification must be an object")
		}
		p, err = project.CompileStage(value.Doc(v.Value), env)
	case "$unset":
		p, err = project.CompileUnset(v)
	case "$replaceWith", "$replaceRoot":
		return compileReplaceRoot(name, v, env)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bounded(p.Apply), nil
}

func bounded(s stage) stage {
	return func(doc value.Doc) (value.Doc, error) {
		now, err := s(doc)
		if len(now) > maxIntermediate {
			return nil, fault.New(fault.BSONObjectTooLarge, "a stage made a document of %d bytes, more than %d", len(now), maxIntermediate)
		}
		return now, err
	}
}

func compileReplaceRoot(name string, v value.Value, env *expr.Env) (stage, error) {
	if name == "$replaceRoot" {
		if !value.IsDocument(v) {
			return nil, fault.New(40229, "expected an object as specification for $replaceRoot stage, got %s", value.TypeName(v.Type))
		}
		root := value.Get(value.Doc(v.Value), "newRoot")
		if value.Missing(root) {
			return nil, fault.New(40231, "no newRoot specified for the $replaceRoot stage")
		}
		for field := range value.Elements(value.Doc(v.Value)) {
			if field != "newRoot" {
				return nil, fault.New(40230, "unrecognized option to $replaceRoot stage: %s, only valid option is 'newRoot'", field)
			}
		}
		v = root
	}
	e, err := expr.Compile(v, env)
	if err != nil {
		return nil, err
	}
	return bounded(func(doc value.Doc) (value.Doc, error) {
		v, err := e.Eval(doc)
		if err != nil {
			return nil, err
		}
		if !value.IsDocument(v) {
			return nil, fault.New(40228, "'newRoot' expression must evaluate to an object, but resulting value was of type %s", value.TypeName(v.Type))
		}
		return value.Doc(v.Value), nil
	}), nil
}

// transform runs the pipeline. A document that comes to lack its _id gets it
// back.
func (u *Update) transform(doc value.Doc) (Result, error) {
	now := doc
	var err error
	for _, s := range u.stages {
		if now, err = s(now); err != nil {
			return Result{}, err
		}
	}
	if id := value.Get(doc, "_id"); !value.Missing(id) && value.Missing(value.Get(now, "_id")) {
		now = idFirst(now, id)
	}
	if bytes.Equal(doc, now) {
		return Result{Doc: doc}, nil
	}
	result := Result{Doc: now, Changed: true}
	if d := difference(doc, now); d != nil {
		result.Description = d.describe()
	} else {
		result.Replaced = true
	}
	return result, nil
}
