package ingest

import (
	"sync"

	"github.com/aitgithub/telemetry-server/layout"
)

// boundedSet is a set of label values that stops growing.
type boundedSet struct {
	max int

	mu   sync.Mutex // protects seen
	seen map[string]bool
}

// keep returns v, or OTHER once there are max different values.
func (b *boundedSet) keep(v string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen == nil {
		b.seen = map[string]bool{}
	}
	if !b.seen[v] {
		if len(b.seen) >= b.max {
			return layout.Other
		}
		b.seen[v] = true
	}
	return v
}
