package classifier

import (
	"fmt"
	"math"
)

// Model holds six forests, ready to score. It is safe for concurrent use.
type Model struct {
	name, digest string
	classes      [NumClasses]Class
	inputs       []input
	forests      [NumClasses]forest
}

// Class is one behaviour class of a model.
type Class struct {
	Slug        string
	Description string
}

// input is an attribute as a model takes it, with its range in training.
type input struct {
	attribute Attribute
	min, max  float64
}

// NewModel makes a Model of a valid Spec.
func NewModel(s *Spec) (*Model, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("make model: %w", err)
	}
	m := &Model{name: s.Name, digest: s.ComputeDigest()}
	for _, in := range s.Inputs {
		a, _ := ParseAttribute(in.Attribute)
		m.inputs = append(m.inputs, input{a, in.Min, in.Max})
	}
	for i, c := range s.Classes {
		m.classes[i] = Class{c.Slug, c.Description}
		m.forests[i] = newForest(c.Forest)
	}
	return m, nil
}

// Name gives the model's name.
func (m *Model) Name() string { return m.name }

// Digest gives "sha256:…", as Spec.ComputeDigest does.
func (m *Model) Digest() string { return m.digest }

// Classes gives the classes; prediction i+1 is Classes()[i].
func (m *Model) Classes() *[NumClasses]Class { return &m.classes }

// Slugs gives the slugs of the classes.
func (m *Model) Slugs() *[NumClasses]string {
	var s [NumClasses]string
	for i, c := range m.classes {
		s[i] = c.Slug
	}
	return &s
}

// Inputs lists the attributes that the model takes, in its order.
func (m *Model) Inputs() []Attribute {
	list := make([]Attribute, len(m.inputs))
	for i, in := range m.inputs {
		list[i] = in.attribute
	}
	return list
}

// Score gives the six scores for ready inputs in the model's order; it panics
// where their number is not the model's. The prediction is 1 + the index of
// the largest score, the lowest on a tie.
func (m *Model) Score(inputs []float64) (scores [NumClasses]float64, prediction int) {
	if len(inputs) != len(m.inputs) {
		panic(fmt.Sprintf("classifier: %d inputs for a model of %d", len(inputs), len(m.inputs)))
	}
	var keys keys
	for i, v := range inputs {
		keys[i] = orderedKey(float32(v))
	}
	return m.score(&keys)
}

func (m *Model) score(keys *keys) (scores [NumClasses]float64, prediction int) {
	best := 0
	for i := range m.forests {
		scores[i] = m.forests[i].score(keys)
		if scores[i] > scores[best] {
			best = i
		}
	}
	return scores, best + 1
}

// keys rounds the attributes that the model takes to float32, as ordered keys.
func (m *Model) keys(v *Attributes) (k keys) {
	for i := range m.inputs {
		k[i] = orderedKey(float32(v[m.inputs[i].attribute]))
	}
	return k
}

// outOfRange gives the attributes that lie outside the model's training range.
func (m *Model) outOfRange(v *Attributes) AttributeSet {
	var set AttributeSet
	for i := range m.inputs {
		in := &m.inputs[i]
		if x := v[in.attribute]; x < in.min || x > in.max {
			set |= 1 << in.attribute
		}
	}
	return set
}

// orderedKey maps a float32 to an integer that orders as it does. -0 equals 0.
func orderedKey(x float32) int32 {
	b := int32(math.Float32bits(x + 0))
	if b < 0 {
		return math.MinInt32 - b
	}
	return b
}

// thresholdKey gives the key of the largest float32 ≤ t: a float32 is ≤ t just
// where its key is ≤ that one.
func thresholdKey(t float64) int32 {
	f := float32(t)
	if float64(f) > t {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return orderedKey(f)
}
