package worker

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// The stages of a conversion, joined by bounded channels; results come out in
// the order of the raw log whatever the number of goroutines.
//
//	read frames ─► lots ───► convert (one goroutine per processor) ─► pieces ─► caller: publish
//	                  └────────────── order of the lots ──────────────────────────┘
//
// A lot holds about lotBytes of bodies. What it becomes is handed over in
// pieces of about pieceBytes, because a small body can unpack to a large ping:
// so the pipeline's memory is bounded whatever the submissions are.
const (
	lotBytes   = 256 << 10
	lotCount   = 128
	pieceBytes = 2 << 20
)

// lot is submissions that one goroutine converts.
type lot struct {
	subs   []rawlog.Submission // bodies lie in bodies
	bodies []byte
	pieces chan *piece // closed behind the last
}

// piece is what some submissions of a lot became.
type piece struct {
	results []result
	text    []byte // where the IDs and JSON of results lie
}

// result is what one submission became: a record, or an error as Convert's.
type result struct {
	sub        *rawlog.Submission // valid until the next result
	err        error
	idEnd, end int // in the piece's text, behind that of the result before
	dims       schema.Dims
	mismatched uint8
	rawBytes   int
}

// pipeline converts what r reads and calls use with each submission and what
// became of it, in order, from the caller's goroutine. It returns the first
// error of r, of use, or of a conversion that is no *Reject, *Outage or
// *Filtered. The dropped histograms are added to the Converter's.
func pipeline(ctx context.Context, r *rawlog.Reader, o Options, schema *schema.Schema, use func(s *rawlog.Submission, rec convert.Record, err error) error) error {
	ctx, cancel := context.WithCancel(ctx)
	n := min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // which may be more, see serve
	p := &stages{
		work: make(chan *lot), order: make(chan *lot, n),
		lots: make(chan *lot, 2*n+2), pieces: make(chan *piece, 2*n+2),
	}
	conv := o.Converter
	converters := []*convert.Converter{conv}
	for len(converters) < n {
		converters = append(converters, conv.Sibling())
	}
	judge := &judge{filter: o.Filter, schema: schema}
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() { readErr = p.read(ctx, r, o.Pace) })
	for _, c := range converters {
		wg.Go(func() { p.convert(ctx, c, judge) })
	}
	err := p.consume(ctx, use)
	cancel()
	wg.Wait()
	for _, c := range converters[1:] {
		for d, k := range c.Dropped {
			conv.Dropped[d] += k
		}
	}
	if err == nil || errors.Is(err, context.Canceled) && readErr != nil {
		err = readErr
	}
	return err
}

// stages are the channels between the goroutines; lots and pieces return
// what has been used.
type stages struct {
	work, order, lots chan *lot
	pieces            chan *piece
}

// read cuts the raw log into lots, pausing where pace (or nil) does. It ends work
// and order.
func (p *stages) read(ctx context.Context, r *rawlog.Reader, pace func()) error {
	defer close(p.work)
	defer close(p.order)
	for {
		b := p.newLot()
		var err error
		for len(b.subs) < lotCount && len(b.bodies) < lotBytes {
			if pace != nil {
				pace()
			}
			var s rawlog.Submission
			if s, err = r.Next(); err != nil {
				break
			}
			from := len(b.bodies)
			b.bodies = append(b.bodies, s.Body...)
			s.Body = b.bodies[from:len(b.bodies):len(b.bodies)]
			b.subs = append(b.subs, s)
		}
		if len(b.subs) > 0 {
			b.locate()
			for _, to := range [...]chan *lot{p.order, p.work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// locate points the bodies into bodies, which may have moved as it grew.
func (b *lot) locate() {
	from := 0
	for i := range b.subs {
		s := &b.subs[i]
		end := from + len(s.Body)
		s.Body = b.bodies[from:end:end]
		from = end
	}
}

func (p *stages) newLot() *lot {
	select {
	case b := <-p.lots:
		b.subs, b.bodies = b.subs[:0], b.bodies[:0]
		b.pieces = make(chan *piece, 1)
		return b
	default:
		return &lot{pieces: make(chan *piece, 1)}
	}
}

func (p *stages) newPiece() *piece {
	select {
	case q := <-p.pieces:
		q.results, q.text = q.results[:0], q.text[:0]
		return q
	default:
		return &piece{}
	}
}

// convert converts lots, each to the end, until there is no more.
func (p *stages) convert(ctx context.Context, c *convert.Converter, j *judge) {
	decide, free := j.decider(ctx)
	defer free()
	for b := range p.work {
		q := p.newPiece()
		send := func() bool {
			select {
			case b.pieces <- q:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for i := range b.subs {
			s := &b.subs[i]
			rec, err := c.Convert(ctx, s)
			if err == nil && decide != nil {
				if err = decide(&rec); err != nil {
					rec = convert.Record{}
				}
			}
			q.text = append(q.text, rec.ID...)
			idEnd := len(q.text)
			q.text = append(q.text, rec.JSON...)
			q.results = append(q.results, result{s, err, idEnd, len(q.text), rec.Dims, rec.Mismatched, rec.RawBytes})
			if len(q.text) >= pieceBytes {
				if !send() {
					return
				}
				q = p.newPiece()
			}
		}
		if !send() {
			return
		}
		close(b.pieces)
	}
}

// consume calls use with the results in the order of the lots.
func (p *stages) consume(ctx context.Context, use func(*rawlog.Submission, convert.Record, error) error) error {
	for b := range p.order {
		for {
			var q *piece
			var more bool
			select {
			case q, more = <-b.pieces:
			case <-ctx.Done():
				return ctx.Err()
			}
			if !more {
				break
			}
			from := 0
			for i := range q.results {
				t := &q.results[i]
				rec := convert.Record{ID: q.text[from:t.idEnd], JSON: q.text[t.idEnd:t.end], Dims: t.dims, Mismatched: t.mismatched, RawBytes: t.rawBytes}
				from = t.end
				if err := use(t.sub, rec, t.err); err != nil {
					return err
				}
			}
			if cap(q.text) <= 4*pieceBytes {
				recycle(p.pieces, q)
			}
		}
		if cap(b.bodies) <= 4*lotBytes {
			recycle(p.lots, b)
		}
	}
	return ctx.Err()
}

// recycle keeps v for the next who needs one, if there is room.
func recycle[T any](free chan T, v T) {
	select {
	case free <- v:
	default:
	}
}
