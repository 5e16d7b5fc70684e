package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Filter decides which converted submissions are published. It is safe for
// concurrent use.
type Filter interface {
	// Decider returns a function that decides, for one goroutine while ctx lives,
	// and one that frees what it took. decide is told a record and the partition
	// that it would lie in, keeps neither, and returns
	//
	//	nil               publish it
	//	*Filtered         drop it, and count it under the reason
	//	*convert.Reject   quarantine it
	//	another error     the filter failed on this record: it is quarantined as
	//	                  convert.ClassFilterError. Too many that wrap
	//	                  ErrFilterLimit end the conversion: the raw log waits.
	Decider(ctx context.Context) (decide func(p schema.Dims, id, json []byte) error, free func())
}

// Filtered is the error for a record that the filter drops.
type Filtered struct {
	Reason string
}

func (f *Filtered) Error() string { return "filtered: " + f.Reason }

// ErrFilterLimit marks the error of a filter that took too long for a record.
var ErrFilterLimit = errors.New("filter limit")

const (
	// maxFilterLimits is how often a filter may take too long in a raw log. One that
	// always does would have it converted for days, and what is mended meanwhile
	// would not count.
	maxFilterLimits = 10
	// maxFilterReasons bounds the reasons that are told apart in a raw log, and
	// maxReasonBytes each of them: who writes the filter may put an ID into them.
	maxFilterReasons = 100
	maxReasonBytes   = 200
	// maxFilterMessage bounds what quarantine tells in bytes.
	maxFilterMessage = 2000
)

// judge is a filter at work on a raw log, in all goroutines.
type judge struct {
	filter Filter
	schema *schema.Schema
	limits atomic.Int32 // how often it took too long
}

// NewDecider returns what decides for one goroutine as the conversion of a raw log
// does; nil without a filter. decide's error is nil, a *Filtered, a
// *convert.Reject, or neither, after which nothing more is to be decided.
func NewDecider(ctx context.Context, f Filter, schema *schema.Schema) (decide func(*convert.Record) error, free func()) {
	return (&judge{filter: f, schema: schema}).decider(ctx)
}

// decider is NewDecider for one of several goroutines.
func (j *judge) decider(ctx context.Context) (decide func(*convert.Record) error, free func()) {
	if j.filter == nil {
		return nil, func() {}
	}
	ask, free := j.filter.Decider(ctx)
	partitions := partitions{schema: j.schema}
	return func(r *convert.Record) error {
		err := ask(partitions.of(r.Dims), r.ID, r.JSON)
		if err == nil {
			return nil
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		switch e := err.(type) {
		case *Filtered:
			return &Filtered{plain(e.Reason, maxReasonBytes)}
		case *convert.Reject:
			return &convert.Reject{Class: e.Class, Message: plain(e.Message, maxFilterMessage)}
		}
		if errors.Is(err, ErrFilterLimit) && j.limits.Add(1) >= maxFilterLimits {
			return fmt.Errorf("the filter took too long %d times: %w", maxFilterLimits, err)
		}
		return &convert.Reject{Class: convert.ClassFilterError, Message: plain(err.Error(), maxFilterMessage)}
	}, free
}

// plain is text as valid UTF-8 of at most so many bytes, on one line.
func plain(text string, most int) string {
	text = text[:min(len(text), most)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// filtered counts a dropped record.
func (s *Stats) filtered(reason string) {
	if _, known := s.Filtered[reason]; !known && len(s.Filtered) >= maxFilterReasons {
		reason = schema.Other
	}
	s.Filtered[reason]++
}

// partitions finds the partitions of dimensions. It belongs to one goroutine.
type partitions struct {
	schema *schema.Schema
	known  map[schema.Dims]schema.Dims
}

// maxPartitions bounds the partitions that are remembered.
const maxPartitions = 10_000

func (m *partitions) of(d schema.Dims) schema.Dims {
	if p, ok := m.known[d]; ok {
		return p
	}
	p := m.schema.Partition(d)
	if m.known == nil {
		m.known = map[schema.Dims]schema.Dims{}
	}
	if len(m.known) < maxPartitions {
		m.known[d] = p
	}
	return p
}
