package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// progress shows on a terminal how much of the input is read. What is written
// through it appears above its line. A nil progress shows nothing.
type progress struct {
	w     io.Writer
	width int
	total int64 // bytes; 0 where that is not known
	done  atomic.Int64
	start time.Time

	mu    sync.Mutex
	shown bool
	stop  chan struct{}
	ended chan struct{}
}

// How the progress is shown: not at all for what takes no time.
const (
	progressDelay = 700 * time.Millisecond
	progressEvery = 150 * time.Millisecond
)

// newProgress starts to show the progress on a terminal of so many columns.
func newProgress(w io.Writer, width int, total int64) *progress {
	p := &progress{w: w, width: width, total: total, start: time.Now(), stop: make(chan struct{}), ended: make(chan struct{})}
	go p.run()
	return p
}

// add counts bytes that were read.
func (p *progress) add(n int) {
	if p != nil {
		p.done.Add(int64(n))
	}
}

// close ends the progress and leaves no trace of it.
func (p *progress) close() {
	if p == nil {
		return
	}
	close(p.stop)
	<-p.ended
}

func (p *progress) run() {
	defer close(p.ended)
	timer := time.NewTimer(progressDelay)
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			p.mu.Lock()
			p.clear()
			p.mu.Unlock()
			return
		case <-timer.C:
			p.mu.Lock()
			line := p.line(time.Since(p.start))
			fmt.Fprint(p.w, "\r", fit(line, max(p.width-1, 10)), "\x1b[K")
			p.shown = true
			p.mu.Unlock()
			timer.Reset(progressEvery)
		}
	}
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// Write writes above the progress.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	return p.w.Write(b)
}

// line gives the progress after some time: a bar, bytes, rate and time left.
func (p *progress) line(elapsed time.Duration) string {
	done := p.done.Load()
	rate := float64(done) / elapsed.Seconds()
	if p.total <= 0 || done > p.total {
		return fmt.Sprintf("%s read, %s/s", bytesText(float64(done)), bytesText(rate))
	}
	share := float64(done) / float64(p.total)
	const columns = 24
	full := int(share * columns)
	line := fmt.Sprintf("%s%s %3.0f%%  %s of %s, %s/s", strings.Repeat("█", full), strings.Repeat("░", columns-full), share*100,
		bytesText(float64(done)), bytesText(float64(p.total)), bytesText(rate))
	if rate > 0 {
		left := time.Duration(float64(p.total-done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return line
}

// bytesText gives bytes in decimal units, three figures.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "kB", "MB"} {
		if n < 999.5 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g GB", n)
}

// sizeOf adds up the sizes of files; 0 where one is not known.
func sizeOf(files []string) int64 {
	var total int64
	for _, name := range files {
		info, err := os.Stat(name)
		if name == "-" || err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return 0
		}
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total
}
