package worker

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// settled has the submissions of a file whose outcome stays when the file is imported
// again. What the earlier import published or quarantined is replaced where it lies under
// the name of the import. It lies elsewhere after
//
//	a compaction    in the merged segment, among others
//	a replay        in the segments of the replay of its quarantine
//
// There it cannot be replaced, whatever the filter decides now; so it counts as repeated.
type settled struct {
	data *layout.Data

	replaced []string        // segments of the import, which its new outcome replaces
	kept     []string        // the others, which the statistics must go on naming
	seen     map[string]bool // names of segments
	holders  map[string]bool // paths of those that have their records now
	receipts map[receipt]int // how often each is in a holder
}

// receipt is what makes a submission and its record, or its rejection, the same one.
type receipt struct {
	id      segment.ID
	day     schema.Date
	msOfDay int64
}

// receiptOf returns the receipt of a document that was received at that time.
func receiptOf(id []byte, received time.Time) receipt {
	received = received.UTC()
	midnight := received.Truncate(24 * time.Hour)
	return receipt{segment.IDOf(id), schema.DateOf(received), received.Sub(midnight).Milliseconds()}
}

// findSettled finds out what became of the segments that an earlier import published.
func (w *Worker) findSettled(ctx context.Context, earlier statistics.RawLog) (*settled, error) {
	s := &settled{data: w.data, seen: map[string]bool{}, holders: map[string]bool{}, receipts: map[receipt]int{}}
	for _, name := range earlier.Segments {
		if err := s.locate(ctx, name, false); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// locate finds the records of a segment that was published under that name. replayed
// says that it is a replay's, so that it is not the import's to replace.
func (s *settled) locate(ctx context.Context, name string, replayed bool) error {
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true

	holder, err := s.data.Holder(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was replayed, or removed
	case err != nil:
		return err
	case holder.Path == name && !replayed:
		s.replaced = append(s.replaced, name)
	default:
		s.keep(name, replayed)
		if err := s.add(holder); err != nil {
			return err
		}
	}

	// Earlier segments of that name may have been replayed.
	replay, err := statistics.Find(s.data.Root(), quarantine.TraceSource(name), s.data.Log())
	if err != nil {
		return err
	}
	for _, segment := range replay.Segments {
		s.keep(name, replayed)
		if err := s.locate(ctx, segment, true); err != nil {
			return err
		}
	}
	return nil
}

// keep makes the statistics go on naming a segment of the import; those of a replay are
// found by its trace.
func (s *settled) keep(name string, replayed bool) {
	if !replayed {
		s.kept = append(s.kept, name)
	}
}

// add counts the records of a segment.
func (s *settled) add(holder layout.Segment) error {
	if s.holders[holder.Path] {
		return nil
	}
	s.holders[holder.Path] = true

	if holder.Quarantined {
		for rejected, err := range quarantine.Read(s.data.Tree(), holder) {
			if err != nil {
				return err
			}
			s.receipts[receiptOf([]byte(idIn(rejected.Path)), rejected.Time)]++
		}
		return nil
	}

	ids, err := s.data.Tree().IDs(holder)
	if err != nil {
		return err
	}
	for record := range ids.Len() {
		id, msOfDay := ids.At(record)
		s.receipts[receipt{id, schema.Date(holder.Dims[schema.SubmissionDate]), int64(msOfDay)}]++
	}
	return nil
}

// has says whether a submission is settled, and counts it as found.
func (s *settled) has(submission *rawlog.Submission) bool {
	if s == nil || len(s.receipts) == 0 {
		return false
	}

	found := receiptOf([]byte(idIn(submission.Path)), submission.Time)
	if s.receipts[found] == 0 {
		return false
	}
	s.receipts[found]--
	return true
}

// idIn returns the document ID in the path of a submission.
func idIn(submissionPath string) string {
	// Of what was too large, a replay publishes the record under its own path.
	if _, original, ok := rawlog.ParseTooLarge(submissionPath); ok && original != "" {
		submissionPath = original
	}
	id, _, _ := strings.Cut(submissionPath, "/")
	return id
}

// segments returns what the statistics of the import name from now on, besides paths.
func (s *settled) segments(paths []string) []string {
	all := slices.Concat(paths, s.kept)
	slices.Sort(all)
	return slices.Compact(all)
}
