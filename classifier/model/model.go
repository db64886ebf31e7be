// Package model holds the default model, and reads and writes models in
// botwatch's own format: the JSON form of classifier.Spec.
package model

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"botwatch/classifier"
)

// default.json is the published model; PROVENANCE.md says where it comes from.
// To make it anew from the published pickles, which are not part of the
// project:
//
//go:generate go test -run TestDefaultIsThePublishedModel -update .
//go:embed default.json
var defaultJSON []byte

var readDefault = sync.OnceValues(func() (*classifier.Spec, error) {
	spec, err := Load(bytes.NewReader(defaultJSON))
	if err != nil {
		return nil, fmt.Errorf("embedded model: %w", err)
	}
	return spec, nil
})

// Default gives the embedded model. All callers get the same Spec and must not
// change it.
func Default() (*classifier.Spec, error) { return readDefault() }

// MaxSize bounds a model that Load reads, in bytes.
const MaxSize = 64 << 20

// The sorts of faults in a model, for errors.Is.
var (
	// ErrDigest is a model whose content is not what its digest says.
	ErrDigest = errors.New("the digest does not fit the model")
	// ErrTooLarge is a model of more than MaxSize bytes.
	ErrTooLarge = fmt.Errorf("the model has more than %d bytes", MaxSize)
)

// Load reads a model: one JSON object, without unknown keys, that is valid and
// has its digest. An error in the content names the field.
func Load(r io.Reader) (*classifier.Spec, error) {
	limited := &io.LimitedReader{R: r, N: MaxSize + 1}
	dec := json.NewDecoder(limited)
	dec.DisallowUnknownFields()
	var spec classifier.Spec
	err := dec.Decode(&spec)
	if err == nil {
		if _, more := dec.Token(); more == nil {
			err = errors.New("something follows the model")
		} else if more != io.EOF {
			err = more
		}
	}
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("read model: %w", ErrTooLarge)
	case err != nil:
		return nil, fmt.Errorf("read model: %w", err)
	}
	if err := check(&spec); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return &spec, nil
}

// Read reads a model from a file, as Load does.
func Read(path string) (*classifier.Spec, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	defer f.Close()
	spec, err := Load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return spec, nil
}

// check makes sure that a model is valid and that its digest is its own.
func check(spec *classifier.Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if got := spec.ComputeDigest(); got != spec.Digest {
		return fmt.Errorf("digest: is %q, but the content gives %q: %w", spec.Digest, got, ErrDigest)
	}
	return nil
}
