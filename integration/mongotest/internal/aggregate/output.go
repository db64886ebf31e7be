package aggregate

import (
	"slices"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// Output is what $out or $merge say: where the documents go.
type Output struct {
	DB         string // empty for the pipeline's own
	Collection string
	Merge      *Merge // nil for $out
}

// Merge is how $merge writes a document: the one that is there already, if any,
// is found by Filter; then Apply, or what NotMatched says.
type Merge struct {
	On         []string // _id unless given; else a unique index must have just these fields
	Matched    string   // merge, replace, keepExisting, fail or pipeline
	NotMatched string   // insert, discard or fail

	env      *Env
	pipeline value.Value
	let      []variable
}

func compileOutput(name string, v value.Value, env *Env) (*Output, error) {
	if name == "$out" {
		if _, ok := value.Text(v); !ok && !value.IsDocument(v) {
			return nil, fault.New(16990, "$out only supports a string or object argument, but found %s", value.TypeName(v.Type))
		}
		return namespace(name, v, 16994)
	}
	if _, ok := value.Text(v); ok {
		v = value.Document(value.D("into", v))
	}
	if !value.IsDocument(v) {
		return nil, fault.New(51182, "$merge only supports a string or object argument, but found %s", value.TypeName(v.Type))
	}
	m := &Merge{On: []string{"_id"}, Matched: "merge", NotMatched: "insert", env: env}
	var out *Output
	for field, e := range value.Elements(value.Doc(v.Value)) {
		var err error
		switch field {
		case "into":
			out, err = namespace(name, e, 51178)
		case "on":
			err = m.setOn(e)
		case "whenMatched":
			err = m.setMatched(e)
		case "whenNotMatched":
			text, _ := value.Text(e)
			if !slices.Contains([]string{"insert", "discard", "fail"}, text) {
				err = fault.New(fault.BadValue, "enumeration value '%s' for field 'whenNotMatched' of $merge is not a valid value", text)
			}
			m.NotMatched = text
		case "let":
			if !value.IsDocument(e) {
				return nil, fault.New(fault.TypeMismatch, "the field 'let' of $merge must be an object, not %s", value.TypeName(e.Type))
			}
			m.let, err = compileLet(value.Doc(e.Value), env.Env)
		default:
			err = fault.New(40415, "the field '%s' of $merge is unknown", field)
		}
		if err != nil {
			return nil, err
		}
	}
	if out == nil {
		return nil, fault.New(40414, "the field 'into' of $merge is missing but required")
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	out.Merge = m
	return out, nil
}

// namespace reads "collection" or {db: …, coll: …}.
func namespace(stage string, v value.Value, code fault.Code) (*Output, error) {
	out := &Output{}
	if text, ok := value.Text(v); ok {
		out.Collection = text
	} else if value.IsDocument(v) {
		for field, e := range value.Elements(value.Doc(v.Value)) {
			text, ok := value.Text(e)
			switch {
			case field == "timeseries":
				return nil, fault.NotOffered("time series collections")
			case field != "db" && field != "coll":
				return nil, fault.New(40415, "the field '%s' of %s is unknown", field, stage)
			case !ok:
				return nil, fault.New(fault.TypeMismatch, "the field '%s' of %s must be a string, not %s", field, stage, value.TypeName(e.Type))
			case field == "db":
				out.DB = text
			default:
				out.Collection = text
			}
		}
		if stage == "$out" && out.DB == "" {
			return nil, fault.New(code, "if an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'")
		}
	} else {
		return nil, fault.New(code, "the target of %s must be a string or an object, not %s", stage, value.TypeName(v.Type))
	}
	if out.Collection == "" {
		return nil, fault.New(code, "%s has no target collection", stage)
	}
	return out, nil
}

func (m *Merge) setOn(v value.Value) error {
	items := []value.Value{v}
	if value.IsArray(v) {
		items = value.Items(v)
	}
	m.On = nil
	for _, item := range items {
		text, ok := value.Text(item)
		if !ok {
			return fault.New(51186, "the field 'on' of $merge must be either a string or an array of strings, but found %s", value.TypeName(item.Type))
		}
		if _, err := fieldPath(text); err != nil {
			return err
		}
		if slices.Contains(m.On, text) {
			return fault.New(31465, "found a duplicate field '%s' in the 'on' of $merge", text)
		}
		m.On = append(m.On, text)
	}
	if len(m.On) == 0 {
		return fault.New(51187, "if explicitly specifying $merge 'on', must include at least one field")
	}
	return nil
}

func (m *Merge) setMatched(v value.Value) error {
	if value.IsArray(v) {
		m.Matched, m.pipeline = "pipeline", v
		return nil
	}
	text, ok := value.Text(v)
	if !ok {
		return fault.New(51191, "the field 'whenMatched' of $merge must be either a string or an array, but found %s", value.TypeName(v.Type))
	}
	if !slices.Contains([]string{"merge", "replace", "keepExisting", "fail"}, text) {
		return fault.New(fault.BadValue, "enumeration value '%s' for field 'whenMatched' of $merge is not a valid value", text)
	}
	m.Matched = text
	return nil
}

func (m *Merge) check() error {
	if (m.Matched == "keepExisting" || m.Matched == "fail") && m.NotMatched != "insert" {
		return fault.New(51181, "the combination of $merge modes 'whenMatched: %s' and 'whenNotMatched: %s' is not supported", m.Matched, m.NotMatched)
	}
	if m.Matched != "pipeline" {
		if m.let != nil {
			return fault.New(51199, "cannot use 'let' variables with 'whenMatched: %s' mode of $merge", m.Matched)
		}
		return nil
	}
	env, values := withLet(m.env, m.let)
	values["new"] = value.Value{}
	_, err := update.Compile(m.pipeline, nil, env.Env)
	return err
}

// compile compiles the update pipeline, for which $$new is the document to be
// written unless let has another.
func (m *Merge) compile(doc value.Doc) (*update.Update, error) {
	env, values := withLet(m.env, m.let)
	values["new"] = value.Document(doc)
	if err := bind(values, m.let, doc); err != nil {
		return nil, err
	}
	return update.Compile(m.pipeline, nil, env.Env)
}

// Filter gives the query for the document that is there already. Fields of On
// that are missing, null or arrays are an error (51132), but _id on its own may
// be missing: then the answer is nil, and the document a new one.
func (m *Merge) Filter(doc value.Doc) (value.Doc, error) {
	b := value.NewBuilder(nil)
	for _, name := range m.On {
		path, err := fieldPath(name)
		if err != nil {
			return nil, err
		}
		v := at(value.Document(doc), path)
		if value.Missing(v) && name == "_id" && len(m.On) == 1 {
			return nil, nil
		}
		if value.Nullish(v) || value.IsArray(v) {
			return nil, fault.New(51132, "$merge write error: 'on' field '%s' cannot be missing, null, undefined or an array", name)
		}
		b.Append(name, value.Document(value.D("$eq", v)))
	}
	return b.Doc(), nil
}

// Apply gives what becomes of the document that is there already. For fail the
// error is a duplicate key (11000).
func (m *Merge) Apply(existing, doc value.Doc) (update.Result, error) {
	var u *update.Update
	var err error
	switch m.Matched {
	case "keepExisting":
		return update.Result{Doc: existing}, nil
	case "fail":
		e := fault.New(fault.DuplicateKey, "$merge could not insert a document: one is there already, and whenMatched is 'fail'")
		pattern, keys := value.NewBuilder(nil), value.NewBuilder(nil)
		for _, name := range m.On {
			path, err := fieldPath(name)
			if err != nil {
				return update.Result{}, err
			}
			pattern.Append(name, value.Int32(1))
			keys.Append(name, at(value.Document(existing), path))
		}
		e.Extra = value.D("keyPattern", pattern.Doc(), "keyValue", keys.Doc())
		return update.Result{}, e
	case "replace":
		u, err = update.Compile(value.Document(doc), nil, m.env.Env)
	case "pipeline":
		u, err = m.compile(doc)
	default:
		merged := value.Array(value.Document(value.D("$replaceWith", value.D("$mergeObjects", []value.Value{value.String("$$ROOT"), value.String("$$new")}))))
		env, values := withLet(m.env, nil)
		values["new"] = value.Document(doc)
		u, err = update.Compile(merged, nil, env.Env)
	}
	if err != nil {
		return update.Result{}, err
	}
	return u.Apply(existing, -1, false)
}
