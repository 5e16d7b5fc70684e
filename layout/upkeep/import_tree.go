package upkeep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// TreeStats says what ImportTree took over.
type TreeStats struct {
	Files    int
	Records  int64
	BadLines int64 // that are no record; they are in quarantine as "bad_line"
}

// ImportTree publishes the valid records of another tree, the predecessor's or
// an older data folder's, in the partitions that this folder's schema gives
// them. Records keep their storage version. Each file is taken over as a whole,
// or not at all; what it becomes depends on its content, so that taking it over
// again replaces its records. A damaged file is left out, and the error, then,
// wraps a *CorruptError for each. done, if not nil, is called after each file.
func ImportTree(ctx context.Context, d *layout.Data, t *layout.Tree, f schema.Filter, done func(layout.Segment)) (TreeStats, error) {
	var st TreeStats
	f.IncludeQuarantined = false
	segs, err := t.Segments(ctx, f)
	if err != nil {
		return st, err
	}
	var damage []error
	for _, s := range segs {
		one, err := importFile(ctx, d, t, s)
		if layout.IsDamage(err) {
			damage = append(damage, err)
			continue
		}
		if err != nil {
			return st, fmt.Errorf("import %s: %w", s.Path, err)
		}
		st.Files++
		st.Records += one.Records
		st.BadLines += one.BadLines
		if done != nil {
			done(s)
		}
	}
	return st, errors.Join(damage...)
}

func importFile(ctx context.Context, d *layout.Data, t *layout.Tree, s layout.Segment) (st TreeStats, err error) {
	f, err := t.OpenFile(s)
	if err != nil {
		return st, err
	}
	defer f.Close()
	sum := sha256.New()
	f.Ahead(0, f.Size())
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size())); err != nil {
		return st, err
	}
	var ids segment.IDs
	if s.Seekable() {
		ix, err := segment.ReadIndex(f, f.Size())
		if err == nil {
			ids, err = ix.ReadIDs(f)
		}
		if err != nil {
			return st, layout.InFile(s.Path, err)
		}
	}
	w, err := d.NewWriter("tree-"+hex.EncodeToString(sum.Sum(nil)[:16]), layout.WriterOptions{})
	if err != nil {
		return st, err
	}
	w.SetVersion(s.Version)
	defer w.Abort()
	r, err := t.Open(s, 0, -1)
	if err != nil {
		return st, err
	}
	defer r.Close()
	p := d.Schema().Repartition(s.Dims)
	for n := 0; ; {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return st, err
		}
		for l := range bytes.Lines(b) {
			if n < ids.Len() {
				_, ms := ids.At(n)
				w.SetTime(time.UnixMilli(int64(ms)))
			}
			n++
			l = bytes.TrimRight(l, "\r\n")
			id, json, _ := bytes.Cut(l, []byte("\t"))
			err := w.Add(p, id, json)
			st.Records++
			if errors.Is(err, layout.ErrBadRecord) || errors.Is(err, layout.ErrRecordTooLarge) {
				st.Records--
				st.BadLines++
				err = w.AddRejected(layout.Rejected{Class: "bad_line", Message: err.Error(), Origin: s.Path, Offset: int64(n), Body: l})
			}
			if err != nil {
				return st, err
			}
		}
	}
	_, err = w.Commit(ctx)
	return st, err
}
