// Package layouttest has what tests of packages that store records share: data
// folders, records in them, and a disk that fails as if the process had died.
package layouttest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Partition is one that the default schema allows.
var Partition = Dims("saved_session/Firefox/nightly/26.0a1/20130909030204/20130910")

// Dims parses dimensions that are right.
func Dims(s string) schema.Dims {
	dims, err := schema.ParseDims(s)
	if err != nil {
		panic(err)
	}

	return dims
}

// Channel is Partition with another channel.
func Channel(name string) schema.Dims {
	dims := Partition
	dims[schema.Channel] = name
	return dims
}

// Everything selects quarantined records too.
func Everything() schema.Filter {
	everything := schema.All()
	everything.IncludeQuarantined = true
	return everything
}

// Open opens a fresh data folder and closes it with the test.
func Open(t testing.TB) *layout.Data {
	t.Helper()

	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	return data
}

// ReadAll returns the lines of all segments that the filter selects, sorted.
func ReadAll(t testing.TB, tree *layout.Tree, f schema.Filter) []string {
	t.Helper()

	segments, err := tree.Segments(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}

	var lines []string
	for _, seg := range segments {
		text, err := ReadSegment(tree, seg)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}

	// Their order depends on raw logs and on compaction, which tests vary.
	slices.Sort(lines)
	return lines
}

// ReadSegment returns the text of a segment, and what ended the reading early.
func ReadSegment(tree *layout.Tree, s layout.Segment) ([]byte, error) {
	reader, err := tree.Open(s, 0, -1)
	if err != nil {
		return nil, err
	}
	defer reader.Close()

	var all []byte
	for {
		lines, err := reader.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}

		all = append(all, lines...)
	}
}

// Publish publishes n records in each of the partitions, named after the source,
// and returns their lines.
func Publish(t testing.TB, d *layout.Data, source string, n int, partitions ...schema.Dims) (lines []string) {
	t.Helper()

	writer, err := d.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}

	// The IDs differ between sources and partitions; the JSON compresses well.
	json := `{"a":[` + strings.Repeat("1,", 50) + `0]}`
	for _, partition := range partitions {
		for i := range n {
			id := fmt.Sprintf("%s-%s-%d", source, partition[schema.Channel], i)
			if err := writer.Add(partition, []byte(id), []byte(json)); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, id+"\t"+json)
		}
	}

	if _, err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return lines
}

// RawLog is the name of the raw log that Convert publishes.
const RawLog = "telemetry.log.v4.h.1.1380000000000.finished"

// Convert publishes id-0 to id-9 in three partitions, and quarantines id-bad.
func Convert(t testing.TB, d *layout.Data) error {
	// One byte of memory makes the Writer spill each record.
	writer, err := d.NewWriter(RawLog, layout.WriterOptions{MemoryBytes: 1})
	if err != nil {
		return err
	}
	defer writer.Abort()

	for i := range 10 {
		if err := writer.Add(Channel(fmt.Sprintf("c%d", i%3)), fmt.Appendf(nil, "id-%d", i), []byte(`{"a":1}`)); err != nil {
			return err
		}
	}
	if err := writer.AddRejected(layout.Rejected{Class: "bad", Path: "id-bad", Body: []byte("x")}); err != nil {
		return err
	}

	// As the conversion of a raw log does, if there is one.
	raw, err := d.Folder().Identify(path.Join(layout.RawDir, RawLog))
	if err == nil {
		writer.SetOrigin(raw.Bytes, raw.CRC, 11)
	}

	_, err = writer.Commit(t.Context())
	return err
}

// ErrKilled is the error of each change that a Killer does not let pass.
var ErrKilled = errors.New("killed")

// Killer has a hook for a disk that lets some changes pass and then fails every
// one, as if the process had died there.
type Killer struct {
	Left int                             // changes that pass
	Torn func(o backend.Op, name string) // called once, for the change that is cut short
	Done []string                        // "<op> <path>"

	mu sync.Mutex // guards all of it
}

// Hook is for backend.Disk.
func (k *Killer) Hook(_ *os.Root, o backend.Op, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()

	// The change at which the process dies may be done by half.
	if k.Left == 0 && k.Torn != nil {
		k.Torn(o, name)
		k.Torn = nil
	}
	if k.Left <= 0 {
		return ErrKilled
	}

	k.Left--
	k.Done = append(k.Done, string(o)+" "+name)
	return nil
}

// Record is a converted ping, and where it belongs.
type Record struct {
	Partition schema.Dims
	ID, JSON  []byte
}

// Records returns the 100 converted pings of the shared data.
func Records(t testing.TB) []Record {
	t.Helper()

	file, err := os.Open(filepath.Join(SharedData(t, "raw"), "100-realistic-pings.expected.tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}

	// Each line is the ID, the dimensions and the JSON, separated by tabs.
	var records []Record
	for line := range bytes.Lines(text) {
		parts := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"), 3)
		records = append(records, Record{schema.Default().Partition(Dims(string(parts[1]))), parts[0], parts[2]})
	}
	return records
}

// SharedData returns a folder of real data beside the checkout. Without it the
// test is skipped, in CI it fails.
func SharedData(t testing.TB, name string) string {
	t.Helper()

	// Tests run in the folder of their package: find the root of the module above it.
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}

	dir = filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(dir); err != nil {
		// A test that is always skipped in CI would never fail.
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing in CI", dir)
		}
		t.Skipf("needs %s", dir)
	}
	return dir
}
