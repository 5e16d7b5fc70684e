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
	"github.com/aitgithub/telemetry-server/revisions"
)

// Quarantine lists the segments of the quarantine, those of one class or, for
// "", of all.
func Quarantine(ctx context.Context, tree *layout.Tree, class string) ([]layout.Segment, error) {
	f := layout.All()
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
}

// Replay converts the quarantined submissions of a class ("": of all) again.
// What can be converted now is published and leaves the quarantine by the same
// commit, segment by segment; what cannot stays, with the reason that it has
// now. With dry, nothing is changed. Errors wrap layout.ErrBusy while the
// folder's segments are being replaced by someone else. conv belongs to the
// caller's goroutine until Replay returns.
func Replay(ctx context.Context, data *layout.Data, conv *convert.Converter, class string, dry bool) (Replayed, error) {
	total := Replayed{Invalid: map[string]int64{}}
	if !dry {
		lock, err := data.Lock()
		if err != nil {
			return total, err
		}
		defer lock.Close()
	}
	segs, err := Quarantine(ctx, data.Tree(), class)
	for _, s := range segs {
		if err == nil {
			err = replaySegment(ctx, data, conv, s, dry, &total)
		}
	}
	return total, err
}

func replaySegment(ctx context.Context, data *layout.Data, conv *convert.Converter, s layout.Segment, dry bool, total *Replayed) (err error) {
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
		sub := rawlog.Submission{Path: q.Path, Body: q.Body, Time: q.Time}
		rec, err := conv.Convert(ctx, &sub)
		bad, rejected := errors.AsType[*convert.Reject](err)
		switch {
		case err == nil:
			changed = true
			total.Records++
			w.SetTime(q.Time)
			err = w.Add(data.Schema().Partition(rec.Dims), rec.ID, rec.JSON)
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
