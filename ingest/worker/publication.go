package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
)

// publication is one raw log on its way to be published.
type publication struct {
	w          *Worker
	source     string
	inRaw      bool                                   // it lies in raw/ of the data folder
	content    io.ReadSeeker                          // of the raw log
	reader     func(content io.Reader) *rawlog.Reader // of its entries
	read       *summedReader                          // what was read of it
	writer     *layout.Writer
	conversion *decide.Conversion
	pace       func() // called between submissions
	stats      Stats
	settled    *settled // nil: nothing is
	forgetting *decide.Forgetting

	attempt *attempt        // to convert it; nil before it has begun
	waiting *waitingLog     // of submissions that wait; nil while none does
	outage  *convert.Outage // why the first of them waits
}

// close gives up what was not committed.
func (p *publication) close() error { return p.writer.Abort() }

// run does what is to be done with the raw log, and commits it with the statistics that
// describe returns for the paths where all is published.
func (p *publication) run(ctx context.Context, describe func(paths []string) statistics.RawLog) (Stats, error) {
	forgotten, err := p.w.data.Forgotten(ctx)
	if err != nil {
		return p.stats, err
	}
	p.forgetting = decide.NewForgetting(forgotten, p.conversion.Deletions())

	err = p.process(ctx)
	if p.inRaw && errors.Is(err, rawlog.ErrVersion) {
		err = fmt.Errorf("%w (%w)", ErrNoRawLog, err)
	}
	if err == nil {
		p.writer.SetOrigin(p.read.bytes, p.read.crc, p.stats.Submissions+p.stats.Divided)
		p.writer.Supersede(attemptsFile(p.source))
		err = p.keepDamaged()
	}
	if err == nil {
		err = p.commit(ctx, describe)
	}

	// Not in a deferred call: that would run in a panic, too, which is a death.
	if err != nil && p.attempt != nil {
		err = errors.Join(err, p.attempt.failed())
	}
	return p.stats, err
}

// keepDamaged has the commit keep a raw log of raw/ of which not all could be read. What
// was read is published. The error wraps ErrNoRawLog for a file of another kind.
func (p *publication) keepDamaged() error {
	if !p.inRaw || p.stats.BytesLost == 0 {
		return nil
	}
	if p.stats.Submissions+p.stats.Divided == 0 && !strings.HasPrefix(p.source, "telemetry.log.") {
		return ErrNoRawLog
	}

	p.stats.Kept = append(p.stats.Kept, p.writer.KeepDamaged())
	p.log().Error("a raw log is damaged; what can be read is published, and the file is kept",
		"bytes_lost", p.stats.BytesLost, "submissions", p.stats.Submissions+p.stats.Divided, "kept", p.stats.Kept[0])
	return nil
}

// entries returns a reader of the raw log from its start.
func (p *publication) entries() (*rawlog.Reader, error) {
	if _, err := p.content.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}

	p.read = &summedReader{source: p.content}
	return p.reader(p.read), nil
}

// process adds to the writer what becomes of the raw log. That depends on how often its
// conversion has ended a process.
func (p *publication) process(ctx context.Context) error {
	earlier, err := p.w.attempts(p.source)
	if err != nil {
		return err
	}

	if earlier.deaths > 0 {
		if err := p.forgetUnpublished(); err != nil {
			return err
		}
	}

	isPart := IsPart(p.source)
	if isPart && earlier.deaths > 0 {
		return p.processDeadly(ctx, earlier)
	}

	entries, err := p.entries()
	if err != nil {
		return err
	}
	if earlier.deaths < maxDeaths {
		return p.convert(ctx, entries, earlier, isPart)
	}

	p.log().Warn("a raw log has ended the process that converted it; it is divided into parts", "times", earlier.deaths)
	return p.divide(ctx, entries, division{alone: -1, submissions: maxPartSubmissions})
}

// forgetUnpublished removes what an attempt that ended its process recorded as received,
// unless another copy of the raw log was published. It would be repeats for the parts, and
// for a replay of what a filter that has changed since quarantines now.
func (p *publication) forgetUnpublished() error {
	published, err := statistics.Find(p.w.data.Root(), p.source, p.log())
	if err != nil || published.Submissions > 0 {
		return err
	}
	return p.writer.ForgetRepeats()
}

// processDeadly is process for a part that has ended its process.
func (p *publication) processDeadly(ctx context.Context, earlier attempts) error {
	// They are counted, and then read again from the start.
	entries, err := p.entries()
	if err != nil {
		return err
	}
	submissions, err := count(entries)
	if err != nil {
		return err
	}
	entries, err = p.entries()
	if err != nil {
		return err
	}

	known := earlier.offset >= 0 // which of them was in hand
	switch {
	case submissions > 1 && known:
		p.log().Warn("a submission has ended the process that converted it; it is tried alone", "offset", earlier.offset)
		return p.divide(ctx, entries, division{alone: earlier.offset, submissions: maxPartSubmissions})
	case submissions > 1:
		p.log().Warn("a part of a raw log has ended the process that converted it; it is halved", "submissions", submissions)
		return p.divide(ctx, entries, division{alone: -1, submissions: (submissions + 1) / 2})
	case submissions == 1 && known && earlier.deaths >= maxDeaths:
		p.log().Warn("a submission has ended the process that converted it again; it is quarantined")
		return p.quarantine(entries)
	}

	return p.convert(ctx, entries, earlier, true)
}

// log is the log of the data folder, for what is said about this raw log.
func (p *publication) log() *slog.Logger { return p.w.data.Log().With("log", p.source) }

// convert converts the entries of the raw log and adds what they become to the writer;
// carefully: one at a time, so that it is known which of them ends the process.
func (p *publication) convert(ctx context.Context, entries *rawlog.Reader, earlier attempts, carefully bool) error {
	var err error
	p.attempt, err = p.w.begin(p.source, earlier)
	if err != nil {
		return err
	}

	var dropped histogram.DropCounts
	if carefully {
		dropped, err = convertEach(ctx, p.conversion, entries, p.attempt.at, p.add)
	} else {
		dropped, err = convertAll(ctx, p.conversion, entries, p.pace, p.add)
	}
	addCounts(p.stats.Dropped, dropped)

	// From here on it is no submission that ends the process.
	if err == nil && carefully {
		err = p.attempt.note("commit\n")
	}
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

// count returns how many submissions entries has.
func count(entries *rawlog.Reader) (n int, err error) {
	for {
		_, err := entries.Next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}

// quarantine adds the submissions to the quarantine, without converting them.
func (p *publication) quarantine(entries *rawlog.Reader) error {
	why := convert.EndedProcess(maxDeaths)
	for {
		s, err := entries.Next()
		if err == io.EOF {
			p.stats.BytesLost = entries.BytesLost()
			return nil
		}
		if err == nil {
			err = p.add(&s, decide.Outcome{Kind: decide.Quarantined, Rejection: why})
		}
		if err != nil {
			return err
		}
	}
}

// add adds what became of one submission to the writer, and counts it.
func (p *publication) add(s *rawlog.Submission, outcome decide.Outcome) error {
	p.stats.Submissions++
	if p.settled.has(s) {
		p.stats.Repeated++
		return nil
	}

	// A client is forgotten from its request on.
	p.writer.Forget(p.forgetting.Apply(s, &outcome)...)
	switch outcome.Kind {
	case decide.Forgotten:
		p.stats.Forgotten++
		return nil
	case decide.Published:
		return p.publish(s, outcome)
	case decide.Quarantined:
		p.stats.Quarantined[outcome.Rejection.Class]++
		return quarantine.Add(p.writer, s, outcome.Rejection)
	case decide.Dropped:
		p.stats.filtered(outcome.Reason)
		return nil
	case decide.Waiting:
		// Perhaps no server has the definitions: the submission must not wait for ever.
		if maxWait := p.w.o.MaxWait; maxWait > 0 && time.Since(s.Time) > maxWait {
			rejection := outcome.Outage.Rejection()
			p.stats.Quarantined[rejection.Class]++
			return quarantine.Add(p.writer, s, rejection)
		}
		if p.waiting == nil {
			p.outage = outcome.Outage
			var err error
			if p.waiting, err = newWaitingLog(p.w.data, p.writer, p.source); err != nil {
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
	repeated, err := p.writer.Repeated(convert.DocumentName(s.Path, record.ID), record.TextSum[:], s.Time)
	if err != nil {
		return err
	}
	if repeated {
		p.stats.Repeated++
		return nil
	}

	p.stats.Conflicts = p.writer.Conflicts()

	p.stats.Records++
	p.stats.RawBytes += int64(record.RawBytes)
	for i := range p.stats.Mismatched {
		p.stats.Mismatched[i] += int64(record.Mismatched >> i & 1) // a bit for each dimension
	}

	p.writer.SetTime(s.Time)
	p.writer.SetClients(outcome.Subject.Clients)
	return p.writer.Add(outcome.Partition, record.ID, record.JSON)
}

// commit publishes what was added, with the statistics of the conversion, which describe
// returns for the paths where all is published.
func (p *publication) commit(ctx context.Context, describe func(paths []string) statistics.RawLog) error {
	// Of a raw log that goes on in parts there is nothing to say, if nothing was lost and it
	// cannot come again.
	if p.stats.Divided == 0 || p.stats.BytesLost > 0 || p.settled != nil {
		statistics.Attach(p.writer, p.source, describe)
	}

	var err error
	p.stats.Published, err = p.writer.Commit(ctx)
	return err
}
