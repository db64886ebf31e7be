package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

// inputFile is a file that is read, or standard input. It counts what is read of
// it, gives its digest if asked to, and ends when the context does.
type inputFile struct {
	name string
	size int64 // -1 where that is not known

	ctx   context.Context
	src   io.Reader
	close func()
	count func(n int)
	hash  hash.Hash // nil for none
	bytes int64
}

// openInput opens a file, or standard input by the name "-".
func (a *app) openInput(ctx context.Context, name string, count func(n int), digest bool) (*inputFile, error) {
	in := &inputFile{name: name, size: -1, ctx: ctx, count: count}
	if digest {
		in.hash = sha256.New()
	}
	if name == "-" {
		// A read of a terminal or a pipe does not end with the context.
		r, w := io.Pipe()
		go func() {
			_, err := io.Copy(w, a.stdin)
			w.CloseWithError(err)
		}()
		stop := context.AfterFunc(ctx, func() { r.CloseWithError(ctx.Err()) })
		in.src, in.close = r, func() { stop(); r.Close() }
		return in, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no such file; check the name")
	case err != nil:
		return nil, pathless(err)
	case info.IsDir():
		return nil, fmt.Errorf("is a directory; name the files in it")
	case info.Mode().IsRegular():
		in.size = info.Size()
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, pathless(err)
	}
	in.src, in.close = file, func() { file.Close() }
	return in, nil
}

// pathless leaves out what a message names already.
func pathless(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

func (in *inputFile) Read(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.src.Read(p)
	in.bytes += int64(n)
	in.count(n)
	if in.hash != nil {
		in.hash.Write(p[:n])
	}
	return n, err
}

// digest reads what nobody wanted of the file, and gives the SHA-256 of all.
func (in *inputFile) digest() (string, error) {
	if _, err := io.Copy(io.Discard, in); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(in.hash.Sum(nil)), nil
}
