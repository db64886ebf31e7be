package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
)

// FileVariable names the environment's variable for the configuration file.
const FileVariable = Prefix + "CONFIG"

// Sources are the layers above the defaults, lowest first.
type Sources struct {
	File   string              // YAML; "" for the one FileVariable names, if any
	Getenv func(string) string // nil for no environment; an empty variable counts as unset
	Flags  map[string]string   // texts by path
}

// Loaded is a Config and where its values come from.
type Loaded struct {
	Config
	origins map[string]string
}

// Origin says where a field's value comes from: "" for the default, else the
// file's name, the variable's, or "a flag".
func (l *Loaded) Origin(path string) string { return l.origins[path] }

// Load puts the layers together and validates the result. The error joins all
// mistakes, each with its place; the Loaded is there nonetheless.
func Load(s Sources) (*Loaded, error) {
	l := &Loaded{Config: Default(), origins: make(map[string]string)}
	var errs []error
	if s.Getenv == nil {
		s.Getenv = func(string) string { return "" }
	}
	if s.File == "" {
		s.File = s.Getenv(FileVariable)
	}
	if s.File != "" {
		data, err := os.ReadFile(s.File)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the configuration: %w", err))
		} else {
			errs = append(errs, l.decode(s.File, data)...)
		}
	}
	known := leaves(reflect.ValueOf(&l.Config).Elem(), "")
	for _, f := range known {
		text := s.Getenv(f.Variable())
		if text == "" {
			continue
		}
		if err := f.set(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Variable(), err))
			continue
		}
		l.origins[f.Path] = f.Variable()
	}
	for path, text := range s.Flags {
		i := slices.IndexFunc(known, func(f leaf) bool { return f.Path == path })
		if i < 0 {
			panic("config: a flag for no field: " + path)
		}
		if err := known[i].set(text); err != nil {
			errs = append(errs, fmt.Errorf("the flag for %s: %w", path, err))
			continue
		}
		l.origins[path] = "a flag"
	}
	if err := l.Validate(); err != nil {
		errs = append(errs, err)
	}
	return l, errors.Join(errs...)
}
