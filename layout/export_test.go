package layout

import (
	"testing"
	"time"
)

// SetSeenWait makes Writers wait less for another process, during a test.
func SetSeenWait(t *testing.T, d time.Duration) {
	old := seenWait
	seenWait = d
	t.Cleanup(func() { seenWait = old })
}
