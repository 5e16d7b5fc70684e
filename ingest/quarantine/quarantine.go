package quarantine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Add quarantines a submission by w's commit. It keeps nothing of the submission.
func Add(w *layout.Writer, s *rawlog.Submission, why *convert.Rejection) error {
	return w.AddRejected(layout.Rejected{
		Class:   why.Class,
		Message: why.Message,
		Time:    s.Time,
		Origin:  s.Origin.Log,
		Offset:  s.Origin.Offset,
		Country: s.Country,
		Path:    s.Path,
		Request: []byte(s.Request),
		Body:    s.Body,
	})
}

// Segments lists the segments of the quarantine, those of one class or, for "", of
// all.
func Segments(ctx context.Context, tree *layout.Tree, class string) ([]layout.Segment, error) {
	// schema.All leaves the quarantine out.
	everything := schema.All()
	everything.IncludeQuarantined = true
	all, err := tree.Segments(ctx, everything)
	if err != nil {
		return nil, err
	}

	var quarantined []layout.Segment
	for _, segment := range all {
		if segment.Quarantined && (class == "" || segment.Class == class) {
			quarantined = append(quarantined, segment)
		}
	}
	return quarantined, nil
}

// Read walks the submissions of a quarantined segment. It ends after an error, which
// wraps *layout.CorruptError if the segment is damaged.
func Read(tree *layout.Tree, segment layout.Segment) iter.Seq2[layout.Rejected, error] {
	return func(yield func(layout.Rejected, error) bool) {
		reader, err := tree.Open(segment, 0, -1)
		if err != nil {
			yield(layout.Rejected{}, err)
			return
		}
		defer reader.Close()

		for {
			lines, err := reader.Next()
			if err == io.EOF {
				return
			}

			// A damaged segment yields what can be read before the error.
			for line := range bytes.Lines(lines) {
				_, doc, _ := bytes.Cut(line, []byte{'\t'})
				rejected, err := layout.ParseRejected(doc)
				if err != nil {
					err = fmt.Errorf("%s: %w", segment.Path, err)
				}

				if !yield(rejected, err) || err != nil {
					return
				}
			}

			if err != nil {
				yield(layout.Rejected{}, err)
				return
			}
		}
	}
}
