package layout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// TreeStats says what ImportTree took over.
type TreeStats struct {
	Files    int
	Records  int64
	BadLines int64 // that are no record; they are in quarantine as "bad_line"
}

// Repartition returns the partition of a record that lies in a partition of
// another schema: d holds clean values, and so are the allowed ones compared.
func (s *Schema) Repartition(d Dims) Dims {
	for i := range d {
		if i != Date && !s.Allowed[i].sanitised(i).Allows(d[i]) {
			d[i] = Other
		}
		d[i] = Sanitise(i, d[i])
	}
	return d
}

// ImportTree publishes the valid records of another tree, the predecessor's or
// an older data folder's, in the partitions that this folder's schema gives
// them. Records keep their storage version. Each file is taken over as a whole,
// or not at all; what it becomes depends on its content, so that taking it over
// again replaces its records. A damaged file is left out, and the error, then,
// wraps a *CorruptError for each. done, if not nil, is called after each file.
func (d *Data) ImportTree(ctx context.Context, t *Tree, f Filter, done func(Segment)) (TreeStats, error) {
	var st TreeStats
	f.IncludeInvalid = false
	segs, err := t.Segments(ctx, f)
	if err != nil {
		return st, err
	}
	var damage []error
	for _, s := range segs {
		one, err := d.importFile(ctx, t, s)
		if isDamaged(err) {
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

func (d *Data) importFile(ctx context.Context, t *Tree, s Segment) (st TreeStats, err error) {
	f, err := t.store.open(s.Path)
	if err != nil {
		return st, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, f.size())); err != nil {
		return st, err
	}
	var ids idIndex
	if s.Seekable() {
		ix, err := readIndex(f, f.size())
		if err == nil {
			ids, err = ix.readIDs(f)
		}
		if err != nil {
			return st, inFile(s.Path, err)
		}
	}
	w, err := d.NewWriter("tree-"+hex.EncodeToString(sum.Sum(nil)[:16]), WriterOptions{})
	if err != nil {
		return st, err
	}
	w.version = s.Version
	defer w.Abort()
	r, err := t.Open(s, 0, -1)
	if err != nil {
		return st, err
	}
	defer r.Close()
	p := d.schema.Repartition(s.Dims)
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
			if w.msOfDay = 0; n < ids.len() {
				_, w.msOfDay = ids.at(n)
			}
			n++
			l = bytes.TrimRight(l, "\r\n")
			id, json, _ := bytes.Cut(l, []byte("\t"))
			err := w.Add(p, id, json)
			st.Records++
			if errors.Is(err, ErrBadRecord) || errors.Is(err, ErrRecordTooLarge) {
				st.Records--
				st.BadLines++
				err = w.AddInvalid(Invalid{Class: "bad_line", Message: err.Error(), Origin: s.Path, Offset: int64(n), Body: l})
			}
			if err != nil {
				return st, err
			}
		}
	}
	_, err = w.Commit(ctx)
	return st, err
}
