package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Replayed counts what became of quarantined submissions that were converted again.
type Replayed struct {
	Tried   int64
	Records int64 // published
	// Quarantined counts, by class, those that stay in the quarantine.
	Quarantined map[string]int64
	// Waiting counts those among them whose definitions are not available now.
	Waiting int64
	// Dropped counts, by reason, those that the filter dropped.
	Dropped map[string]int64
}

// Replay converts the quarantined submissions of a class ("": of all) again, segment
// by segment. With dryRun it only counts.
//
// A conversion without a filter leaves what a filter quarantined where it is, unless
// the class of that is asked for. So does every one with what was too large. Errors wrap layout.ErrBusy while somebody else
// replaces the folder's segments.
func Replay(ctx context.Context, data *layout.Data, c *decide.Conversion, class string, dryRun bool) (Replayed, error) {
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
	}

	// All of them are listed first: a replayed segment does not come again.
	segments, err := Segments(ctx, data.Tree(), class)
	if err != nil {
		return r.counts, err
	}

	r.converter = c.NewConverter(ctx)
	defer r.converter.Close()

	for _, segment := range segments {
		byFilter := segment.Class == convert.ClassFilter || segment.Class == convert.ClassFilterError
		if byFilter && class == "" && !c.HasFilter() {
			continue
		}
		if segment.Class == convert.ClassTooLarge && class == "" {
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

	writer  *layout.Writer // of the segment in hand
	changed bool           // the segment in hand has to be written anew
}

// segment replays one segment of the quarantine.
func (r *replay) segment(ctx context.Context, segment layout.Segment) (err error) {
	// The name is a function of the segment's: after a crash the same files are
	// written again.
	sum := sha256.Sum256([]byte(segment.Path))
	r.writer, err = r.data.NewWriter("replay."+hex.EncodeToString(sum[:10]), layout.WriterOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.writer.Abort()) }() // does nothing after Commit
	r.writer.Supersede(segment.Path)                            // unless the new segment has its name

	r.changed = false
	// A dry run writes it too, into the staging folder, and gives it up.
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

	if r.dryRun || !r.changed {
		return nil
	}

	_, err = r.writer.Commit(ctx)
	return err
}

// submission replays one submission of the quarantine.
func (r *replay) submission(ctx context.Context, rejected layout.Rejected) error {
	r.counts.Tried++
	outcome, err := r.converter.Convert(ctx, submissionOf(rejected))
	if err != nil {
		return err
	}
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
		r.counts.Records++
		r.writer.SetTime(rejected.Time)
		return r.writer.Add(outcome.Partition, outcome.Record.ID, outcome.Record.JSON)
	case decide.Dropped:
		r.changed = true
		r.counts.Dropped[outcome.Reason]++
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
