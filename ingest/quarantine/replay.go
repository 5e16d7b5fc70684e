package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Replayed counts what became of quarantined submissions that were converted again.
type Replayed struct {
	Tried   int64
	Records int64 // published
	// Repeated counts those that were published before, from another raw log or by an
	// earlier replay; they leave the quarantine. See layout.Data.DropRepeats.
	Repeated int64
	// Quarantined counts, by class, those that stay in the quarantine.
	Quarantined map[string]int64
	// Waiting counts those among them whose definitions are not available now.
	Waiting int64
	// Forgotten counts those of clients that asked to be forgotten; they are gone.
	Forgotten int64
	// Dropped counts, by reason, those that the filter dropped.
	Dropped map[string]int64
}

// Replay converts the quarantined submissions of a class ("": of all) again, segment
// by segment. With dryRun it only counts.
//
// A conversion without a filter leaves what a filter quarantined where it is, unless
// the class of that is asked for. So does every one with what was too large, and with what
// ended a process, which it may do again. Errors wrap layout.ErrBusy while somebody else
// replaces the folder's segments.
func Replay(ctx context.Context, data *layout.Data, c *decide.Conversion, class string, dryRun bool) (_ Replayed, err error) {
	r := &replay{
		data:   data,
		dryRun: dryRun,
		counts: Replayed{Quarantined: map[string]int64{}, Dropped: map[string]int64{}},
	}
	if !dryRun {
		lock, err := data.Lock()
		if err != nil {
			return r.counts, err
		}
		defer lock.Close()

		if err := r.forgetUnfinished(); err != nil {
			return r.counts, err
		}
	}

	// All of them are listed first: a replayed segment does not come again.
	segments, err := Segments(ctx, data.Tree(), class)
	if err != nil {
		return r.counts, err
	}

	forgotten, err := data.Forgotten(ctx)
	if err != nil {
		return r.counts, err
	}
	r.forgetting = decide.NewForgetting(forgotten, c.Deletions())

	r.converter = c.NewConverter(ctx)
	defer r.converter.Close()

	// A dry run writes too, for all segments into one staging folder, and gives it up: so
	// it finds the repeats among them.
	if dryRun {
		r.writer, err = data.NewWriter("replay.dry-run", layout.WriterOptions{})
		if err != nil {
			return r.counts, err
		}
		defer func() { err = errors.Join(err, r.writer.Abort()) }()
	}

	for _, segment := range segments {
		byFilter := segment.Class == convert.ClassFilter || segment.Class == convert.ClassFilterError
		if byFilter && class == "" && !c.HasFilter() {
			continue
		}
		onlyByName := segment.Class == convert.ClassTooLarge || segment.Class == convert.ClassEndedProcess
		if onlyByName && class == "" {
			continue
		}

		if err := r.segment(ctx, segment); err != nil {
			return r.counts, err
		}
	}
	return r.counts, nil
}

// replay is a Replay at work.
type replay struct {
	data      *layout.Data
	converter *decide.Converter
	dryRun    bool
	counts    Replayed

	forgetting *decide.Forgetting

	writer  *layout.Writer // of the segment in hand
	changed bool           // the segment in hand has to be written anew
}

// TraceSource is the source of the statistics that name the segments which the replays of
// a quarantined segment of that path published.
func TraceSource(segment string) string {
	sum := sha256.Sum256([]byte(segment))
	return "replayed." + hex.EncodeToString(sum[:10])
}

// segment replays one segment of the quarantine.
func (r *replay) segment(ctx context.Context, segment layout.Segment) (err error) {
	if r.dryRun {
		return r.submissions(ctx, segment)
	}

	// The name is a function of the segment, of its content too because another one may
	// get its path later: after a crash the same files are written again.
	identity, err := r.data.Tree().Fingerprint(segment)
	if err != nil {
		return err
	}
	name := replayPrefix + hex.EncodeToString(identity[:10])
	r.writer, err = r.data.NewWriter(name, layout.WriterOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.writer.Abort()) }() // does nothing after Commit
	r.writer.Supersede(segment.Path)                            // unless the new segment has its name

	r.changed = false
	err = r.submissions(ctx, segment)
	if err != nil || !r.changed {
		return err
	}

	err = r.leaveTrace(segment)
	if err == nil {
		err = r.note(name)
	}
	if err == nil {
		_, err = r.writer.Commit(ctx)
	}
	return err
}

// leaveTrace makes the commit say where the submissions of the segment went, for an
// import that had published it, perhaps before a compaction merged it.
func (r *replay) leaveTrace(segment layout.Segment) error {
	names, err := r.data.Replaced(segment)
	if err != nil {
		return err
	}

	for _, name := range append(names, segment.Path) {
		// Another segment had the path before, if its import came again.
		source := TraceSource(name)
		earlier, err := statistics.Find(r.data.Root(), source, r.data.Log())
		if err != nil {
			return err
		}
		statistics.Attach(r.writer, source, func(paths []string) statistics.RawLog {
			all := slices.Concat(earlier.Segments, paths)
			slices.Sort(all)
			return statistics.RawLog{Source: source, Segments: slices.Compact(all)}
		})
	}
	return nil
}

// submissions replays the submissions of a segment.
func (r *replay) submissions(ctx context.Context, segment layout.Segment) error {
	for rejected, err := range Read(r.data.Tree(), segment) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.submission(ctx, rejected)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// submission replays one submission of the quarantine.
func (r *replay) submission(ctx context.Context, rejected layout.Rejected) error {
	r.counts.Tried++
	submission := submissionOf(rejected)
	outcome, err := r.converter.Convert(ctx, submission)
	if err != nil {
		return err
	}
	r.writer.Forget(r.forgetting.Apply(submission, &outcome)...)
	return r.apply(rejected, outcome)
}

// submissionOf returns what was received, as far as the quarantine has it. What was
// too large has its own path again if it is whole.
func submissionOf(rejected layout.Rejected) *rawlog.Submission {
	bodyBytes, original, tooLarge := rawlog.ParseTooLarge(rejected.Path)
	if tooLarge && original != "" && bodyBytes == len(rejected.Body) {
		rejected.Path = original
	}

	return &rawlog.Submission{
		Country: rejected.Country,
		Path:    rejected.Path,
		Request: rawlog.Request(rejected.Request),
		Body:    rejected.Body,
		Time:    rejected.Time,
		Origin:  rawlog.Origin{Log: rejected.Origin, Offset: rejected.Offset},
	}
}

// apply publishes what a submission of the quarantine became, or quarantines it again.
func (r *replay) apply(rejected layout.Rejected, outcome decide.Outcome) error {
	switch outcome.Kind {
	case decide.Published:
		r.changed = true
		return r.publish(rejected, outcome)
	case decide.Dropped:
		r.changed = true
		r.counts.Dropped[outcome.Reason]++
		return nil
	case decide.Forgotten:
		r.changed = true
		r.counts.Forgotten++
		return nil
	case decide.Waiting:
		// Anything but an outage of the server, such as a full disk, ends the replay.
		if !errors.Is(outcome.Outage, revisions.ErrUnavailable) {
			return outcome.Outage
		}
		r.counts.Waiting++
	case decide.Quarantined:
		why := outcome.Rejection
		if why.Class != rejected.Class || why.Message != rejected.Message {
			r.changed = true
			rejected.Class = why.Class
			rejected.Message = why.Message
		}
	default:
		panic("quarantine: outcome of unknown kind") // a bug of this repository
	}

	// It stays, with the reason that it has now.
	r.counts.Quarantined[rejected.Class]++
	return r.writer.AddRejected(rejected)
}

// publish publishes the record of a submission, unless it was published before.
func (r *replay) publish(rejected layout.Rejected, outcome decide.Outcome) error {
	name := convert.DocumentName(submissionOf(rejected).Path, outcome.Record.ID)
	repeated, err := r.writer.Repeated(name, outcome.Record.TextSum[:], rejected.Time)
	if err != nil {
		return err
	}
	if repeated {
		r.counts.Repeated++
		return nil
	}

	r.counts.Records++
	r.writer.SetTime(rejected.Time)
	r.writer.SetClients(outcome.Subject.Clients)
	return r.writer.Add(outcome.Partition, outcome.Record.ID, outcome.Record.JSON)
}
