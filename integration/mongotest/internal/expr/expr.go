// Package expr has aggregation expressions: they are compiled once and
// evaluated for each document.
package expr

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// Env is what one operation fixes for its expressions. A nil one has nothing.
type Env struct {
	Now         time.Time      // $$NOW
	ClusterTime bson.Timestamp // $$CLUSTER_TIME; zero where there is none

	// Let has the operation's variables, without $$. Compile refuses names that
	// it lacks; values are read at each evaluation, so that who owns the map may
	// change them between two.
	Let map[string]value.Value

	Collation *collation.Collation
}

// Expr is a compiled expression. It may be used concurrently, as long as Env.Let
// stays as it is.
type Expr struct {
	root  node
	env   *Env
	slots int
}

// node is a part of an expression.
type node interface {
	eval(s *scope) (value.Value, error)
}

// scope is what one evaluation has.
type scope struct {
	root  value.Doc
	env   *Env
	vars  map[string]value.Value
	slots []value.Value // variables that the expression itself binds
}

// Compile compiles an expression. Operators that no server knows are 168
// (InvalidPipelineOperator).
func Compile(v value.Value, env *Env) (*Expr, error) {
	if env == nil {
		env = &Env{}
	}
	c := &compiler{env: env, current: -1}
	root, err := c.compile(v)
	if err != nil {
		return nil, err
	}
	return &Expr{root, env, c.slots}, nil
}

// Eval gives the expression's value for a document; the missing value where
// there is none.
func (e *Expr) Eval(root value.Doc) (value.Value, error) { return e.EvalIn(root, nil) }

// EvalIn is Eval with values for the variables of Env.Let: those in vars come
// first.
func (e *Expr) EvalIn(root value.Doc, vars map[string]value.Value) (value.Value, error) {
	if v, ok := e.Constant(); ok {
		return v, nil
	}
	s := &scope{root: root, env: e.env, vars: vars}
	if e.slots > 0 {
		s.slots = make([]value.Value, e.slots)
	}
	return e.root.eval(s)
}

// Constant gives the expression's value, where it is written out and depends on
// nothing.
func (e *Expr) Constant() (v value.Value, ok bool) {
	c, ok := e.root.(constant)
	return value.Value(c), ok
}

// MaxSize bounds what one expression may build, so that a hostile one does not
// take all memory. It is somewhat more than the largest document.
const MaxSize = 20 << 20

func checkSize(n int) error {
	if n > MaxSize {
		return fault.New(146, "an expression's value takes more than %d bytes", MaxSize)
	}
	return nil
}

type constant value.Value

func (n constant) eval(*scope) (value.Value, error) { return value.Value(n), nil }

// object makes a document; fields whose values are missing stay out.
type object struct {
	names []string
	nodes []node
}

func (n *object) eval(s *scope) (value.Value, error) {
	b := value.NewBuilder(nil)
	for i, part := range n.nodes {
		v, err := part.eval(s)
		if err != nil {
			return v, err
		}
		b.Append(n.names[i], v)
		if err := checkSize(b.Len()); err != nil {
			return value.Value{}, err
		}
	}
	return value.Document(b.Doc()), nil
}

// list makes an array; what is missing is null in it.
type list []node

func (n list) eval(s *scope) (value.Value, error) {
	items, err := evalAll(s, n)
	if err != nil {
		return value.Value{}, err
	}
	return array(items)
}

// array makes an array of values, null where one is missing.
func array(items []value.Value) (value.Value, error) {
	b := value.NewBuilder(nil)
	for i, item := range items {
		if item.Type == 0 {
			item = value.Null()
		}
		b.Append(value.Index(i), item)
		if err := checkSize(b.Len()); err != nil {
			return value.Value{}, err
		}
	}
	return value.Value{Type: bson.TypeArray, Value: b.Doc()}, nil
}

func evalAll(s *scope, nodes []node) ([]value.Value, error) {
	items := make([]value.Value, len(nodes))
	for i, n := range nodes {
		v, err := n.eval(s)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

// call evaluates all arguments, then calls.
type call struct {
	name string
	args []node
	f    function
}

// function is an operator of evaluated arguments.
type function func(s *scope, name string, args []value.Value) (value.Value, error)

func (n *call) eval(s *scope) (value.Value, error) {
	args, err := evalAll(s, n.args)
	if err != nil {
		return value.Value{}, err
	}
	return n.f(s, n.name, args)
}
