package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"
)

// Finding is one thing that Check found wrong.
type Finding struct {
	Path string
	// Err is a *CorruptError with the place for damage, else what is odd: a stray
	// file, a name that no writer gives, a publication that was interrupted.
	Err error
	// Repaired says what was done about it, as a sentence; "" is nothing.
	Repaired string
}

// Damage says whether stored records are damaged or lost, not just oddly kept.
func (f Finding) Damage() bool { return isDamaged(f.Err) }

// CheckStats counts what Check read.
type CheckStats struct {
	Segments int
	Records  int64
	RawBytes int64 // uncompressed
	Bytes    int64 // on disk
}

// Check reads every segment of the tree, quarantined ones too: names, index,
// checksums, counts, ID index and the shape of each line. It returns what it
// found wrong, by path; the error is about the disk, not the data.
func (t *Tree) Check(ctx context.Context) (CheckStats, []Finding, error) {
	var st CheckStats
	w := walk{t: t, f: All()}
	w.f.IncludeInvalid = true
	if err := w.all(ctx); err != nil {
		return st, nil, fmt.Errorf("check: %w", err)
	}
	var found []Finding
	for _, name := range w.strays {
		found = append(found, Finding{Path: name, Err: errors.New("stray: no segment has such a name")})
	}
	infos := make([]Info, len(w.found))
	errs := make([]error, len(w.found))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range w.found {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			infos[i], errs[i] = t.checkSegment(s)
			if errs[i] != nil && !isDamaged(errs[i]) && !errors.Is(errs[i], fs.ErrNotExist) {
				return errs[i]
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return st, nil, fmt.Errorf("check: %w", err)
	}
	for i, s := range w.found {
		if errors.Is(errs[i], fs.ErrNotExist) {
			continue // retention removed it
		}
		st.Segments++
		st.Records += infos[i].Records
		st.RawBytes += infos[i].RawBytes
		st.Bytes += s.Size
		if errs[i] != nil {
			found = append(found, Finding{Path: s.Path, Err: errs[i]})
		}
		for dim, v := range s.Dims {
			if t.data && v != Sanitise(dim, v) {
				found = append(found, Finding{Path: s.Path, Err: fmt.Errorf("odd name: %s %q is not clean", DimNames[dim], v)})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	return st, found, nil
}

// checkSegment reads a whole segment. The counts are of what could be read.
func (t *Tree) checkSegment(s Segment) (Info, error) {
	var in Info
	err := t.salvage(s, true, func(lines []byte, _ idIndex) error {
		in.Records += int64(bytes.Count(lines, []byte("\n")))
		in.RawBytes += int64(len(lines))
		return nil
	})
	return in, err
}

// salvage hands out what can be read of a segment, block by block with the ID
// index of its records, and returns the first damage, a *CorruptError, or an
// error of the disk or of emit. With strict it stops at the damage.
func (t *Tree) salvage(s Segment, strict bool, emit func(lines []byte, ids idIndex) error) error {
	f, err := t.store.open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if !s.Seekable() {
		return inFileIf(s.Path, salvageText(f, s.ext, emit))
	}
	var first error
	damage := func(err error) bool {
		if !isDamaged(err) {
			return false
		}
		if first == nil {
			first = err
		}
		return !strict
	}
	ix, err := readIndex(f, f.size())
	if err != nil {
		if !damage(err) {
			return inFileIf(s.Path, err)
		}
		ix = &index{frames: findFrames(f, f.size())}
	}
	ids, err := ix.readIDs(f)
	if err != nil && !damage(err) {
		return inFileIf(s.Path, err)
	}
	record := 0
	for i, e := range ix.frames {
		fr := frames{r: f, list: ix.frames[i : i+1]}
		b, err := fr.block()
		var of idIndex
		if ids.len() > 0 {
			of = ids.slice(record, record+int(ix.perFrame[i]))
			record += int(ix.perFrame[i])
		}
		if err == nil && ix.perFrame != nil && uint32(xxhash.Sum64(b)) != e.Checksum {
			err = &CorruptError{Offset: f.size(), Err: fmt.Errorf("the seek table has another checksum of frame %d", i)}
			if damage(err) {
				err = nil
			}
		}
		if err == nil {
			of, err = checkLines(b, of, int64(e.CompressedOffset), ids.len() > 0)
		}
		if err == nil {
			err = emit(b, of)
		}
		if err != nil && !damage(err) {
			return inFileIf(s.Path, err)
		}
	}
	return inFileIf(s.Path, first)
}

func inFileIf(name string, err error) error {
	if err == nil {
		return nil
	}
	return inFile(name, err)
}

// checkLines checks that each line is id \t something, and that the ID index
// agrees; where there is none it makes one, without times.
func checkLines(b []byte, ids idIndex, offset int64, indexed bool) (idIndex, error) {
	n := 0
	for l := range bytes.Lines(b) {
		id, doc, ok := bytes.Cut(l, []byte("\t"))
		if !ok || len(id) == 0 || len(doc) < 2 {
			return ids, &CorruptError{Offset: offset, Err: fmt.Errorf("line %d of the frame is no record", n+1)}
		}
		if !indexed {
			ids.add(IDOf(id), 0)
		} else if n >= ids.len() {
			break
		} else if got, _ := ids.at(n); got != IDOf(id) {
			return ids, &CorruptError{Offset: offset, Err: fmt.Errorf("the ID index does not have the ID of line %d of the frame", n+1)}
		}
		n++
	}
	if got := bytes.Count(b, []byte("\n")); got != ids.len() {
		return ids, &CorruptError{Offset: offset, Err: fmt.Errorf("the frame has %d records, the trailer says %d", got, ids.len())}
	}
	return ids, nil
}

// salvageText reads an old file up to its damage.
func salvageText(f file, ext string, emit func([]byte, idIndex) error) error {
	src, err := unpack(f, f.size(), ext)
	if err != nil {
		return &CorruptError{Err: err}
	}
	l := lines{r: src}
	defer l.Close()
	for {
		at := l.read
		b, err := l.block()
		if err == io.EOF {
			return nil
		}
		var ids idIndex
		if err == nil {
			ids, err = checkLines(b, ids, at, false)
		}
		if err == nil {
			err = emit(b, ids)
		}
		if err != nil {
			return err
		}
	}
}

// Check does what Tree.Check does, also reports publications that were
// interrupted, and with repair puts right what it can: a damaged segment is
// moved to state/damaged, and its place is taken by what can still be read of
// it; interrupted publications are finished. ErrBusy while Compact runs.
func (d *Data) Check(ctx context.Context, repair bool) (CheckStats, []Finding, error) {
	if !repair {
		st, found, err := d.Tree().Check(ctx)
		if err == nil {
			found, err = d.checkStaging(found)
		}
		return st, found, err
	}
	lock, err := d.lockCompaction()
	if err != nil {
		return CheckStats{}, nil, fmt.Errorf("repair: %w", err)
	}
	defer lock.Close()
	interrupted, err := d.checkStaging(nil)
	if err != nil {
		return CheckStats{}, nil, err
	}
	if len(interrupted) > 0 {
		if err := d.Recover(ctx); err != nil {
			return CheckStats{}, interrupted, err
		}
		for i := range interrupted {
			interrupted[i].Repaired = "finished or dropped"
		}
	}
	st, found, err := d.Tree().Check(ctx)
	for i := range found {
		if err == nil && found[i].Damage() {
			found[i].Repaired, err = d.repair(found[i].Path)
		}
	}
	return st, append(found, interrupted...), err
}

// checkStaging adds the staging folders that nobody works on.
func (d *Data) checkStaging(found []Finding) ([]Finding, error) {
	es, err := d.disk.list(StagingDir)
	if err != nil {
		return found, err
	}
	for _, e := range es {
		name := path.Join(StagingDir, e.Name())
		lock, err := d.disk.lockDir(name)
		if errors.Is(err, ErrBusy) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return found, err
		}
		lock.Close()
		found = append(found, Finding{Path: name, Err: errors.New("a publication was interrupted")})
	}
	return found, nil
}
