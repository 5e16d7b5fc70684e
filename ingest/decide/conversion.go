package decide

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	// maxFilterLimits is how often a filter may take too long in one conversion. A
	// filter that always does would block the raw log for days, and its corrected
	// version would not be used before the end.
	maxFilterLimits = 10
	// maxReasonBytes bounds the reason of a dropped record. A filter may have the
	// document ID in it, of any length.
	maxReasonBytes = 200
	// maxMessageBytes bounds a filter's message in the quarantine.
	maxMessageBytes = 2000
)

// Kind is what becomes of a submission.
type Kind int

const (
	Published   Kind = iota // it became a record
	Quarantined             // it was rejected, by the converter or by the filter
	Dropped                 // the filter dropped it
	Waiting                 // its histogram definitions are not available now
	Forgotten               // it is of a client that asked to be forgotten
	Kinds                   // how many kinds there are
)

// Outcome is what becomes of one submission. Its bytes are valid until the next call
// of the Converter that returned it.
type Outcome struct {
	Kind Kind

	// Record and Partition belong to Published.
	Record    convert.Record
	Partition schema.Dims
	// Rejection belongs to Quarantined.
	Rejection *convert.Rejection
	// Reason belongs to Dropped; it is one line.
	Reason string
	// Outage belongs to Waiting.
	Outage *convert.Outage

	// Subject is set where the submission could be converted, whatever the filter decided.
	Subject convert.Subject
}

// Conversion is how the submissions of one raw log are converted and decided about,
// from the first to the last, in several goroutines.
type Conversion struct {
	definitions convert.Definitions
	options     convert.Options
	filter      DeciderSource // nil: every record is kept

	filterLimits atomic.Int32 // how often the filter took too long
}

// NewConversion returns a Conversion; a nil filter keeps every record. The
// partitions are those of o.Schema.
func NewConversion(definitions convert.Definitions, o convert.Options, filter DeciderSource) *Conversion {
	return &Conversion{definitions: definitions, options: o, filter: filter}
}

// HasFilter reports whether a filter decides about the records.
func (c *Conversion) HasFilter() bool { return c.filter != nil }

// Locate sets the country of a submission as Convert would, for one that is stored again
// without its address.
func (c *Conversion) Locate(s *rawlog.Submission) { c.options.Locate(s) }

// Deletions are the kinds of deletion requests that the conversion knows.
func (c *Conversion) Deletions() *forget.Table { return c.options.Deletions }

// NewConverter returns a Converter for one goroutine, which works until ctx ends. The
// caller closes it.
func (c *Conversion) NewConverter(ctx context.Context) *Converter {
	converter := &Converter{
		conversion: c,
		converter:  convert.New(c.definitions, c.options),
		partitions: map[schema.Dims]schema.Dims{},
	}

	if c.filter != nil {
		converter.decider = c.filter.NewDecider(ctx)
	}
	return converter
}

// Converter converts submissions and decides about them. It belongs to one goroutine.
type Converter struct {
	conversion *Conversion
	converter  *convert.Converter
	decider    Decider // nil: every record is kept
	partitions map[schema.Dims]schema.Dims
}

// Close frees the filter, and what a large submission has taken.
func (c *Converter) Close() {
	c.Release()
	if c.decider != nil {
		c.decider.Close()
	}
}

// BeforeLarge sets what is called before a large ping waits for its turn; see
// convert.Converter.
func (c *Converter) BeforeLarge(wait func() error) { c.converter.BeforeLarge = wait }

// Large says whether the submission that was converted last is a large one, whose Outcome
// the caller may keep if it calls Release before the next one.
func (c *Converter) Large() bool { return c.converter.Large() }

// Release gives up the memory of a large submission, and its turn.
func (c *Converter) Release() { c.converter.Release() }

// Dropped returns how many histograms were left out of records so far. The caller may
// keep it once the Converter is closed.
func (c *Converter) Dropped() histogram.DropCounts { return c.converter.Dropped }

// Convert returns what becomes of a submission. An error says nothing about the
// submission: ctx has ended, or the filter has taken too long too often (it wraps
// ErrFilterLimit).
func (c *Converter) Convert(ctx context.Context, s *rawlog.Submission) (Outcome, error) {
	record, err := c.converter.Convert(ctx, s)
	return c.outcome(ctx, record, err)
}

// ConvertLine is Convert for a document ID and a ping that is not packed.
func (c *Converter) ConvertLine(ctx context.Context, id, json []byte, date schema.Date) (Outcome, error) {
	record, err := c.converter.ConvertLine(ctx, id, json, date)
	return c.outcome(ctx, record, err)
}

// outcome decides about a record, or about the error in its place.
func (c *Converter) outcome(ctx context.Context, record convert.Record, err error) (Outcome, error) {
	if err == nil {
		decided, err := c.decide(ctx, record)
		decided.Subject = record.Subject
		return decided, err
	}

	// Bad data, or no definitions now: both are about the submission alone.
	if rejection, ok := errors.AsType[*convert.Rejection](err); ok {
		return Outcome{Kind: Quarantined, Rejection: rejection}, nil
	}
	if outage, ok := errors.AsType[*convert.Outage](err); ok {
		return Outcome{Kind: Waiting, Outage: outage}, nil
	}

	return Outcome{}, err
}

// decide lets the filter decide about a record.
func (c *Converter) decide(ctx context.Context, record convert.Record) (Outcome, error) {
	partition := c.partition(record.Dims)
	var decision Decision // to keep it

	if c.decider != nil {
		var err error
		decision, err = c.decider.Decide(partition, record.ID, record.JSON)
		if err != nil {
			return c.filterFailed(ctx, err)
		}
	}

	switch decision.Action {
	case Drop:
		return Outcome{Kind: Dropped, Reason: oneLine(decision.Reason, maxReasonBytes)}, nil
	case Quarantine:
		return rejected(convert.ClassFilter, decision.Reason), nil
	}

	return Outcome{Kind: Published, Record: record, Partition: partition}, nil
}

// filterFailed returns what becomes of a record on which the filter failed with err.
func (c *Converter) filterFailed(ctx context.Context, err error) (Outcome, error) {
	// A filter that ctx interrupted has not failed.
	if ended := context.Cause(ctx); ended != nil {
		return Outcome{}, ended
	}

	// One slow record is rejected. A filter that is slow again and again would block the
	// raw log, so the conversion ends; it is tried again with the filter of then.
	if errors.Is(err, ErrFilterLimit) && c.conversion.filterLimits.Add(1) >= maxFilterLimits {
		return Outcome{}, fmt.Errorf("the filter took too long %d times: %w", maxFilterLimits, err)
	}

	return rejected(convert.ClassFilterError, err.Error()), nil
}

// rejected returns the outcome of a record that the filter quarantines.
func rejected(class, message string) Outcome {
	return Outcome{Kind: Quarantined, Rejection: &convert.Rejection{Class: class, Message: oneLine(message, maxMessageBytes)}}
}

const (
	// maxPartitions bounds the partitions that a Converter caches.
	maxPartitions = 10_000
	// maxCachedBytes bounds the dimensions of one of them. A client may make them as long
	// as its ping.
	maxCachedBytes = 500
)

// partition returns the partition of dimensions.
func (c *Converter) partition(d schema.Dims) schema.Dims {
	if p, ok := c.partitions[d]; ok {
		return p
	}

	p := c.conversion.options.Schema.Partition(d)
	dimsBytes := 0
	for _, value := range d {
		dimsBytes += len(value)
	}
	if len(c.partitions) < maxPartitions && dimsBytes <= maxCachedBytes {
		c.partitions[d] = p
	}
	return p
}

// oneLine returns text as valid UTF-8 of at most maxBytes, without control characters.
func oneLine(text string, maxBytes int) string {
	text = text[:min(len(text), maxBytes)]

	// A character that was cut in two is not UTF-8 any more, and goes.
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
