package classifier

import (
	"errors"
	"fmt"
	"math"
)

// Bounds of a valid Spec.
const (
	maxTrees  = 1 << 12 // in a forest
	maxNodes  = 1 << 20 // in a tree, and in a forest
	maxFaults = 20      // that Validate lists
)

// Validate checks the structure that NewModel relies on, and gives the first
// 20 faults joined, each with the path of its field; of a tree only the first.
// The digest is not looked at.
func (s *Spec) Validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		if len(errs) < maxFaults {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if s.Format != SpecFormat {
		fault("format: is %q; want %q", s.Format, SpecFormat)
	}
	if s.Name == "" {
		fault("name: is empty")
	}
	if len(s.Inputs) == 0 || len(s.Inputs) > maxInputs {
		fault("inputs: %d of them; want 1 to %d", len(s.Inputs), maxInputs)
	}
	for i, in := range s.Inputs {
		if _, ok := ParseAttribute(in.Attribute); !ok {
			fault("inputs[%d].attribute: unknown %q", i, in.Attribute)
		}
		if !finite(in.Min) || !finite(in.Max) || in.Min > in.Max {
			fault("inputs[%d]: range %v to %v; want finite numbers, min ≤ max", i, in.Min, in.Max)
		}
	}
	if len(s.Classes) != NumClasses {
		fault("classes: %d of them; want %d", len(s.Classes), NumClasses)
	}
	slugs := make(map[string]int)
	for i, c := range s.Classes {
		if !isSlug(c.Slug) {
			fault("classes[%d].slug: %q; want letters a to z and underscores", i, c.Slug)
		}
		if j, ok := slugs[c.Slug]; ok {
			fault("classes[%d].slug: %q is that of classes[%d] too", i, c.Slug, j)
		}
		slugs[c.Slug] = i
		if len(c.Forest) == 0 || len(c.Forest) > maxTrees {
			fault("classes[%d].forest: %d trees; want 1 to %d", i, len(c.Forest), maxTrees)
			continue
		}
		nodes := 0
		for j := range c.Forest {
			if err := c.Forest[j].validate(len(s.Inputs)); err != nil {
				fault("classes[%d].forest[%d].%w", i, j, err)
			}
			nodes += len(c.Forest[j].Feature)
		}
		if nodes > maxNodes {
			fault("classes[%d].forest: %d nodes; want at most %d", i, nodes, maxNodes)
		}
	}
	return errors.Join(errs...)
}

// validate finds a tree's first fault. A tree in which every child lies after
// its parent, and every node but the root has one parent, is one.
func (t *TreeSpec) validate(inputs int) error {
	n := len(t.Feature)
	if n == 0 || n > maxNodes {
		return fmt.Errorf("feature: %d nodes; want 1 to %d", n, maxNodes)
	}
	if len(t.Threshold) != n || len(t.Left) != n || len(t.Right) != n || len(t.Share) != n {
		return fmt.Errorf("threshold, left, right and share: %d, %d, %d and %d long; want %d, as feature is",
			len(t.Threshold), len(t.Left), len(t.Right), len(t.Share), n)
	}
	parents := make([]bool, n)
	for i := range n {
		if s := t.Share[i]; !(s >= 0 && s <= 1) {
			return fmt.Errorf("share[%d]: is %v; want 0 to 1", i, s)
		}
		if t.Feature[i] == -1 {
			if t.Left[i] != -1 || t.Right[i] != -1 {
				return fmt.Errorf("left, right[%d]: a leaf's are %d and %d; want -1", i, t.Left[i], t.Right[i])
			}
			if t.Threshold[i] != 0 {
				return fmt.Errorf("threshold[%d]: a leaf's is %v; want 0", i, t.Threshold[i])
			}
			continue
		}
		if t.Feature[i] < 0 || t.Feature[i] >= inputs {
			return fmt.Errorf("feature[%d]: is %d; want an input, 0 to %d, or -1 on a leaf", i, t.Feature[i], inputs-1)
		}
		if !finite(t.Threshold[i]) {
			return fmt.Errorf("threshold[%d]: is %v; want a finite number", i, t.Threshold[i])
		}
		for _, child := range [2]int{t.Left[i], t.Right[i]} {
			if child <= i || child >= n {
				return fmt.Errorf("left, right[%d]: child %d; want %d to %d", i, child, i+1, n-1)
			}
			if parents[child] {
				return fmt.Errorf("left, right[%d]: child %d has another parent too", i, child)
			}
			parents[child] = true
		}
	}
	for i := 1; i < n; i++ {
		if !parents[i] {
			return fmt.Errorf("left, right: node %d has no parent", i)
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

func isSlug(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != ""
}
