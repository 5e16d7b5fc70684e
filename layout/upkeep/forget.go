package upkeep

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// ForgetOptions tune Forget.
type ForgetOptions struct {
	// All are the clients that are forgotten, and Due those among them whose records must
	// go now.
	All, Due *forget.Set
	// Grace is how long replaced files stay for the jobs that still read them; 0: none does.
	Grace time.Duration
	Now   time.Time
	// Again looks everywhere. Otherwise what has no filter is read only if it was not
	// read for the same clients before, and nothing is done twice within a day.
	Again bool
	Zstd  string
	Log   *slog.Logger
}

// Forgot is what Forget did.
type Forgot struct {
	Segments int   // that were written again, or removed
	Records  int64 // that are gone
	Versions int   // of objects that were removed
}

// lookedFor is the content of layout.ForgetFile.
type lookedFor struct {
	Due  string    `json:"due"` // sum of the set
	Time time.Time `json:"time"`
}

// lookAgainAfter is how often the filters of all segments are read, for what came back since.
const lookAgainAfter = 23 * time.Hour

// Forget removes the records of the clients that are due from segments, quarantine and trash,
// by writing again the files that have some. Files of the damaged are removed. It is
// crash-safe as Compact is, and running it again does nothing. A damaged segment stays, and
// the error wraps a *layout.CorruptError for each. ErrBusy while Compact runs.
func (p *Place) Forget(ctx context.Context, o ForgetOptions) (done Forgot, err error) {
	if o.Due.Len() == 0 {
		return done, nil
	}
	f := &forgetting{
		p: p,
		o: o,
		c: compactor{t: p.tree, site: p.site, o: CompactOptions{Grace: o.Grace, Now: o.Now, Zstd: o.Zstd, Log: o.Log, Forget: o.All}},
	}

	err = p.locked(ctx, func() error { return f.run(ctx) })
	if err != nil {
		err = fmt.Errorf("forget: %w", err)
	}
	f.done.Records += f.c.st.Forgotten
	return f.done, errors.Join(err, errors.Join(f.c.damage...))
}

// forgetting is a Forget at work.
type forgetting struct {
	p    *Place
	o    ForgetOptions
	c    compactor
	done Forgot
	all  bool // files without a filter are read, too
}

// run does everything. The caller holds the lock.
func (f *forgetting) run(ctx context.Context) error {
	sum := f.o.Due.Sum()
	looked := lookedFor{Due: hex.EncodeToString(sum[:]), Time: f.o.Now}
	before, err := f.before(ctx)
	if err != nil {
		return err
	}

	// If the same clients were looked for before, only files with a filter are checked again.
	f.all = f.o.Again || before.Due != looked.Due

	if !f.all && f.o.Now.Sub(before.Time).Abs() < lookAgainAfter {
		return nil
	}

	// What earlier calls replaced goes when its time of grace is over.
	f.c.o.Now, err = f.p.believed(ctx, f.o.Now)
	if err != nil {
		return err
	}

	if _, err := f.c.site.purge(ctx, f.c.o); err != nil {
		return err
	}

	if err := f.segments(ctx); err != nil {
		return err
	}

	// The trash and damaged files are read only if the clients changed or Again is set.
	for _, dir := range []string{layout.TrashDir, layout.DamagedDir} {
		if f.all {
			if err := f.below(ctx, dir, dir == layout.TrashDir); err != nil {
				return err
			}
		}
	}

	if err := f.versions(ctx); err != nil {
		return err
	}

	// Saved last, so that a run that failed is done again as a whole.
	doc, err := json.Marshal(looked)
	if err != nil {
		return err
	}
	return f.p.site.save(ctx, layout.ForgetFile, doc)
}

// before returns what was looked for before; nothing if that is not known.
func (f *forgetting) before(ctx context.Context) (before lookedFor, err error) {
	doc, err := f.p.site.load(ctx, layout.ForgetFile)
	if errors.Is(err, fs.ErrNotExist) {
		return before, nil
	}

	if err == nil && json.Unmarshal(doc, &before) != nil {
		before = lookedFor{} // damaged: look again
	}
	return before, err
}

// segments writes again the segments that have records of clients that are due.
func (f *forgetting) segments(ctx context.Context) error {
	// The quarantine has data of clients, too.
	everything := schema.All()
	everything.IncludeQuarantined = true
	listing, err := f.p.tree.List(ctx, everything)
	if err != nil {
		return err
	}

	// Rows are merged by partition, files in columns are written one by one.
	due := map[string]bool{}
	plain := map[string]bool{} // partitions with a file without an index that is due
	var inColumns []layout.Segment
	for _, seg := range listing.Segments {
		has, err := f.has(ctx, seg)
		if err != nil {
			return err
		}
		if !has {
			continue
		}

		f.done.Segments++
		if seg.InColumns() {
			inColumns = append(inColumns, seg)
			continue
		}

		due[seg.Path] = true
		plain[seg.Group()] = plain[seg.Group()] || !seg.Seekable()
	}

	// Files without an index may have no name that tells them apart: all of the partition go.
	hidden := listing.Hidden
	if f.o.Grace > 0 {
		hidden = nil
	}

	byGroup := mergesByGroup(listing.Segments, hidden, func(seg layout.Segment) bool {
		return due[seg.Path] || !seg.InColumns() && plain[seg.Group()]
	})

	work := sortedMerges(byGroup)
	for _, m := range work {
		m.whatever = true
	}

	if err := f.c.merge(ctx, work); err != nil {
		return err
	}

	var days []*day
	for _, seg := range inColumns {
		// All partitions of a file are written again: it is replaced as a whole.
		seg.Parts, err = f.p.tree.AllParts(seg)
		if err != nil {
			return err
		}

		days = append(days, &day{date: seg.Dims[schema.SubmissionDate], version: seg.Version, columns: []layout.Segment{seg}})
	}

	if err := f.rewriteColumns(ctx, days...); err != nil {
		return err
	}
	return f.c.publish(ctx)
}

// has says whether a segment must be written again. A damaged one is noted, and stays.
func (f *forgetting) has(ctx context.Context, seg layout.Segment) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}

	// Files without a filter were read when these clients were looked for first.
	if !f.all {
		filter, err := f.p.tree.Clients(seg)
		if filter == nil || err != nil {
			return false, err
		}
	}

	has, err := f.p.tree.Has(seg, f.o.Due, f.o.Again)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // an expired one
	}
	if layout.IsDamage(err) {
		f.c.damage = append(f.c.damage, err)
		return false, nil
	}
	return has, err
}

// below writes the files below a folder again, or removes those that have such records.
func (f *forgetting) below(ctx context.Context, dir string, again bool) error {
	return eachFile(ctx, f.p, dir, func(name string) error {
		seg, err := f.p.tree.FileSegment(name, originOf(name))
		if err != nil || rawLogOf(name) {
			return err
		}

		has, err := f.p.tree.Has(seg, f.o.Due, f.o.Again)
		if layout.IsDamage(err) {
			// Of damaged files it is not known what else they have.
			has, err = dir == layout.DamagedDir && salvageHas(f.p.tree, seg, f.o.Due), nil
		}
		if err != nil || !has {
			return err
		}

		f.done.Segments++
		if !again {
			return f.p.site.remove(ctx, []string{name})
		}
		return f.rewrite(ctx, seg)
	})
}

// rewrite writes a file again in its place.
func (f *forgetting) rewrite(ctx context.Context, seg layout.Segment) (err error) {
	switch {
	case seg.InColumns():
		seg.Parts, err = f.p.tree.AllParts(seg)
		if err == nil {
			d := &day{date: seg.Dims[schema.SubmissionDate], version: seg.Version, columns: []layout.Segment{seg}, under: seg.Path}
			err = f.rewriteColumns(ctx, d)
		}
	case seg.Seekable():
		err = f.c.merge(ctx, []*merge{{in: []layout.Segment{seg}, whatever: true, under: seg.Path}})
	default:
		// A file without an index becomes one with an index, whose name differs.
		err = f.c.merge(ctx, []*merge{{in: []layout.Segment{seg}, whatever: true, under: seg.SeekableName()}})
	}
	if err != nil {
		return err
	}
	return f.c.publish(ctx)
}

// rewriteColumns writes segments in columns again.
func (f *forgetting) rewriteColumns(ctx context.Context, days ...*day) error {
	enc, err := columns.NewEncoder()
	if err != nil {
		return err
	}
	defer enc.Close()

	for _, d := range days {
		if err := f.c.rewriteDay(ctx, enc, d); err != nil {
			return err
		}
	}
	return nil
}

// originOf returns the path that a file of the trash, or of the damaged, had.
func originOf(name string) string {
	for _, dir := range []string{layout.DamagedDir, layout.TrashDir} {
		rest, ok := cutDir(name, dir)
		if !ok {
			continue
		}

		if dir == layout.TrashDir {
			_, rest, _ = strings.Cut(rest, "/") // the run
		}

		return rest
	}
	return ""
}

// Left is a file that has data of a forgotten client, and why it is known or feared.
type Left struct {
	Path string
	Why  string
}

// Left reads everything that there is of the place, and returns what has data of the clients,
// or may have it, because it is damaged.
func (p *Place) Left(ctx context.Context, set *forget.Set) (left []Left, err error) {
	if set.Len() == 0 {
		return nil, nil
	}

	everything := schema.All()
	everything.IncludeQuarantined = true
	listing, err := p.tree.List(ctx, everything)
	if err != nil {
		return nil, err
	}

	// A file that cannot be read may have such data, so it is reported.
	look := func(seg layout.Segment, why string) error {
		if err := ctx.Err(); err != nil {
			return err
		}

		has, err := p.tree.Has(seg, set, true)

		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case layout.IsDamage(err), errors.Is(err, layout.ErrNewer):
			left = append(left, Left{seg.Path, "cannot be read: " + err.Error()})
			return nil
		case has:
			left = append(left, Left{seg.Path, why})
		}
		return err
	}

	for _, seg := range listing.Segments {
		if err := look(seg, "has records"); err != nil {
			return nil, err
		}
	}

	for _, seg := range listing.Hidden {
		if err := look(seg, "is replaced, and stays for the time of grace"); err != nil {
			return nil, err
		}
	}

	// These folders are in no listing of segments.
	for dir, why := range map[string]string{
		layout.ReplacedDir: "is replaced, and stays for the time of grace",
		layout.TrashDir:    "is in the trash",
		layout.DamagedDir:  "is damaged, and was put aside",
	} {
		if _, remote := p.site.(*bucket); remote && dir == layout.ReplacedDir {
			continue // lists of what is hidden
		}

		err := eachFile(ctx, p, dir, func(name string) error {
			seg, err := p.tree.FileSegment(name, originOf(name))
			if err != nil || rawLogOf(name) {
				return err
			}

			has, err := p.tree.Has(seg, set, true)

			// Of a damaged file, what can still be read decides.
			if layout.IsDamage(err) || errors.Is(err, layout.ErrNewer) {
				has, err = salvageHas(p.tree, seg, set), nil
			}

			if has {
				left = append(left, Left{name, why})
			}
			return err
		})

		if err != nil {
			return nil, err
		}
	}

	old, err := p.oldVersions(ctx, set)
	return append(left, old...), err
}

// eachFile calls do with the path of each file below a folder.
func eachFile(ctx context.Context, p *Place, dir string, do func(name string) error) error {
	entries, err := p.site.files().List(ctx, dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name)
		if entry.Dir {
			err = eachFile(ctx, p, name, do)
		} else if entry.Regular {
			err = do(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // removed meanwhile
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cutDir returns the path below a folder.
func cutDir(name, dir string) (below string, ok bool) { return strings.CutPrefix(name, dir+"/") }

// rawLogOf says whether a file of the damaged is a raw log; package worker reads those.
func rawLogOf(name string) bool {
	_, ok := cutDir(name, path.Join(layout.DamagedDir, layout.RawDir))
	return ok
}

// salvageHas says whether what can be read of a damaged segment has a record of a client.
func salvageHas(t *layout.Tree, seg layout.Segment, set *forget.Set) (has bool) {
	t.Salvage(seg, false, func(lines []byte, _ segment.IDs) error {
		for line := range bytes.Lines(lines) {
			found, _ := set.Line(nil, line)
			has = has || found || layout.RejectedIsForgotten(line, set)
		}
		return nil
	}) // its error is the damage
	return has
}
