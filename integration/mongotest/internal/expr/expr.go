// Package expr has aggregation expressions: they are compiled once and
// evaluated for each document.
package expr

import (
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/collation"
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

// Expr is a compiled expression. It may be used concurrently.
type Expr struct{}

// Compile compiles an expression. Operators that no server knows are 168
// (InvalidPipelineOperator).
func Compile(v value.Value, env *Env) (*Expr, error) { return nil, errors.New("not yet") }

// Eval gives the expression's value for a document; the missing value where
// there is none.
func (e *Expr) Eval(root value.Doc) (value.Value, error) { return value.Value{}, nil }

// EvalIn is Eval with values for the variables of Env.Let: those in vars come
// first.
func (e *Expr) EvalIn(root value.Doc, vars map[string]value.Value) (value.Value, error) {
	return value.Value{}, nil
}

// Constant gives the expression's value, where it depends on no document and no
// variable.
func (e *Expr) Constant() (v value.Value, ok bool) { return value.Value{}, false }

// Add adds two numbers as $add does: the wider type of the two, int to long to
// double where the sum does not fit. Decimals stay decimals.
func Add(a, b value.Value) value.Value { return a }

// Multiply multiplies two numbers as $multiply does; types are as in Add.
func Multiply(a, b value.Value) value.Value { return a }

// Sum adds up values as $sum and $avg do: what is no number does not count. The
// zero Sum is the sum of nothing.
type Sum struct{}

// Add takes a value.
func (s *Sum) Add(v value.Value) {}

// Value gives the sum; 0 (int) of nothing.
func (s *Sum) Value() value.Value { return value.Int32(0) }

// Average gives the mean of what was added; null of nothing.
func (s *Sum) Average() value.Value { return value.Null() }
