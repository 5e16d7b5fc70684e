// Package enginetest has the tests that every engine.Source and engine.Job must pass,
// and segments for them.
package enginetest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Dims are those of the segments that Lines makes.
var Dims = schema.Dims{"saved_session", "Firefox", "nightly", "26.0a1", "20130909030204", "20130910"}

// Lines returns a segment of one frame. Each record is `<id>\t<json>` without a
// newline.
func Lines(path string, records ...string) memory.Segment {
	return memory.Segment{Path: path, Dims: Dims, Frames: []string{strings.Join(records, "\n") + "\n"}}
}

// TestSource checks what the engine relies on: segments in order of path, whole lines,
// frames that add up to the segment, and fingerprints that are the same each time and
// differ where the content does. src must have segments.
func TestSource(t *testing.T, src engine.Source) {
	t.Helper()
	segments, err := src.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	if len(segments) == 0 {
		t.Fatal("the source has no segments")
	}

	// Two runs must number their tasks alike.
	inOrder := slices.IsSortedFunc(segments, func(a, b engine.Segment) int { return strings.Compare(a.Path, b.Path) })
	if !inOrder {
		t.Error("the segments are not in order of path")
	}

	// Frames must be what a task reads, and fingerprints follow the content.
	contents := map[[32]byte]string{}
	for _, seg := range segments {
		whole := readSegment(t, src, seg, 0, -1)
		if len(whole) == 0 {
			t.Errorf("%s is empty", seg.Path)
		}

		var frames strings.Builder
		for i := range seg.Frames {
			frames.WriteString(readSegment(t, src, seg, i, i+1))
		}
		if seg.Frames > 0 && frames.String() != whole {
			t.Errorf("%s: %d frames have %d bytes, the segment has %d", seg.Path, seg.Frames, frames.Len(), len(whole))
		}

		sum, err := src.Fingerprint(seg)
		if err != nil {
			continue // it cannot be cached
		}
		again, err := src.Fingerprint(seg)
		if err != nil || again != sum {
			t.Errorf("%s: the fingerprint changes, or fails: %v", seg.Path, err)
		}
		if other, ok := contents[sum]; ok && other != whole {
			t.Errorf("%s has the fingerprint of another content", seg.Path)
		}
		contents[sum] = whole
	}
}

// readSegment returns frames [lo, hi) of a segment, which must be whole lines.
func readSegment(t *testing.T, src engine.Source, seg engine.Segment, lo, hi int) string {
	t.Helper()
	blocks, err := src.Open(seg, lo, hi)
	if err != nil {
		t.Fatal(err)
	}
	defer blocks.Close()

	var all strings.Builder
	for {
		next, err := blocks.NextBlock()
		if err == io.EOF {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}

		// Records in columns have no lines until they are put together.
		block := next.Lines
		for _, row := range next.Rows {
			block, err = next.Group.AppendLine(block, int(row))
			if err != nil {
				t.Fatal(err)
			}
			block = append(block, '\n')
		}

		// Mappers get whole lines.
		if !bytes.HasSuffix(block, []byte("\n")) {
			t.Errorf("%s: a block does not end with a line", seg.Path)
		}
		all.Write(block)
	}
}

// TestJob runs job over src with several numbers of workers and sizes of memory, and
// checks that the rows are the same. It returns them as TSV.
func TestJob(t *testing.T, src engine.Source, job engine.Job) string {
	t.Helper()

	// No memory makes every run spill.
	first := ""
	for i, memory := range []int64{1 << 20, 0} {
		for workers := 1; workers <= 4; workers += 3 {
			o := engine.DefaultOptions()
			o.Mappers = workers
			o.Reducers = workers
			o.Memory = memory
			o.WorkDir = t.TempDir()

			rows, err := run(t, src, job, o)
			if err != nil {
				t.Fatal(err)
			}

			// The first way is what the others are compared with.
			if i == 0 && workers == 1 {
				first = rows
			}
			if rows != first {
				t.Errorf("with %d workers and %d bytes of memory the rows differ:\n%s\nwant\n%s", workers, memory, rows, first)
			}
		}
	}
	return first
}

// run returns the rows of a job as TSV.
func run(t *testing.T, src engine.Source, job engine.Job, o engine.Options) (string, error) {
	plan, err := engine.NewPlan(t.Context(), src, schema.All(), nil)
	if err != nil {
		return "", fmt.Errorf("plan: %w", err)
	}

	var rows bytes.Buffer
	sink := format.NewTSV(&rows)
	if _, err := engine.Run(t.Context(), src, plan, job, sink, o); err != nil {
		return "", err
	}
	err = sink.Close()
	return rows.String(), err
}
