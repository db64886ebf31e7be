package classifier

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// NumClasses is the number of behaviour classes that a model tells apart.
const NumClasses = 6

// SpecFormat is the name and the number of botwatch's own model format.
const SpecFormat = "botwatch-model/1"

// Spec is a model as it is stored: botwatch's own format is its JSON form.
type Spec struct {
	Format     string            `json:"format"`     // SpecFormat
	Name       string            `json:"name"`       // short, for people
	Digest     string            `json:"digest"`     // "sha256:…" as ComputeDigest gives it
	Provenance map[string]string `json:"provenance"` // where the model comes from, in free words
	Inputs     []InputSpec       `json:"inputs"`     // in the order of the forests' features
	Classes    []ClassSpec       `json:"classes"`    // NumClasses of them; prediction i+1 is Classes[i]
}

// InputSpec is one input of a model: an attribute and its range in training.
type InputSpec struct {
	Attribute string  `json:"attribute"`
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
}

// ClassSpec is one behaviour class and the forest that votes for it.
type ClassSpec struct {
	Slug        string     `json:"slug"`        // such as "automated_dormant"
	Description string     `json:"description"` // what its accounts are like
	Forest      []TreeSpec `json:"forest"`
}

// TreeSpec is one binary decision tree, node 0 its root, as parallel arrays.
// An input, rounded to float32, goes left where it is ≤ the threshold.
type TreeSpec struct {
	Feature   []int     `json:"feature"`   // index into Spec.Inputs; -1 on a leaf
	Threshold []float64 `json:"threshold"` // 0 on a leaf
	Left      []int     `json:"left"`      // node indices greater than the node's own; -1 on a leaf
	Right     []int     `json:"right"`
	Share     []float64 `json:"share"` // share of class 1 among the training samples in the node, 0 to 1
}

// ComputeDigest gives "sha256:" and the SHA-256 of everything that decides a
// result: the inputs with their ranges, the slugs, and the trees. In order, a
// text counts as its length in bytes (8 bytes, little-endian) and its UTF-8
// bytes, a list as its length (8 bytes) and its elements, a float64 as its
// IEEE 754 bits and an integer as two's complement, both in 8 bytes,
// little-endian; the texts "botwatch-model/1" first, then the list of inputs
// (attribute, min, max), then the list of classes (slug, then the list of trees
// (list of features, of thresholds, of left, of right, of shares)).
func (s *Spec) ComputeDigest() string {
	h := sha256.New()
	var word [8]byte
	num := func(v uint64) {
		binary.LittleEndian.PutUint64(word[:], v)
		h.Write(word[:])
	}
	text := func(v string) {
		num(uint64(len(v)))
		h.Write([]byte(v))
	}
	ints := func(v []int) {
		num(uint64(len(v)))
		for _, n := range v {
			num(uint64(int64(n)))
		}
	}
	floats := func(v []float64) {
		num(uint64(len(v)))
		for _, f := range v {
			num(math.Float64bits(f))
		}
	}
	text(SpecFormat)
	num(uint64(len(s.Inputs)))
	for _, in := range s.Inputs {
		text(in.Attribute)
		num(math.Float64bits(in.Min))
		num(math.Float64bits(in.Max))
	}
	num(uint64(len(s.Classes)))
	for _, c := range s.Classes {
		text(c.Slug)
		num(uint64(len(c.Forest)))
		for _, t := range c.Forest {
			ints(t.Feature)
			floats(t.Threshold)
			ints(t.Left)
			ints(t.Right)
			floats(t.Share)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
