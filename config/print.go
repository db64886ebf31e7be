package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// redacted gives the Config without secrets.
func (c *Config) redacted() Config {
	r := *c
	r.Store = RedactStore(r.Store)
	if r.StorePassword != "" {
		r.StorePassword = hidden
	}
	r.MongoDB.PredictionsStore = RedactStore(r.MongoDB.PredictionsStore)
	return r
}

// WriteYAML writes a file that gives the same configuration, secrets hidden,
// each field with its description and, beside it, where its value comes from if
// it is not the default.
func (l *Loaded) WriteYAML(w io.Writer) error {
	c := l.redacted()
	doc, err := l.section(reflect.ValueOf(&c).Elem(), "")
	if err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return enc.Close()
}

func (l *Loaded) section(v reflect.Value, prefix string) (*yaml.Node, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: sf.Tag.Get("yaml"), HeadComment: sf.Tag.Get("doc")}
		path := prefix + key.Value
		if sf.Type.Kind() == reflect.Struct {
			below, err := l.section(v.Field(i), path+".")
			if err != nil {
				return nil, err
			}
			mapping.Content = append(mapping.Content, key, below)
			continue
		}
		value := new(yaml.Node)
		if err := value.Encode(v.Field(i).Interface()); err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
		if origin := l.Origin(path); origin != "" {
			value.LineComment = "from " + origin
		}
		mapping.Content = append(mapping.Content, key, value)
	}
	return mapping, nil
}

// WriteJSON writes the same as WriteYAML, without descriptions, as JSON.
func (l *Loaded) WriteJSON(w io.Writer) error {
	c := l.redacted()
	out := make(map[string]any)
	for _, f := range leaves(reflect.ValueOf(&c).Elem(), "") {
		at := out
		parts := strings.Split(f.Path, ".")
		for _, part := range parts[:len(parts)-1] {
			below, ok := at[part].(map[string]any)
			if !ok {
				below = make(map[string]any)
				at[part] = below
			}
			at = below
		}
		at[parts[len(parts)-1]] = f.value.Interface()
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

var _ encoding.TextMarshaler = Duration(0)
var _ encoding.TextMarshaler = Size(0)
