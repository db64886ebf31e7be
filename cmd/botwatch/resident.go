package main

import (
	"bytes"
	"os"
	"strconv"
)

// resetPeak makes peakResident begin anew. Where the system cannot do that, the
// peak stays that of the process's whole life.
func resetPeak() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peakResident gives the most memory that the process has had resident, in bytes;
// 0 where that cannot be known, which is on systems other than Linux.
func peakResident() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, found := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10
}
