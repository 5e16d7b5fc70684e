package main

import (
	"math"
	"runtime/debug"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
)

const (
	// maxHeapBytes is near which the Go runtime collects all garbage that it can, however
	// much memory there is.
	maxHeapBytes = 2 << 30
	// minMemory is the least that --memory can be: below it, a large ping does not fit.
	minMemory = 256 << 20
	// defaultInFlight is --max-in-flight where there is memory enough.
	defaultInFlight = 256 << 20
	// inFlightShare is the part of the memory, one in so many, that bodies being received
	// may take; a conversion needs more than that.
	inFlightShare = 8
	// defaultConnections is --max-connections where there are memory and files enough.
	defaultConnections = 10_000
	// connectionBytes is the memory of a connection whose client sends a long head slowly,
	// and connectionShare the part of the memory that all of them may take.
	connectionBytes = 64 << 10
	connectionShare = 6
	// reservedFiles are the open files that connections leave to everything else: raw logs,
	// staging, databases, the folders that are watched, and the admin address.
	reservedFiles = 256
)

// budget is what a server may use, of what the machine or its control group has.
type budget struct {
	heapBytes   int64 // for the Go runtime
	inFlight    int64 // bytes, of bodies
	connections int   // to the public address
	ofAddress   int   // of them, from one address
}

// newBudget divides so many bytes of memory and so many files.
func newBudget(memory, files int64) budget {
	connections := min(defaultConnections, memory/connectionShare/connectionBytes, files-reservedFiles)
	return budget{
		heapBytes:   min(maxHeapBytes, memory/20*17), // the rest is for what the runtime does not count
		inFlight:    min(defaultInFlight, memory/inFlightShare),
		connections: int(max(connections, 1)),
	}
}

// budget returns what the server may use. What flags say counts, but for more connections
// than the process may have files.
func (c *serveCmd) budget(st *cli.State) budget {
	memory := uint64(c.Memory)
	if memory == 0 {
		// A control group without a limit is no error, and neither is a system that does
		// not say how much it has.
		found, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
		if err != nil {
			found = 4 * maxHeapBytes
		}
		memory = found
	}

	files := uint64(math.MaxInt32)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		files = min(files, uint64(limit.Cur))
	}

	shared := newBudget(int64(min(memory, math.MaxInt64)), int64(files))
	if c.MaxInFlight > 0 {
		shared.inFlight = c.MaxInFlight
	}
	// A single body must fit.
	shared.inFlight = max(shared.inFlight, ingest.InFlightOf(c.MaxPath, c.MaxBody))

	if c.MaxConnections > 0 {
		shared.connections = c.MaxConnections
	}
	if most := max(int(files)-reservedFiles, 1); shared.connections > most {
		st.Log.Warn("fewer connections than --max-connections: the process may not open more files", "connections", most, "files", files)
		shared.connections = most
	}

	// One address can take a part of all connections; many share one behind a NAT.
	shared.ofAddress = min(c.MaxAddressConnections, shared.connections)
	if shared.ofAddress == 0 {
		shared.ofAddress = max(shared.connections/4, 1)
	}
	return shared
}

// limitHeap tells the Go runtime how much memory there is, unless the environment does.
func (b budget) limitHeap(st *cli.State) {
	if st.Env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(b.heapBytes)
	}
}
