package expr

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// compiler compiles one expression.
type compiler struct {
	env     *Env
	locals  []local // what $let and its like bind, innermost last
	slots   int     // how many of them there are in all
	current int     // the slot of $$CURRENT, -1 where it is the document
}

type local struct {
	name string
	slot int
}

func (c *compiler) compile(v value.Value) (node, error) {
	switch v.Type {
	case bson.TypeString:
		text, _ := value.Text(v)
		if strings.HasPrefix(text, "$") {
			return c.path(text)
		}
	case bson.TypeArray:
		return c.list(v)
	case bson.TypeEmbeddedDocument:
		return c.document(value.Doc(v.Value))
	}
	return constant(v), nil
}

func (c *compiler) list(v value.Value) (node, error) {
	var nodes list
	fixed := true
	for _, item := range value.Elements(value.Doc(v.Value)) {
		n, err := c.compile(item)
		if err != nil {
			return nil, err
		}
		_, ok := n.(constant)
		fixed = fixed && ok
		nodes = append(nodes, n)
	}
	if fixed {
		folded, err := nodes.eval(nil)
		return constant(folded), err
	}
	return nodes, nil
}

func (c *compiler) document(doc value.Doc) (node, error) {
	n := &object{}
	fixed := true
	for name, v := range value.Elements(doc) {
		if strings.HasPrefix(name, "$") {
			if len(n.nodes) > 0 {
				return nil, fault.New(16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.")
			}
			if _, _, rest := value.Next(value.Fields(doc)); len(rest) > 0 {
				return nil, fault.New(15983, "An object representing an expression must have exactly one field: %v", doc)
			}
			return c.operator(name, v)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		part, err := c.compile(v)
		if err != nil {
			return nil, err
		}
		_, ok := part.(constant)
		fixed = fixed && ok
		n.names, n.nodes = append(n.names, name), append(n.nodes, part)
	}
	if fixed {
		folded, err := n.eval(nil)
		return constant(folded), err
	}
	return n, nil
}

// checkName says what is wrong with a field's name in an object or a path.
func checkName(name string) error {
	switch {
	case name == "":
		return fault.New(15998, "FieldPath field names may not be empty strings.")
	case name[0] == '$':
		return fault.New(16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.")
	case strings.IndexByte(name, 0) >= 0:
		return fault.New(16411, "FieldPath field names may not contain '\\0'.")
	case strings.Contains(name, "."):
		return fault.New(16412, "FieldPath field names may not contain '.'. Consider using $getField or $setField.")
	}
	return nil
}

// CheckPath says what is wrong with a field path, without its $.
func CheckPath(path string) error {
	switch {
	case path == "":
		return fault.New(40352, "FieldPath cannot be constructed with empty string")
	case strings.HasSuffix(path, "."):
		return fault.New(40353, "FieldPath must not end with a '.'.")
	case strings.Count(path, ".") >= value.MaxDepth:
		return fault.New(fault.Overflow, "FieldPath is too long")
	}
	for name := range strings.SplitSeq(path, ".") {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

// operator compiles {$name: v}.
func (c *compiler) operator(name string, v value.Value) (node, error) {
	if op, ok := operators[name]; ok {
		return op(c, name, v)
	}
	if unoffered[name] {
		return nil, fault.NotOffered("the expression %s", name)
	}
	return nil, fault.New(fault.InvalidPipelineOperator, "Unrecognized expression '%s'", name)
}

// operators are those offered. It is filled at the start, as operators have
// operators in them.
var operators = map[string]func(c *compiler, name string, v value.Value) (node, error){}

// add registers operators that evaluate all arguments, of which they take from
// least to most; most < 0 is any number.
func add(least, most int, functions map[string]function) {
	for name, f := range functions {
		operators[name] = func(c *compiler, name string, v value.Value) (node, error) {
			args, err := c.args(name, v, least, most)
			if err != nil {
				return nil, err
			}
			return &call{name, args, f}, nil
		}
	}
}

// args compiles an operator's arguments: an array of them, or the only one.
func (c *compiler) args(name string, v value.Value, least, most int) ([]node, error) {
	items := []value.Value{v}
	if v.Type == bson.TypeArray {
		items = value.Items(v)
	}
	switch n := len(items); {
	case n >= least && (n <= most || most < 0):
	case least == most:
		return nil, fault.New(16020, "Expression %s takes exactly %d arguments. %d were passed in.", name, least, n)
	case most < 0:
		return nil, fault.New(fault.BadValue, "Expression %s takes at least %d arguments, but %d were passed in.", name, least, n)
	default:
		return nil, fault.New(28667, "Expression %s takes at least %d arguments, and at most %d, but %d were passed in.", name, least, most, n)
	}
	nodes := make([]node, len(items))
	for i, item := range items {
		n, err := c.compile(item)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

// named are the codes of what may be wrong with named arguments.
type named struct {
	object, unknown fault.Code // not an object; a name too many
	names           []string
	missing         []fault.Code // per name; 0 where it may be absent
}

// read gives an operator's named arguments, in the order of their names.
func (p named) read(name string, v value.Value) ([]value.Value, error) {
	if v.Type != bson.TypeEmbeddedDocument {
		return nil, fault.New(p.object, "%s only supports an object as its argument", name)
	}
	values := make([]value.Value, len(p.names))
fields:
	for field, arg := range value.Elements(value.Doc(v.Value)) {
		for i, known := range p.names {
			if field == known {
				values[i] = arg
				continue fields
			}
		}
		return nil, fault.New(p.unknown, "Unrecognized argument to %s: %s", name, field)
	}
	for i, code := range p.missing {
		if code != 0 && values[i].Type == 0 {
			return nil, fault.New(code, "Missing '%s' parameter to %s", p.names[i], name)
		}
	}
	return values, nil
}

// addNamed registers operators of named arguments that are all evaluated.
// Absent ones are the missing value.
func addNamed(p named, functions map[string]function) {
	for name, f := range functions {
		operators[name] = func(c *compiler, name string, v value.Value) (node, error) {
			values, err := p.read(name, v)
			if err != nil {
				return nil, err
			}
			args := make([]node, len(values))
			for i, v := range values {
				if args[i], err = c.compile(v); err != nil {
					return nil, err
				}
			}
			return &call{name, args, f}, nil
		}
	}
}

// unoffered are the expressions that real servers have and this one has not.
var unoffered = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`
		$_internalFieldsLikeId $accumulator $acos $acosh $asin $asinh $atan $atan2 $atanh $bitAnd $bitNot $bitOr
		$bitXor $bottom $bottomN $cos $cosh $covariancePop $covarianceSamp $createObjectId $dateFromParts
		$dateFromString $dateToParts $degreesToRadians $denseRank $deserializeEJSON $derivative $documentNumber
		$encStrContains $encStrEndsWith $encStrNormalizedEq $encStrStartsWith $expMovingAvg $firstN $function $hash
		$hexHash $indexOfBytes $integral $isoDayOfWeek $isoWeek $isoWeekYear $lastN $linearFill $locf $maxN $median $meta
		$minN $minMaxScaler $percentile $radiansToDegrees $rank $regexFind $regexFindAll $sampleRate $serializeEJSON $shift
		$sigmoid $similarityCosine $similarityDotProduct $similarityEuclidean $sin $sinh $stdDevPop $stdDevSamp
		$subtype $tan $tanh $toHashedIndexKey $toUUID $toArray $toObject $top $topN $tsIncrement $tsSecond $week $zip`) {
		names[name] = true
	}
	return names
}()
