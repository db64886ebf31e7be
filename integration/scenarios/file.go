package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// supported is the newest schema version that the runner knows; older ones with
// the same major version are read as well.
var supported = version{1, 23, 0}

// File is one scenario file.
type File struct {
	// Folder and Name say where it came from, as in "crud" and "find.json".
	Folder string `bson:"-"`
	Name   string `bson:"-"`

	Description  string           `bson:"description"`
	Schema       string           `bson:"schemaVersion"`
	Requirements []Requirement    `bson:"runOnRequirements"`
	Entities     []bson.Raw       `bson:"createEntities"`
	InitialData  []CollectionData `bson:"initialData"`
	Tests        []Test           `bson:"tests"`
}

// CollectionData is what a collection holds before a test, or must hold after it.
type CollectionData struct {
	Collection string     `bson:"collectionName"`
	Database   string     `bson:"databaseName"`
	Options    bson.Raw   `bson:"createOptions"`
	Documents  []bson.Raw `bson:"documents"`
}

// Test is one scenario of a file.
type Test struct {
	Description  string            `bson:"description"`
	Requirements []Requirement     `bson:"runOnRequirements"`
	SkipReason   string            `bson:"skipReason"`
	Operations   []Operation       `bson:"operations"`
	Events       []EventsForClient `bson:"expectEvents"`
	Outcome      []CollectionData  `bson:"outcome"`
}

// Operation is one step of a test.
type Operation struct {
	Name         string        `bson:"name"`
	Object       string        `bson:"object"`
	Arguments    bson.Raw      `bson:"arguments"`
	Ignore       bool          `bson:"ignoreResultAndError"`
	ExpectError  bson.Raw      `bson:"expectError"`
	ExpectResult bson.RawValue `bson:"expectResult"`
	SaveAs       string        `bson:"saveResultAsEntity"`
}

// EventsForClient are the events that a client must have seen.
type EventsForClient struct {
	Client      string     `bson:"client"`
	Type        string     `bson:"eventType"`
	Events      []bson.Raw `bson:"events"`
	IgnoreExtra bool       `bson:"ignoreExtraEvents"`
}

// The keys that may stand in each part; any other would be an assertion or a
// set-up that the runner does not know.
var (
	fileKeys = []string{"description", "schemaVersion", "runOnRequirements", "createEntities", "initialData",
		"tests", "_yamlAnchors"}
	testKeys = []string{"description", "runOnRequirements", "skipReason", "operations", "expectEvents", "outcome"}
	stepKeys = []string{"name", "object", "arguments", "ignoreResultAndError", "expectError", "expectResult",
		"saveResultAsEntity"}
	requirementKeys = []string{"minServerVersion", "maxServerVersion", "topologies", "serverless", "auth", "csfle"}
)

// Load reads the scenario files of a folder, in the order of their names.
func Load(folder string) ([]*File, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no scenario files in %s", folder)
	}
	sort.Strings(paths)
	var files []*File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("read scenario %s: %w", path, err)
		}
		f.Folder, f.Name = filepath.Base(folder), filepath.Base(path)
		files = append(files, f)
	}
	return files, nil
}

// Parse reads one scenario file from Extended JSON.
func Parse(data []byte) (*File, error) {
	var tree bson.D
	if err := bson.UnmarshalExtJSON(data, false, &tree); err != nil {
		return nil, err
	}
	raw, err := bson.Marshal(tree)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(raw); err != nil {
		return nil, err
	}
	f := new(File)
	if err := bson.Unmarshal(raw, f); err != nil {
		return nil, err
	}
	v, err := parseVersion(f.Schema)
	if err != nil {
		return nil, fmt.Errorf("schemaVersion: %w", err)
	}
	if v[0] != supported[0] || v.compare(supported) > 0 {
		return nil, fmt.Errorf("schemaVersion %s is not supported", f.Schema)
	}
	return f, nil
}

// checkKeys tells whether all keys of a file are ones that the runner acts on.
func checkKeys(file bson.Raw) error {
	err := onlyKeys(file, fileKeys)
	each := func(list bson.RawValue, check func(bson.Raw)) {
		for _, item := range items(list) {
			if d, ok := item.DocumentOK(); ok {
				check(d)
			}
		}
	}
	requirements := func(d bson.Raw) {
		each(d.Lookup("runOnRequirements"), func(r bson.Raw) { err = errors.Join(err, onlyKeys(r, requirementKeys)) })
	}
	requirements(file)
	each(file.Lookup("tests"), func(test bson.Raw) {
		err = errors.Join(err, onlyKeys(test, testKeys))
		requirements(test)
		each(test.Lookup("operations"), func(o bson.Raw) { err = errors.Join(err, onlyKeys(o, stepKeys)) })
	})
	return err
}

// onlyKeys fails for a key that is not among those allowed.
func onlyKeys(d bson.Raw, allowed []string) error {
	elements, err := d.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		if !slices.Contains(allowed, e.Key()) {
			return fmt.Errorf("unknown key %q beside %s", e.Key(), strings.Join(allowed, ", "))
		}
	}
	return nil
}

// items gives the elements of an array, and nothing for any other value.
func items(v bson.RawValue) []bson.RawValue {
	array, ok := v.ArrayOK()
	if !ok {
		return nil
	}
	values, err := array.Values()
	if err != nil {
		return nil
	}
	return values
}
