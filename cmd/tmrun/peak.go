package main

import (
	"runtime"
	"syscall"
)

// peakMemory returns the largest resident size of the process so far, in bytes.
func peakMemory() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" { // which counts bytes, everybody else KiB
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}
