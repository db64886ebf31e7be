package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b, 80, 1000)
		shown := func() string {
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			defer b.Reset()
			return b.String()
		}
		p.add(100)
		time.Sleep(progressDelay - 1)
		if got := shown(); got != "" {
			t.Errorf("shown at once: %q", got)
		}
		time.Sleep(time.Nanosecond)
		if got, want := shown(), "\r██░░░░░░░░░░░░░░░░░░░░░░  10%  100 B of 1 kB, 143 B/s, 6s left\x1b[K"; got != want {
			t.Errorf("%q; want %q", got, want)
		}
		p.Write([]byte("botwatch: a.json: a fault\n"))
		if got, want := shown(), "\r\x1b[Kbotwatch: a.json: a fault\n"; got != want {
			t.Errorf("a message is %q; want %q, above the line", got, want)
		}
		p.add(900)
		time.Sleep(progressEvery)
		if got := shown(); !strings.Contains(got, strings.Repeat("█", 24)+" 100%  1 kB of 1 kB") {
			t.Errorf("at the end: %q", got)
		}
		p.close()
		if got := shown(); got != "\r\x1b[K" {
			t.Errorf("left on the screen: %q", got)
		}
	})
}

func TestProgressOfShortInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b, 80, 1000)
		time.Sleep(progressDelay / 2)
		p.close()
		if b.Len() > 0 {
			t.Errorf("shown: %q", b.String())
		}
	})
}

func TestProgressOfUnknownLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b, 20, 0)
		p.add(2_500_000)
		time.Sleep(time.Second)
		p.close()
		got := b.String()
		if !strings.HasPrefix(got, "\r2.5 MB read, 3.57 …\x1b[K") || !strings.HasSuffix(got, "\r\x1b[K") { // cut to the screen; nothing is left
			t.Errorf("%q", got)
		}
	})
}

func TestNoProgressInPipes(t *testing.T) {
	if got := succeed(t, "classify", published); strings.ContainsAny(got.err+got.out, "\r\x1b") {
		t.Errorf("%q", got.out+got.err)
	}
}

func TestSizeOf(t *testing.T) {
	a := file(t, "a", "12345")
	for _, tc := range []struct {
		files []string
		want  int64
	}{
		{[]string{a, a}, 10},
		{[]string{a, "nowhere", "testdata"}, 5},
		{[]string{a, "-"}, 0},
		{[]string{a, "/dev/null"}, 0},
	} {
		if got := sizeOf(tc.files); got != tc.want {
			t.Errorf("sizeOf(%v) is %d; want %d", tc.files, got, tc.want)
		}
	}
}
