package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Quarantine lists the segments of the quarantine, those of one class or, for
// "", of all.
func Quarantine(ctx context.Context, tree *layout.Tree, class string) ([]layout.Segment, error) {
	f := schema.All()
	f.IncludeInvalid = true
	all, err := tree.Segments(ctx, f)
	var segs []layout.Segment
	for _, s := range all {
		if s.Invalid && (class == "" || s.Class == class) {
			segs = append(segs, s)
		}
	}
	return segs, err
}

// Quarantined walks the submissions of a quarantined segment. After an error
// there is no more.
func Quarantined(tree *layout.Tree, s layout.Segment) iter.Seq2[layout.Invalid, error] {
	return func(yield func(layout.Invalid, error) bool) {
		r, err := tree.Open(s, 0, -1)
		if err != nil {
			yield(layout.Invalid{}, err)
			return
		}
		defer r.Close()
		for {
			block, err := r.Next()
			if err == io.EOF {
				return
			}
			for line := range bytes.Lines(block) {
				_, doc, _ := bytes.Cut(line, []byte{'\t'})
				q, err := layout.ParseInvalid(doc)
				if err != nil {
					err = fmt.Errorf("%s: %w", s.Path, err)
				}
				if !yield(q, err) || err != nil {
					return
				}
			}
			if err != nil {
				yield(layout.Invalid{}, err)
				return
			}
		}
	}
}

// Replayed counts what became of quarantined submissions that were converted
// again.
type Replayed struct {
	Tried, Records int64
	// Invalid counts, by class, those that stay in the quarantine, Waiting those
	// among them whose definitions could not be had now.
	Invalid map[string]int64
	Waiting int64
	// Filtered counts, by reason, those that the filter dropped.
	Filtered map[string]int64
}

// Replay converts the quarantined submissions of a class ("": of all) again.
// What can be converted now is published, if the filter agrees, and leaves the
// quarantine by the same commit, segment by segment; what cannot stays, with the
// reason that it has now. Without a filter, what one has refused stays too,
// unless its class is asked for. With dry, nothing is changed. Errors wrap
// layout.ErrBusy while the folder's segments are being replaced by someone else.
func Replay(ctx context.Context, data *layout.Data, o Options, class string, dry bool) (Replayed, error) {
	total := Replayed{Invalid: map[string]int64{}, Filtered: map[string]int64{}}
	if !dry {
		lock, err := data.Lock()
		if err != nil {
			return total, err
		}
		defer lock.Close()
	}
	decide, free := NewDecider(ctx, o.Filter, data.Schema())
	defer free()
	again := func(s *rawlog.Submission) (convert.Record, error) {
		rec, err := o.Converter.Convert(ctx, s)
		if err == nil && decide != nil {
			err = decide(&rec)
		}
		return rec, err
	}
	segs, err := Quarantine(ctx, data.Tree(), class)
	for _, s := range segs {
		if class == "" && o.Filter == nil && (s.Class == convert.ClassFilter || s.Class == convert.ClassFilterError) {
			continue
		}
		if err == nil {
			err = replaySegment(ctx, data, again, s, dry, &total)
		}
	}
	return total, err
}

func replaySegment(ctx context.Context, data *layout.Data, again func(*rawlog.Submission) (convert.Record, error), s layout.Segment, dry bool, total *Replayed) (err error) {
	sum := sha256.Sum256([]byte(s.Path))
	w, err := data.NewWriter("replay."+hex.EncodeToString(sum[:10]), layout.WriterOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Abort()) }() // nothing, after Commit
	w.Supersede(s.Path)
	changed := false
	for q, err := range Quarantined(data.Tree(), s) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		total.Tried++
		sub := rawlog.Submission{Country: q.Country, Path: q.Path, Body: q.Body, Time: q.Time}
		rec, err := again(&sub)
		bad, rejected := errors.AsType[*convert.Reject](err)
		dropped, filtered := errors.AsType[*Filtered](err)
		switch {
		case err == nil:
			changed = true
			total.Records++
			w.SetTime(q.Time)
			err = w.Add(data.Schema().Partition(rec.Dims), rec.ID, rec.JSON)
		case filtered:
			changed = true
			total.Filtered[dropped.Reason]++
			err = nil
		case rejected:
			changed = changed || bad.Class != q.Class || bad.Message != q.Message
			q.Class, q.Message = bad.Class, bad.Message
			total.Invalid[q.Class]++
			err = w.AddInvalid(q)
		case errors.Is(err, revisions.ErrUnavailable):
			total.Waiting++
			total.Invalid[q.Class]++
			err = w.AddInvalid(q)
		}
		if err != nil {
			return err
		}
	}
	if dry || !changed {
		return nil
	}
	_, err = w.Commit(ctx)
	return err
}
