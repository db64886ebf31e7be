package format_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// sharedFile reads one of the reference files.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	dir, set := os.LookupEnv("BOTWATCH_SHARED")
	if !set {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "reference", name))
	if os.IsNotExist(err) && !set {
		t.Skipf("reference file %s is not there", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// exampleAccount gives the JSON of the first example account.
func exampleAccount(t testing.TB) []byte {
	t.Helper()
	const key = "94c383089f0dd9993020276bd01113ecb5935ad860bfa61e6079e7d548577f76"
	var accounts map[string]json.RawMessage
	if err := json.Unmarshal(sharedFile(t, "example_data.json"), &accounts); err != nil {
		t.Fatal(err)
	}
	return accounts[key]
}

// syntheticLines gives the lines of testdata's synthetic accounts, each
// {"account": …, "expected": …}.
func syntheticLines(t testing.TB) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "synthetic.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(data), []byte("\n"))
}

// accountOf gives the account of a synthetic line.
func accountOf(t testing.TB, line []byte) []byte {
	t.Helper()
	var v struct{ Account json.RawMessage }
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatal(err)
	}
	return v.Account
}
