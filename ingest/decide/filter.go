package decide

import (
	"context"
	"errors"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// DeciderSource is the ingest filter of a conversion, which decides in several
// goroutines. It is safe for concurrent use.
type DeciderSource interface {
	// NewDecider returns a Decider that works until ctx ends. The caller closes it.
	NewDecider(ctx context.Context) Decider
}

// Decider decides about records, one after the other. It belongs to one goroutine.
type Decider interface {
	// Decide decides about a record and the partition that it would lie in; it keeps
	// neither id nor json. An error says that the filter failed on this record; it
	// wraps ErrFilterLimit if the filter took too long.
	Decide(partition schema.Dims, id, json []byte) (Decision, error)
	Close()
}

// Decision is what a filter decides about a record.
type Decision struct {
	Action Action
	Reason string // of Drop and Quarantine
}

// Action is what a filter does with a record.
type Action int

const (
	Keep       Action = iota // it is published
	Drop                     // it is counted under the reason, and not stored
	Quarantine               // it is quarantined with the reason
)

// ErrFilterLimit marks the error of a filter that took too long for a record.
var ErrFilterLimit = errors.New("filter limit")
