package ingesttest

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// RawLogName is the name of the raw log in a data folder of DataWith.
const RawLogName = "telemetry.log.v4.host.1.1.finished"

// DataWith returns a new data folder, closed at the test's end, with one finished raw
// log of these submissions, given as path and body, path and body, ….
func DataWith(t testing.TB, pathsAndBodies ...string) *layout.Data {
	t.Helper()
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { data.Close() })

	log := rawlog.AppendHead(nil, 0)
	for i := 0; i < len(pathsAndBodies); i += 2 {
		log = rawlog.AppendEntry(log, &rawlog.Submission{
			Path: pathsAndBodies[i],
			Body: []byte(pathsAndBodies[i+1]),
			Time: time.Date(2013, 9, 10, 23, 59, i, 0, time.UTC),
		}, 0)
	}

	name := filepath.Join(data.Dir(), layout.RawDir, RawLogName)
	if err := os.WriteFile(name, log, 0o644); err != nil {
		t.Fatal(err)
	}

	return data
}

// Lines returns the stored lines of the segments that f selects, each with its
// partition and a tab before it.
func Lines(t testing.TB, data *layout.Data, f schema.Filter) (lines []string) {
	t.Helper()
	tree := data.Tree()
	segments, err := tree.Segments(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}

	for _, segment := range segments {
		text := segmentText(t, tree, segment)
		for line := range strings.Lines(text) {
			lines = append(lines, segment.Dims.String()+"\t"+strings.TrimSuffix(line, "\n"))
		}
	}

	return lines
}

// segmentText returns all lines of a segment.
func segmentText(t testing.TB, tree *layout.Tree, segment layout.Segment) string {
	t.Helper()
	reader, err := tree.Open(segment, 0, -1)
	if err != nil {
		t.Fatal(err)
	}

	defer reader.Close()

	var text []byte
	for {
		lines, err := reader.Next()
		if err == io.EOF {
			return string(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, lines...)
	}
}

// Submission returns a submission with a good path and body.
func Submission() *rawlog.Submission {
	return &rawlog.Submission{Path: "id", Body: []byte(Ping(``)), Time: time.Date(2013, 9, 10, 23, 59, 0, 0, time.UTC)}
}
