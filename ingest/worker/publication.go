package worker

import (
	"context"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
)

// publication is one raw log on its way to be published.
type publication struct {
	source     string
	data       *layout.Data
	writer     *layout.Writer
	conversion *decide.Conversion
	pace       func() // called between submissions
	stats      Stats
	settled    *settled // nil: nothing is

	waiting *waitingLog     // of submissions that wait; nil while none does
	outage  *convert.Outage // why the first of them waits
}

// close gives up what was not committed.
func (p *publication) close() error { return p.writer.Abort() }

// convert converts the entries of the raw log and adds what they become to the writer.
func (p *publication) convert(ctx context.Context, entries *rawlog.Reader) error {
	dropped, err := convertAll(ctx, p.conversion, entries, p.pace, p.add)
	addCounts(p.stats.Dropped, dropped)
	if err != nil {
		return err
	}

	p.stats.BytesLost = entries.BytesLost()
	p.stats.OverLimit = p.writer.Excess()

	// Moving all submissions to another raw log would gain nothing.
	if p.stats.Waiting > 0 && p.stats.Waiting == p.stats.Submissions {
		return p.outage
	}
	return nil
}

// add adds what became of one submission to the writer, and counts it.
func (p *publication) add(s *rawlog.Submission, outcome decide.Outcome) error {
	p.stats.Submissions++
	if p.settled.has(s) {
		p.stats.Repeated++
		return nil
	}

	switch outcome.Kind {
	case decide.Published:
		return p.publish(s, outcome)
	case decide.Quarantined:
		p.stats.Quarantined[outcome.Rejection.Class]++
		return quarantine.Add(p.writer, s, outcome.Rejection)
	case decide.Dropped:
		p.stats.filtered(outcome.Reason)
		return nil
	case decide.Waiting:
		if p.waiting == nil {
			p.outage = outcome.Outage
			var err error
			if p.waiting, err = newWaitingLog(p.data, p.writer, p.source); err != nil {
				return err
			}
		}
		p.stats.Waiting++
		return p.waiting.add(s)
	}
	panic("worker: outcome of unknown kind") // a bug of this repository
}

// publish adds a record, unless the same submission was published before.
func (p *publication) publish(s *rawlog.Submission, outcome decide.Outcome) error {
	record := &outcome.Record
	repeated, err := p.writer.Repeated(record.ID, s.Body, s.Time)
	if err != nil {
		return err
	}
	if repeated {
		p.stats.Repeated++
		return nil
	}

	p.stats.Records++
	p.stats.RawBytes += int64(record.RawBytes)
	for i := range p.stats.Mismatched {
		p.stats.Mismatched[i] += int64(record.Mismatched >> i & 1) // a bit for each dimension
	}

	p.writer.SetTime(s.Time)
	return p.writer.Add(outcome.Partition, record.ID, record.JSON)
}

// commit publishes what was added, with the statistics of the conversion. These name the
// segments that named returns of the paths where all is published; nil: none.
func (p *publication) commit(ctx context.Context, converted statistics.RawLog, named func(paths []string) []string) (Stats, error) {
	statistics.Attach(p.writer, converted.Source, func(paths []string) statistics.RawLog {
		if named != nil {
			converted.Segments = named(paths)
		}
		return converted
	})

	var err error
	p.stats.Published, err = p.writer.Commit(ctx)
	return p.stats, err
}
