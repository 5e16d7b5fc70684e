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
	// Fixed are the definitions of every revision, and of pings that name none, for the
	// cases of a test; nil: Definitions has them.
	Fixed *revisions.Spec
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

// definitions returns how to find those of a revision, by its URL, while ctx lives; or
// nil. The error is a *revisions.URLError for a text that is not a URL of one.
func (l Limits) definitions(ctx context.Context) func(url string) (*revisions.Spec, error) {
	switch {
	case l.Fixed != nil:
		return func(string) (*revisions.Spec, error) { return l.Fixed, nil }
	case l.Definitions == nil:
		return nil
	}

	return func(url string) (*revisions.Spec, error) {
		ref, err := revisions.ParseURL(url)
		if err != nil {
			return nil, err
		}
		return l.Definitions.Spec(ctx, ref)
	}
}
