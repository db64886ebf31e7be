package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier/model"
)

func TestManifest(t *testing.T) {
	dir := t.TempDir()
	path, output := filepath.Join(dir, "run.json"), filepath.Join(dir, "result.csv")
	// The published test vector of SHA-256: no accounts, but a digest.
	abc := file(t, "abc", "abc")
	got := botwatch("classify", "--output", output, "--manifest", path, published, abc, hostile, "nowhere.json")
	if got.code != exitRuntime {
		t.Errorf("exit %d", got.code)
	}
	sum := func(name string) string {
		digest := sha256.Sum256([]byte(read(t, name)))
		return "sha256:" + hex.EncodeToString(digest[:])
	}
	spec, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	want := manifest{
		Botwatch: readBuildVersion(),
		Model:    manifestModel{spec.Name, spec.Digest},
		Inputs: []manifestInput{
			{Name: published, Size: int64(len(read(t, published))), SHA256: sum(published), Accounts: 13},
			{Name: abc, Size: 3, SHA256: "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
			{Name: hostile, Size: int64(len(read(t, hostile))), SHA256: sum(hostile), Accounts: 16},
			{Name: "nowhere.json", Error: "there is no such file; check the name"},
		},
		Options: manifestOptions{Format: "csv", Output: output},
		Counts:  counts{Read: 29, Strong: 6, Weak: 17, None: 3, Errors: 3},
		Started: today, Ended: today,
	}
	var have manifest
	dec := json.NewDecoder(strings.NewReader(read(t, path)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&have); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(have.Inputs[1].Error, `begins with "abc"`) {
		t.Errorf("the fault of abc is %q", have.Inputs[1].Error)
	}
	have.Inputs[1].Error = ""
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManifestLayout(t *testing.T) {
	path := file(t, "run.json", "old")
	succeed(t, "classify", "--manifest", path, "--crawled-at", "2020-05-20T09:18:42Z", "--explain", published)
	text := read(t, path)
	version, err := json.MarshalIndent(readBuildVersion(), "  ", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "manifest.json", strings.Replace(text, string(version), `{"…": "the build"}`, 1))
}

// TestManifestOfStdin: the digest is of all that came, wanted or not.
func TestManifestOfStdin(t *testing.T) {
	for _, tc := range []struct {
		text     string
		accounts int
	}{
		{read(t, published) + "\n\n", 13},
		{"no accounts" + strings.Repeat(".", 20<<20), 0},
	} {
		path := file(t, "run.json", "old")
		invocation{args: []string{"classify", "--manifest", path, "-"}, stdin: strings.NewReader(tc.text)}.run()
		var m manifest
		if err := json.Unmarshal([]byte(read(t, path)), &m); err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(tc.text))
		want := []manifestInput{{Name: "-", Size: int64(len(tc.text)), SHA256: "sha256:" + hex.EncodeToString(digest[:]), Accounts: tc.accounts}}
		if diff := cmp.Diff(want, m.Inputs, cmpopts.IgnoreFields(manifestInput{}, "Error")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestCancelledBefore: what is interrupted reads no file.
func TestCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"classify", "--format", "ndjson", published}, {"model", "score", published}} {
		got := invocation{ctx: ctx, args: args}.run()
		if want := (outcome{exitRuntime, "", "botwatch: interrupted\n"}); got != want {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// TestCancelled: an interrupted run says so, and leaves old manifests and outputs.
func TestCancelled(t *testing.T) {
	path, output := file(t, "run.json", "old"), file(t, "out.csv", "old")
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var err error
		line := []byte(fixture(t, "accounts.ndjson")[0] + "\n")
		for range 10 {
			_, err = io.Copy(w, bytes.NewReader(line))
		}
		cancel()
		for err == nil {
			_, err = w.Write(line)
		}
	}()
	got := invocation{ctx: ctx, args: []string{"classify", "--output", output, "--manifest", path, "-"}, stdin: r}.run()
	r.Close()
	<-ended
	if got.code != exitRuntime || got.err != "botwatch: interrupted\n" {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
	if read(t, path) != "old" || read(t, output) != "old" {
		t.Error("an old file was replaced")
	}
}
