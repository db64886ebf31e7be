package pipeline

import (
	"fmt"
	"sync"
)

// faultShare watches how many of the last accounts failed. Its zero value is
// ready; it is safe for concurrent use.
type faultShare struct {
	mu     sync.Mutex
	ring   [faultWindow]bool
	n      int // accounts seen, up to faultWindow
	next   int
	faults int
}

func (f *faultShare) add(fault bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == faultWindow {
		if f.ring[f.next] {
			f.faults--
		}
	} else {
		f.n++
	}
	f.ring[f.next] = fault
	f.next = (f.next + 1) % faultWindow
	if fault {
		f.faults++
	}
}

// tripped says whether more than the share failed, once at least half a window
// was seen; and starts anew if so.
func (f *faultShare) tripped(share float64) (reason string, yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n < faultWindow/2 || float64(f.faults) <= share*float64(f.n) {
		return "", false
	}
	reason = fmt.Sprintf("%d of the last %d accounts could not be read or classified", f.faults, f.n)
	f.n, f.next, f.faults = 0, 0, 0
	return reason, true
}

func (f *faultShare) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n, f.next, f.faults = 0, 0, 0
}
