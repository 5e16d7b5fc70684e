package main

import "testing"

// TestBudget: small machines get less of everything, and a server that may open few files
// accepts fewer connections.
func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		memory, files int64
		want          budget
	}{
		{64 << 30, 1 << 20, budget{heapBytes: maxHeapBytes, inFlight: 256 << 20, connections: 10_000}},
		{2 << 30, 1 << 20, budget{heapBytes: (2 << 30) / 20 * 17, inFlight: 256 << 20, connections: 5461}},
		{512 << 20, 1 << 20, budget{heapBytes: (512 << 20) / 20 * 17, inFlight: 64 << 20, connections: 1365}},
		{64 << 30, 1024, budget{heapBytes: maxHeapBytes, inFlight: 256 << 20, connections: 1024 - reservedFiles}},
		{64 << 30, 100, budget{heapBytes: maxHeapBytes, inFlight: 256 << 20, connections: 1}},
	} {
		if got := newBudget(tt.memory, tt.files); got != tt.want {
			t.Errorf("%d bytes, %d files: %+v, want %+v", tt.memory, tt.files, got, tt.want)
		}
	}
}
