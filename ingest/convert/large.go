package convert

import (
	"context"
	"errors"
)

// A small packed body can unpack to a large ping, and a large ping can become a larger
// record. A few of these at a time, one in each goroutine, would need more memory than a
// small machine has, so they take turns.
const (
	// maxSmallText is the longest ping, unpacked, that is converted without a turn.
	maxSmallText = 2 << 20
	// maxSmallRecord bounds the record that it becomes.
	maxSmallRecord = 4 << 20
	// keptBytes bounds each buffer that a Converter uses again.
	keptBytes = 2 * maxSmallRecord
)

// ErrBusy is returned by a Converter that does not wait, for a large ping while another
// one is being converted.
var ErrBusy = errors.New("another large ping is being converted")

// errLarge is the error for a ping that needs a turn.
var errLarge = errors.New("large ping")

// Turns lets one large ping be converted at a time, by all Converters that share it. It is
// safe for concurrent use.
type Turns struct{ free chan struct{} }

// NewTurns returns Turns, which have one.
func NewTurns() *Turns { return &Turns{make(chan struct{}, 1)} }

// takeTurn waits until c may convert a large ping.
func (c *Converter) takeTurn(ctx context.Context) error {
	// In a pipeline, what comes before must be done first: it may need the turn too.
	if c.BeforeLarge != nil {
		if err := c.BeforeLarge(); err != nil {
			return err
		}
	}

	turns := c.options.Turns.free
	select {
	case turns <- struct{}{}:
		c.large = true
		return nil
	default:
	}
	if c.NoWait {
		return ErrBusy
	}

	select {
	case turns <- struct{}{}:
		c.large = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Large says whether the ping that was converted last is a large one. Then the caller may
// keep its Record, if it calls Release before the next one.
func (c *Converter) Large() bool { return c.large }

// Release gives up the memory of a large ping, and the turn to convert it. Converting the
// next one does the same.
func (c *Converter) Release() {
	for _, buffer := range []*[]byte{&c.unpacker.text, &c.unpacker.tidied, &c.writer.out.JSON, &c.writer.ahead.out.JSON, &c.located} {
		if c.large || cap(*buffer) > keptBytes {
			*buffer = nil
		}
	}
	if c.large {
		c.document.text = nil
		c.writer.sieve.Begin(nil) // which has the text too
		c.large = false
		<-c.options.Turns.free
	}
}

// waits says whether a ping that turns out to be large needs a turn.
func (c *Converter) waits() bool { return c.options.Turns != nil && !c.large }

// maxUnpacked bounds the ping that is converted now.
func (c *Converter) maxUnpacked() int {
	if c.waits() {
		return min(c.options.MaxUnpacked, maxSmallText)
	}
	return c.options.MaxUnpacked
}
