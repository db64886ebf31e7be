// Package sklearn reads random forests that scikit-learn trained, from their
// pickles, without Python: those of version 0.19 and those of newer ones.
package sklearn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math"

	"botwatch/classifier"
	"botwatch/classifier/pickle"
)

// The files of a model, as the published one names them.
const (
	attributesFile = "attributes.p"           // list of the inputs' names
	forestsFile    = "cluser_classifiers_6.p" // list of six RandomForestClassifiers
	scalerFile     = "minmaxscaler.p"         // MinMaxScaler with the inputs' ranges
)

// Files names the files that Import reads.
func Files() []string { return []string{attributesFile, forestsFile, scalerFile} }

// maxInputs bounds the inputs of a model as Spec.Validate does.
const maxInputs = 64

// MaxFile bounds each file of a model, in bytes.
const MaxFile = 64 << 20

// Import reads a model from attributes.p, cluser_classifiers_6.p and
// minmaxscaler.p, which are the published model's names. The classes are those
// of the published model, in its order; Name is "imported". The Spec is valid
// and has its digest.
//
// An error names the file and the path within it. No error is of a kind to
// branch on, but for those of fsys and of package pickle.
func Import(fsys fs.FS) (*classifier.Spec, error) {
	spec := &classifier.Spec{Format: classifier.SpecFormat, Name: "imported", Provenance: map[string]string{}}
	read := func(name string, take func(pickle.Value) error) error {
		data, err := readFile(fsys, name)
		if err != nil {
			return fmt.Errorf("import model: %w", err)
		}
		v, err := pickle.Decode(data, pickle.Options{Globals: globals})
		if err == nil {
			err = take(v)
		}
		if err != nil {
			return fmt.Errorf("import model: %s: %w", name, err)
		}
		sum := sha256.Sum256(data)
		spec.Provenance[name] = "sha256:" + hex.EncodeToString(sum[:])
		return nil
	}
	if err := read(attributesFile, func(v pickle.Value) (err error) {
		spec.Inputs, err = readInputs(v)
		return err
	}); err != nil {
		return nil, err
	}
	if err := read(scalerFile, func(v pickle.Value) error { return readRanges(v, spec.Inputs) }); err != nil {
		return nil, err
	}
	if err := read(forestsFile, func(v pickle.Value) (err error) {
		spec.Classes, err = readClasses(v, len(spec.Inputs))
		if version := get(v.Index(0).State(), "_sklearn_version"); version.IsText() {
			spec.Provenance["scikit-learn"] = string(version.Text())
		}
		return err
	}); err != nil {
		return nil, err
	}
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("import model: %w", err)
	}
	spec.Digest = spec.ComputeDigest()
	return spec, nil
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("%s: more than %d bytes", name, MaxFile)
	}
	return data, err
}

func readInputs(v pickle.Value) ([]classifier.InputSpec, error) {
	if v.Kind() != pickle.List && v.Kind() != pickle.Tuple {
		return nil, fmt.Errorf("is %v; want a list of attributes", v.Kind())
	}
	if v.Len() > maxInputs {
		return nil, fmt.Errorf("%d attributes; want at most %d", v.Len(), maxInputs)
	}
	var inputs []classifier.InputSpec
	for i := range v.Len() {
		if !v.Index(i).IsText() {
			return nil, fmt.Errorf("[%d]: is %v; want an attribute's name", i, v.Index(i).Kind())
		}
		inputs = append(inputs, classifier.InputSpec{Attribute: string(v.Index(i).Text())})
	}
	return inputs, nil
}

// readRanges sets the inputs' ranges from a MinMaxScaler.
func readRanges(v pickle.Value, inputs []classifier.InputSpec) error {
	if !isObject(v, tagScaler) {
		return fmt.Errorf("is %v; want a MinMaxScaler", v.Kind())
	}
	for _, name := range [...]string{"data_min_", "data_max_"} {
		list, err := floats(get(v.State(), name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(list) != len(inputs) {
			return fmt.Errorf("%s: %d numbers; want %d, one for each attribute", name, len(list), len(inputs))
		}
		for i, x := range list {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("%s[%d]: is %v; want a finite number", name, i, x)
			}
			if name == "data_min_" {
				inputs[i].Min = x
			} else {
				inputs[i].Max = x
			}
		}
	}
	return nil
}

func readClasses(v pickle.Value, inputs int) ([]classifier.ClassSpec, error) {
	if v.Kind() != pickle.List && v.Kind() != pickle.Tuple || v.Len() != classifier.NumClasses {
		return nil, fmt.Errorf("is %v of %d; want a list of %d forests", v.Kind(), v.Len(), classifier.NumClasses)
	}
	classes := Classes()
	budget := maxNodes
	for i := range classes {
		forest, err := readForest(v.Index(i), inputs, &budget)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		classes[i].Forest = forest
	}
	return classes, nil
}
