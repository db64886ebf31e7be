package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder reads a YAML file into a Loaded, and collects what is wrong.
type decoder struct {
	l    *Loaded
	name string
	errs []error
}

// decode reads a file's content strictly: every key must be known.
func (l *Loaded) decode(name string, data []byte) []error {
	d := decoder{l: l, name: name}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF): // nothing in it
		return nil
	case err != nil:
		return []error{fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	d.section(doc.Content[0], reflect.ValueOf(&l.Config).Elem(), "")
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		d.errs = append(d.errs, fmt.Errorf("%s: holds more than one document", name))
	}
	return d.errs
}

func (d *decoder) fault(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s:%d: %w", d.name, n.Line, fmt.Errorf(format, args...)))
}

// section reads a mapping into a struct.
func (d *decoder) section(n *yaml.Node, v reflect.Value, prefix string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if isNull(n) { // all of it commented out
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, "%swant keys and values", label(strings.TrimSuffix(prefix, ".")))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := prefix + key.Value
		if line, ok := seen[key.Value]; ok {
			d.fault(key, "%s: stands in line %d already", path, line)
			continue
		}
		seen[key.Value] = key.Line
		field, ok := child(v, key.Value)
		if !ok {
			d.fault(key, "%s: unknown; the nearest is %s", path, nearest(path))
			continue
		}
		if field.Kind() == reflect.Struct {
			d.section(value, field, path+".")
			continue
		}
		d.scalar(value, leaf{Field{Path: path}, field})
	}
}

func (d *decoder) scalar(n *yaml.Node, l leaf) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		d.fault(n, "%s: want a single value", l.Path)
		return
	case isNull(n):
		d.fault(n, `%s: has no value; write "" for none, or leave the line out for the default`, l.Path)
		return
	}
	if err := l.set(n.Value); err != nil {
		d.fault(n, "%s: %w", l.Path, err)
		return
	}
	d.l.origins[l.Path] = d.name
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func label(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// child finds the field of a struct that bears a key.
func child(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// nearest gives the known path that is fewest edits away, the first on a tie.
// The last part alone counts too: a key may stand in the wrong section.
func nearest(path string) string {
	last := func(p string) string { return p[strings.LastIndexByte(p, '.')+1:] }
	best, least := "", len(path)+100
	for _, f := range Fields() {
		d := min(edits(path, f.Path), edits(last(path), last(f.Path))+1)
		if section, _, ok := strings.Cut(f.Path, "."); ok && !strings.Contains(path, ".") {
			if e := edits(path, section); e < d {
				d, f.Path = e, section
			}
		}
		if d < least {
			best, least = f.Path, d
		}
	}
	return best
}

// edits gives the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
