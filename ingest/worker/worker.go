package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"syscall"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Stats counts what became of the submissions of a raw log.
type Stats struct {
	Submissions int64
	Records     int64 // converted and published
	RawBytes    int64 // of the bodies, unpacked
	BytesLost   int64 // of the raw log, passed over as damage
	// Waiting counts the submissions whose definitions could not be had; they are
	// in a raw log of their own now.
	Waiting int64
	// Repeated counts the submissions that were received before, byte for byte,
	// and dropped; see layout.Data.DropRepeats.
	Repeated int64
	// Filtered counts what the filter dropped, by reason.
	Filtered map[string]int64
	// Invalid counts the quarantined submissions by class.
	Invalid map[string]int64
	// Mismatched counts, by dimension, where URL and payload differed.
	Mismatched [schema.NumDims]int64
	// Dropped counts the histograms left out of records.
	Dropped convert.DropCounts
	// Published are the segments, ordered by path.
	Published []layout.Published
}

// Quarantined returns how many submissions were invalid.
func (s *Stats) Quarantined() int64 { return total(s.Invalid) }

// FilteredOut returns how many submissions the filter dropped.
func (s *Stats) FilteredOut() int64 { return total(s.Filtered) }

func total(counts map[string]int64) (n int64) {
	for _, v := range counts {
		n += v
	}
	return n
}

// Add adds the counts of t, not its segments.
func (s *Stats) Add(t Stats) {
	s.Submissions += t.Submissions
	s.Records += t.Records
	s.RawBytes += t.RawBytes
	s.BytesLost += t.BytesLost
	s.Waiting += t.Waiting
	s.Repeated += t.Repeated
	if s.Invalid == nil {
		s.Invalid, s.Filtered, s.Dropped = map[string]int64{}, map[string]int64{}, convert.DropCounts{}
	}
	for class, n := range t.Invalid {
		s.Invalid[class] += n
	}
	for reason, n := range t.Filtered {
		s.Filtered[reason] += n
	}
	for i, n := range t.Mismatched {
		s.Mismatched[i] += n
	}
	for d, n := range t.Dropped {
		s.Dropped[d] += n
	}
}

// Options are what a raw log is converted with, from its start to its end.
type Options struct {
	// Converter belongs to the conversion until that ends.
	Converter *convert.Converter
	// Filter decides what of the converted submissions is published; nil: all.
	Filter Filter
	// Pace is called between submissions, and may wait, as rawlog.Log.Pace does; nil:
	// no pause.
	Pace func()
}

// ConvertLog converts raw/<source> and publishes its records, the bad
// submissions in the quarantine, all or none; the raw log is removed. If it
// fails, nothing has been published and the raw log is still there, or (after
// the commit) the rest is done by the next attempt. An error wraps
// layout.ErrBusy when a server still writes the log or someone else converts it.
// Submissions whose definitions cannot be had now go to another raw log, to be
// converted later; if that is all of them, the error wraps
// revisions.ErrUnavailable and the log stays.
func ConvertLog(ctx context.Context, data *layout.Data, source string, o Options) (Stats, error) {
	return publish(ctx, data, source, o, false, func() (*rawlog.Reader, func() error, error) {
		f, err := data.Root().Open(path.Join(layout.RawDir, source))
		if err != nil {
			return nil, nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("%w: %w", layout.ErrBusy, err)
		}
		r := rawlog.NewReader(f, rawlog.VersionOf(source))
		r.Source = source
		return r, f.Close, nil
	})
}

// ConvertFrames is ConvertLog for a raw log that lies elsewhere and stays there.
// Source takes the place of its name: converting the same again under the same
// source replaces what was published before, in the data folder until that is
// compacted, and in an object store where the outcome is the same. But if some of
// it went to another raw log then, to wait, that would double what has become of
// those: so nothing is done, and all submissions count as repeated.
func ConvertFrames(ctx context.Context, data *layout.Data, source string, r *rawlog.Reader, o Options) (Stats, error) {
	var before StatsDoc
	st, err := publish(ctx, data, source, o, true, func() (_ *rawlog.Reader, _ func() error, err error) {
		if before, err = readStats(data.Root().FS(), source); err == nil && before.Waiting > 0 {
			err = errParted
		}
		return r, func() error { return nil }, err
	})
	if errors.Is(err, errParted) {
		return Stats{Submissions: before.Submissions, Repeated: before.Submissions}, nil
	}
	return st, err
}

// errParted ends the conversion of what was published before, but for a part that
// went to another raw log.
var errParted = errors.New("published before, in parts")

// ImportSource reads all of r and returns the name under which a raw log with
// that content is published, whatever it is called: importing it again replaces
// its records and doubles none.
func ImportSource(r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return fmt.Sprintf("import.%x", sum.Sum(nil)[:12]), nil
}

// frameMemory bounds the records that wait for their frames to fill. Together
// with the pipeline, and twice for the garbage collector, a conversion stays
// below 256 MiB.
const frameMemory = 64 << 20

// publish publishes the raw log that open opens, while it holds the lock of the name
// source. stays says that it is not removed, and may be converted again.
func publish(ctx context.Context, data *layout.Data, source string, o Options, stays bool, open func() (*rawlog.Reader, func() error, error)) (Stats, error) {
	st := Stats{Invalid: map[string]int64{}, Filtered: map[string]int64{}, Dropped: convert.DropCounts{}}
	clear(o.Converter.Dropped)
	err := publishAll(ctx, data, source, o, stays, open, &st)
	maps.Copy(st.Dropped, o.Converter.Dropped)
	if err != nil {
		return st, fmt.Errorf("convert %s: %w", source, err)
	}
	return st, nil
}

func publishAll(ctx context.Context, data *layout.Data, source string, o Options, stays bool, open func() (*rawlog.Reader, func() error, error), st *Stats) (err error) {
	// The Writer comes first: it finishes what an earlier, committed attempt left.
	w, err := data.NewWriter(source, layout.WriterOptions{MemoryBytes: frameMemory})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	r, done, err := open()
	if err != nil {
		return err
	}
	defer done()
	var away *convert.Outage
	var waiting *waitingLog
	partitions := partitions{schema: data.Schema()}
	err = pipeline(ctx, r, o, data.Schema(), func(s *rawlog.Submission, rec convert.Record, err error) error {
		st.Submissions++
		if bad, ok := errors.AsType[*convert.Reject](err); ok {
			st.Invalid[bad.Class]++
			return w.AddInvalid(layout.Invalid{
				Class: bad.Class, Message: bad.Message, Time: s.Time,
				Origin: s.Origin.Log, Offset: s.Origin.Offset, Country: s.Country, Path: s.Path, Body: s.Body,
			})
		}
		if f, ok := errors.AsType[*Filtered](err); ok {
			st.filtered(f.Reason)
			return nil
		}
		if out, ok := errors.AsType[*convert.Outage](err); ok {
			if waiting == nil {
				away, waiting = out, newWaitingLog(w, source)
			}
			st.Waiting++
			return waiting.add(s)
		}
		if err != nil {
			return err
		}
		again, err := w.Repeated(rec.ID, s.Body, s.Time)
		if err != nil {
			return err
		}
		if again {
			st.Repeated++
			return nil
		}
		st.Records++
		st.RawBytes += int64(rec.RawBytes)
		for i := range st.Mismatched {
			st.Mismatched[i] += int64(rec.Mismatched >> i & 1)
		}
		w.SetTime(s.Time)
		return w.Add(partitions.of(rec.Dims), rec.ID, rec.JSON)
	})
	if err != nil {
		return err
	}
	st.BytesLost = r.BytesLost()
	if st.Waiting > 0 && st.Waiting == st.Submissions {
		return away
	}
	maps.Copy(st.Dropped, o.Converter.Dropped)
	if stays {
		if err := supersede(w, data.Root().FS(), source); err != nil {
			return err
		}
	}
	if err := attachStats(w, source, st, stays); err != nil {
		return err
	}
	st.Published, err = w.Commit(ctx)
	return err
}
