package main

import "syscall"

// rlimitData is RLIMIT_DATA: it counts what a process can write to, not the
// address space that Go reserves.
const rlimitData = 2

// limitMemory makes the kernel refuse this process more than n bytes.
func limitMemory(n uint64) error {
	return syscall.Setrlimit(rlimitData, &syscall.Rlimit{Cur: n, Max: n})
}
