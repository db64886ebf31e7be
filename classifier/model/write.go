package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"botwatch/classifier"
)

// Write writes a model as Load reads it: the same bytes for the same model,
// each array on a line, numbers as short as they can be without loss. A model
// without a digest is given its own in the output; one that is invalid or has
// another digest is an error, and nothing is written.
func Write(w io.Writer, spec *classifier.Spec) error {
	s := *spec
	if s.Digest == "" {
		s.Digest = s.ComputeDigest()
	}
	if err := check(&s); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	p := printer{Writer: bufio.NewWriter(w)}
	p.print("{\n  \"format\": ", s.Format, ",\n  \"name\": ", s.Name, ",\n  \"digest\": ", s.Digest, ",\n  \"provenance\": ")
	p.provenance(s.Provenance)
	p.WriteString(",\n  \"inputs\": [")
	for i, in := range s.Inputs {
		p.next(i, "\n    ")
		p.print("{\"attribute\": ", in.Attribute, ", \"min\": ", in.Min, ", \"max\": ", in.Max, "}")
	}
	p.WriteString("\n  ],\n  \"classes\": [")
	for i, c := range s.Classes {
		p.next(i, "\n    ")
		p.print("{\n      \"slug\": ", c.Slug, ",\n      \"description\": ", c.Description, ",\n      \"forest\": [")
		for j := range c.Forest {
			p.next(j, "\n        ")
			p.tree(&c.Forest[j])
		}
		p.WriteString("\n      ]\n    }")
	}
	p.WriteString("\n  ]\n}\n")
	if err := p.Flush(); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	return nil
}

// printer writes JSON; the first error stays with its Writer until Flush.
type printer struct{ *bufio.Writer }

// next separates element i from the one before it.
func (p printer) next(i int, space string) {
	if i > 0 {
		p.WriteByte(',')
	}
	p.WriteString(space)
}

// print writes the parts at odd places as JSON values, the others as they are.
func (p printer) print(parts ...any) {
	for i, part := range parts {
		if i%2 == 0 {
			p.WriteString(part.(string))
		} else {
			p.Write(encode(part))
		}
	}
}

// provenance writes texts by their keys, sorted, one on a line.
func (p printer) provenance(texts map[string]string) {
	var b bytes.Buffer
	if err := json.Indent(&b, encode(texts), "  ", "  "); err != nil {
		panic(err) // encode gave it
	}
	p.Write(b.Bytes())
}

func (p printer) tree(t *classifier.TreeSpec) {
	p.WriteString("{\n          \"feature\": ")
	p.ints(t.Feature)
	p.WriteString(",\n          \"threshold\": ")
	p.floats(t.Threshold)
	p.WriteString(",\n          \"left\": ")
	p.ints(t.Left)
	p.WriteString(",\n          \"right\": ")
	p.ints(t.Right)
	p.WriteString(",\n          \"share\": ")
	p.floats(t.Share)
	p.WriteString("\n        }")
}

func (p printer) ints(list []int) {
	p.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			p.WriteString(", ")
		}
		p.Write(strconv.AppendInt(p.AvailableBuffer(), int64(v), 10))
	}
	p.WriteByte(']')
}

func (p printer) floats(list []float64) {
	p.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			p.WriteString(", ")
		}
		p.Write(strconv.AppendFloat(p.AvailableBuffer(), v, 'g', -1, 64))
	}
	p.WriteByte(']')
}

// encode gives the JSON form of a text, a finite number or a map of texts,
// which cannot fail.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
