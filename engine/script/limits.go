package script

import (
	"context"
	"time"

	"github.com/aitgithub/telemetry-server/revisions"
)

// Limits bound what a script may do in one call.
type Limits struct {
	Call  time.Duration // of one call of a script's function; 0 is no limit
	Stack int           // JavaScript frames
	// Definitions are what ping.histogram is bound to; nil: ErrNoDefinitions.
	Definitions Definitions
	// Stuck is called, once, when a call goes on for stuckTime after it was
	// interrupted: native code may not react to an interrupt. Only the end of the
	// process helps then. Nil: wait for it.
	Stuck func(err error)
}

// DefaultLimits allow 30 s and 2048 frames.
func DefaultLimits() Limits { return Limits{Call: 30 * time.Second, Stack: 2048} }

// IngestLimits are those of DefaultLimits, but a call may take 1 s: a filter that
// is slower than that for one record cannot keep up with a server.
func IngestLimits() Limits {
	limits := DefaultLimits()
	limits.Call = time.Second
	return limits
}

// Definitions finds the histogram definitions of a revision. It is safe for
// concurrent use.
type Definitions interface {
	Spec(ctx context.Context, ref revisions.Ref) (*revisions.Spec, error)
}

var _ Definitions = (*revisions.Cache)(nil)

// definitions returns how to find those of a revision while ctx lives, or nil.
func (l Limits) definitions(ctx context.Context) func(revisions.Ref) (*revisions.Spec, error) {
	if l.Definitions == nil {
		return nil
	}
	return func(ref revisions.Ref) (*revisions.Spec, error) { return l.Definitions.Spec(ctx, ref) }
}
