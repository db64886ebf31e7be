//go:build killpoints

// Package killpoint lets a test build die at a named point, as by kill -9. In
// any other build At does nothing.
package killpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// point and left come from BOTWATCH_KILL_AT=name:n, which dies at the n-th pass.
var point, left = func() (string, *atomic.Int64) {
	name, times, _ := strings.Cut(os.Getenv("BOTWATCH_KILL_AT"), ":")
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil {
		n = 1
	}
	v := new(atomic.Int64)
	v.Store(n)
	return name, v
}()

// At kills the process with SIGKILL if this is the pass of the point that
// BOTWATCH_KILL_AT names.
func At(name string) {
	if name == point && left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
