package worker

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/pipeline"
)

// A conversion is a pipeline, whose results come in the order of the raw log whatever
// the number of goroutines:
//
//	read ─► batches ─► convert and decide (one goroutine per processor) ─► results ─► use
//
// A small body can unpack to a large ping. A batch is therefore bounded by its bodies,
// and what it becomes is handed over in several results, so that the pipeline's memory
// is bounded whatever the submissions are.
const (
	maxBatchBytes   = 256 << 10 // of bodies, at least one
	maxBatchEntries = 128
	maxResultBytes  = 2 << 20 // of IDs and JSON, and one record more
	// maxBodiesBytes bounds the bodies of all batches in the pipeline, but for one batch.
	maxBodiesBytes = 16 << 20
)

// batch is consecutive submissions, which one goroutine converts.
type batch struct {
	submissions []rawlog.Submission // their bodies lie in bodies
	bodies      []byte
	reserved    int64 // of the bytes that all bodies may have
}

// results is what consecutive submissions of a batch became.
type results struct {
	of      *batch
	last    bool // no results of the batch follow
	entries []result
	text    []byte      // the IDs and JSON of the entries, one after the other
	clients []forget.ID // of the entries, likewise
	large   bool        // the only entry is a large record, which is not in text
}

// result is what one submission became. The bytes of its record lie in results.text.
type result struct {
	submission *rawlog.Submission
	outcome    decide.Outcome
}

// convertAll converts what entries reads and calls use with each submission and what
// became of it, in order, from one goroutine. It calls pace between two submissions.
// It returns the histograms that were left out of records, and the first error: of
// entries, of use, or of the conversion.
func convertAll(ctx context.Context, conversion *decide.Conversion, entries *rawlog.Reader, pace func(), use func(*rawlog.Submission, decide.Outcome) error) (histogram.DropCounts, error) {
	c := &conversionStages{
		bodies:     semaphore.NewWeighted(maxBodiesBytes),
		entries:    entries,
		pace:       pace,
		conversion: conversion,
		use:        use,
		dropped:    histogram.DropCounts{},
	}

	err := pipeline.Run(ctx, pipeline.Stages[*batch, *results]{
		Produce: c.read,
		Work:    c.convert,
		Consume: c.consume,
	})
	return c.dropped, err
}

// convertEach is convertAll with one submission at a time, in this goroutine. It calls
// begin with the offset of each before that is converted.
func convertEach(ctx context.Context, conversion *decide.Conversion, entries *rawlog.Reader, begin func(offset int64) error, use func(*rawlog.Submission, decide.Outcome) error) (histogram.DropCounts, error) {
	converter := conversion.NewConverter(ctx)
	defer converter.Close()

	for {
		submission, err := entries.Next()
		if err == io.EOF {
			return converter.Dropped(), nil
		}

		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = begin(submission.Origin.Offset)
		}

		// What follows may end the process.
		var outcome decide.Outcome
		if err == nil {
			outcome, err = converter.Convert(ctx, &submission)
		}
		if err == nil {
			err = use(&submission, outcome)
		}
		converter.Release() // the memory of a large one
		if err != nil {
			return converter.Dropped(), err
		}
	}
}

// conversionStages are the stages of a conversion.
type conversionStages struct {
	entries    *rawlog.Reader
	pace       func()
	conversion *decide.Conversion
	use        func(*rawlog.Submission, decide.Outcome) error

	bodies           *semaphore.Weighted // bytes that are free
	batches, results sync.Pool           // used ones

	mu      sync.Mutex // protects dropped
	dropped histogram.DropCounts
}

// read cuts the raw log into batches.
func (c *conversionStages) read(ctx context.Context, send func(*batch) error) error {
	for {
		b := c.newBatch()
		err := c.fill(b)

		// What was read before the end, or before the error, counts.
		if len(b.submissions) > 0 {
			b.locateBodies()
			b.reserved = min(int64(len(b.bodies)), maxBodiesBytes)
			if err := c.bodies.Acquire(ctx, b.reserved); err != nil {
				return err
			}
			if err := send(b); err != nil {
				return err
			}
		}

		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads submissions into a batch until it is full or an error comes.
func (c *conversionStages) fill(b *batch) error {
	for len(b.submissions) < maxBatchEntries && len(b.bodies) < maxBatchBytes {
		c.pace()
		submission, err := c.entries.Next()
		if err != nil {
			return err
		}

		// The reader's body is valid until its next call.
		from := len(b.bodies)
		b.bodies = append(b.bodies, submission.Body...)
		submission.Body = b.bodies[from:]
		b.submissions = append(b.submissions, submission)
	}
	return nil
}

// locateBodies points the bodies into b.bodies, which has moved while it grew.
func (b *batch) locateBodies() {
	from := 0
	for i := range b.submissions {
		submission := &b.submissions[i]
		end := from + len(submission.Body)
		submission.Body = b.bodies[from:end:end] // an append must not reach the next body
		from = end
	}
}

// convert converts batches in one goroutine.
func (c *conversionStages) convert(ctx context.Context, tasks iter.Seq[pipeline.Task[*batch, *results]]) error {
	converter := c.conversion.NewConverter(ctx)
	defer func() {
		converter.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		addCounts(c.dropped, converter.Dropped())
	}()

	for task := range tasks {
		if err := c.convertBatch(ctx, converter, task); err != nil {
			return err
		}
	}
	return nil
}

// convertBatch converts one batch.
func (c *conversionStages) convertBatch(ctx context.Context, converter *decide.Converter, task pipeline.Task[*batch, *results]) error {
	in := task.Input
	out := c.newResults(in)
	converter.BeforeLarge(task.WaitTurn)
	defer converter.Release()

	for i := range in.submissions {
		// Large records are handed over before the batch is done.
		if len(out.text) >= maxResultBytes {
			if err := task.Send(out); err != nil {
				return err
			}
			out = c.newResults(in)
		}

		outcome, err := converter.Convert(ctx, &in.submissions[i])
		if err != nil {
			return err
		}
		if converter.Large() {
			// It is handed over as it is, because a copy would be large, too.
			out, err = c.sendLarge(task, out, result{&in.submissions[i], outcome})
			converter.Release()
			if err != nil {
				return err
			}
			continue
		}
		out.append(&in.submissions[i], outcome)
	}

	out.last = true
	return task.Send(out)
}

// sendLarge sends out, and a result of its own for a large submission. It returns the
// results for those that follow.
func (c *conversionStages) sendLarge(task pipeline.Task[*batch, *results], out *results, large result) (next *results, err error) {
	if err := task.Send(out); err != nil {
		return nil, err
	}

	// The converter uses the memory of the ID again.
	large.outcome.Record.ID = bytes.Clone(large.outcome.Record.ID)
	large.outcome.Subject.Clients = slices.Clone(large.outcome.Subject.Clients)
	single := &results{of: task.Input, large: true, entries: []result{large}}
	if err := task.Send(single); err != nil {
		return nil, err
	}
	return c.newResults(task.Input), nil
}

// append copies an outcome into the results.
func (r *results) append(s *rawlog.Submission, outcome decide.Outcome) {
	r.text = append(r.text, outcome.Record.ID...)
	r.text = append(r.text, outcome.Record.JSON...)
	r.clients = append(r.clients, outcome.Subject.Clients...)
	r.entries = append(r.entries, result{submission: s, outcome: outcome})
}

// consume hands each result to use.
func (c *conversionStages) consume(r *results) error {
	text := r.text
	clients := r.clients
	for i := range r.entries {
		entry := &r.entries[i]
		record := &entry.outcome.Record
		if r.large {
			return c.use(entry.submission, entry.outcome)
		}

		// r.text has moved while it grew; only the lengths are right.
		idBytes := len(record.ID)
		end := idBytes + len(record.JSON)
		record.ID = text[:idBytes:idBytes]
		record.JSON = text[idBytes:end:end]
		text = text[end:]
		subject := &entry.outcome.Subject
		ids := len(subject.Clients)
		subject.Clients, clients = clients[:ids:ids], clients[ids:]

		if err := c.use(entry.submission, entry.outcome); err != nil {
			return err
		}
	}

	c.recycle(r)
	return nil
}

// newBatch returns an empty batch.
func (c *conversionStages) newBatch() *batch {
	b, ok := c.batches.Get().(*batch)
	if !ok {
		return &batch{}
	}

	b.submissions = b.submissions[:0]
	b.bodies = b.bodies[:0]
	return b
}

// newResults returns empty results of a batch.
func (c *conversionStages) newResults(of *batch) *results {
	r, ok := c.results.Get().(*results)
	if !ok {
		return &results{of: of}
	}

	*r = results{of: of, entries: r.entries[:0], text: r.text[:0], clients: r.clients[:0]}
	return r
}

// recycle makes the memory of results that were used, and of their batch if they are its
// last, available again; not that of unusually large ones.
func (c *conversionStages) recycle(r *results) {
	if r.last {
		c.bodies.Release(r.of.reserved)
	}
	if r.last && cap(r.of.bodies) <= 4*maxBatchBytes {
		c.batches.Put(r.of)
	}

	if cap(r.text) <= 4*maxResultBytes {
		c.results.Put(r)
	}
}
