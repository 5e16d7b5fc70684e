// Package layouttest is what tests of packages that store records share: data
// folders, records in them, and a disk that dies.
package layouttest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
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
	d, err := schema.ParseDims(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Channel is Partition with another channel.
func Channel(name string) schema.Dims {
	p := Partition
	p[schema.Channel] = name
	return p
}

// Everything selects quarantined records too.
func Everything() schema.Filter {
	f := schema.All()
	f.IncludeQuarantined = true
	return f
}

// Open opens a fresh data folder and closes it with the test.
func Open(t testing.TB) *layout.Data {
	t.Helper()
	d, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// ReadAll returns the lines of all segments that the filter selects, sorted.
func ReadAll(t testing.TB, tree *layout.Tree, f schema.Filter) []string {
	t.Helper()
	segs, err := tree.Segments(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range segs {
		b, err := ReadSegment(tree, s)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			lines = append(lines, strings.TrimSuffix(l, "\n"))
		}
	}
	slices.Sort(lines)
	return lines
}

// ReadSegment returns the text of a segment, and what ended the reading early.
func ReadSegment(tree *layout.Tree, s layout.Segment) ([]byte, error) {
	r, err := tree.Open(s, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []byte
	for {
		b, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, b...)
	}
}

// Publish publishes n records in each of the partitions, named after the source,
// and returns their lines.
func Publish(t testing.TB, d *layout.Data, source string, n int, partitions ...schema.Dims) (lines []string) {
	t.Helper()
	w, err := d.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partitions {
		for i := range n {
			id, json := fmt.Sprintf("%s-%s-%d", source, p[schema.Channel], i), `{"a":[`+strings.Repeat("1,", 50)+`0]}`
			if err := w.Add(p, []byte(id), []byte(json)); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, id+"\t"+json)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return lines
}

// RawLog is what Convert converts.
const RawLog = "telemetry.log.v3.h.1.1380000000000.finished"

// Convert publishes id-0 to id-9 in three partitions, and quarantines id-bad.
func Convert(t testing.TB, d *layout.Data) error {
	w, err := d.NewWriter(RawLog, layout.WriterOptions{MemoryBytes: 1})
	if err != nil {
		return err
	}
	for i := range 10 {
		if err := w.Add(Channel(fmt.Sprintf("c%d", i%3)), fmt.Appendf(nil, "id-%d", i), []byte(`{"a":1}`)); err != nil {
			w.Abort()
			return err
		}
	}
	if err := w.AddRejected(layout.Rejected{Class: "bad", Path: "id-bad", Body: []byte("x")}); err != nil {
		w.Abort()
		return err
	}
	_, err = w.Commit(t.Context())
	return err
}

// ErrKilled is what changes fail with after a Killer struck.
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
	f, err := os.Open(filepath.Join(SharedData(t, "raw"), "100-realistic-pings.expected.tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var rs []Record
	for l := range bytes.Lines(text) {
		p := bytes.SplitN(bytes.TrimSuffix(l, []byte("\n")), []byte("\t"), 3)
		rs = append(rs, Record{schema.Default().Partition(Dims(string(p[1]))), p[0], p[2]})
	}
	return rs
}

// SharedData returns a folder of real data beside the checkout. Without it the
// test is skipped, in CI it fails.
func SharedData(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing in CI", dir)
		}
		t.Skipf("needs %s", dir)
	}
	return dir
}
