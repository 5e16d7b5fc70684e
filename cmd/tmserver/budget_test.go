package main

import "testing"

// TestBudget: small machines get less of everything, and a server that may open few files
// accepts fewer connections.
func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		memory, files int64
		want          budget
	}{
		{64 << 30, 1 << 20, budget{maxHeapBytes, 256 << 20, 10_000}},
		{2 << 30, 1 << 20, budget{(2 << 30) / 20 * 17, 256 << 20, 5461}},
		{512 << 20, 1 << 20, budget{(512 << 20) / 20 * 17, 64 << 20, 1365}},
		{64 << 30, 1024, budget{maxHeapBytes, 256 << 20, 1024 - reservedFiles}},
		{64 << 30, 100, budget{maxHeapBytes, 256 << 20, 1}},
	} {
		if got := newBudget(tt.memory, tt.files); got != tt.want {
			t.Errorf("%d bytes, %d files: %+v, want %+v", tt.memory, tt.files, got, tt.want)
		}
	}
}
