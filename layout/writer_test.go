package layout_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

func TestWriterPublishesAllOrNothing(t *testing.T) {
	d := layouttest.Open(t)
	const source = "telemetry.log.v4.host.1.1380000000000.finished"
	if err := os.WriteFile(filepath.Join(d.Dir(), layout.RawDir, source), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := d.NewWriter(source, layout.WriterOptions{MemoryBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 1000 {
		p := layouttest.Partition
		p[schema.BuildID] = fmt.Sprintf("2013090%d", i%7)
		id, json := fmt.Sprintf("id-%d", i), fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%500))
		if err := w.Add(p, []byte(id), []byte(json)); err != nil {
			t.Fatal(err)
		}
		want = append(want, id+"\t"+json)
	}
	if _, err := d.NewWriter(source, layout.WriterOptions{}); !errors.Is(err, layout.ErrBusy) {
		t.Errorf("a second Writer of the same raw log: %v, want ErrBusy", err)
	}
	if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 0 {
		t.Errorf("%d records are visible before Commit", len(got))
	}
	pub, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(pub) != 7 || pub[0].Records != 143 {
		t.Errorf("published %+v", pub)
	}
	slices.Sort(want)
	if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
		t.Errorf("read %d records, want %d", len(got), len(want))
	}
	segs, err := d.Tree().Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := d.Tree().Info(segs[0]); err != nil || info.Records != 143 || info.RawBytes != pub[0].RawBytes {
		t.Errorf("Info = %+v, %v, want that of %+v", info, err, pub[0])
	}
	for _, dir := range []string{layout.RawDir, layout.StagingDir} {
		if es, _ := os.ReadDir(filepath.Join(d.Dir(), dir)); len(es) != 0 {
			t.Errorf("%s holds %v after Commit", dir, es)
		}
	}
	// What comes again under the name is added to what is there. Only where the name says
	// that both were made from the same, it takes its place.
	again := func(id string, replace bool, want int) {
		t.Helper()
		w, err := d.NewWriter(strings.TrimSuffix(source, ".finished"), layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if replace {
			w.ReplaceEarlier()
		}
		p := layouttest.Partition
		p[schema.BuildID] = "20130900"
		if err := w.Add(p, []byte(id), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != want {
			t.Errorf("%d records after converting again, want %d", len(got), want)
		}
	}
	again("again", true, 1000-143+1)
	again("more", false, 1000-143+2)
	again("more", false, 1000-143+2)
}

func TestWriterRefusesBadRecords(t *testing.T) {
	d := layouttest.Open(t)
	w, err := d.NewWriter("log", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, tt := range []struct{ name, id, json string }{
		{"tab in the ID", "a\tb", "{}"},
		{"newline in the ID", "a\nb", "{}"},
		{"newline in the JSON", "a", "{\n}"},
		{"no ID", "", "{}"},
		{"no JSON", "a", ""},
	} {
		if err := w.Add(layouttest.Partition, []byte(tt.id), []byte(tt.json)); !errors.Is(err, layout.ErrBadRecord) {
			t.Errorf("%s: %v, want ErrBadRecord", tt.name, err)
		}
	}
	if err := w.Add(layouttest.Partition, []byte("a"), bytes.Repeat([]byte("x"), segment.MaxRecordBytes)); !errors.Is(err, layout.ErrRecordTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for _, source := range []string{"", "..", "a/b", ".hidden", "x\x00"} {
		if _, err := d.NewWriter(source, layout.WriterOptions{}); err == nil {
			t.Errorf("NewWriter(%q) succeeded", source)
		}
	}
}

func TestQuarantine(t *testing.T) {
	d := layouttest.Open(t)
	w, err := d.NewWriter("log.1", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q := layout.Rejected{Class: "../bad", Message: "no", Country: "DE", Path: "id\n/saved-session/Firefox/../nightly/\xff", Body: []byte{0, 1, '\n', 0xff}}
	if err := w.AddRejected(q); err != nil {
		t.Fatal(err)
	}
	if err := w.AddRejected(layout.Rejected{Class: "empty", Path: ""}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 0 {
		t.Errorf("All sees quarantined records: %q", got)
	}
	f := schema.All()
	f.IncludeQuarantined = true
	segs, err := d.Tree().Segments(t.Context(), f)
	if err != nil || len(segs) != 2 || !segs[0].Quarantined || segs[0].Class != "_._bad" {
		t.Fatalf("Segments = %+v, %v", segs, err)
	}
	got := layouttest.ReadAll(t, d.Tree(), f)
	_, doc, _ := strings.Cut(got[1], "\t")
	back, err := layout.ParseRejected([]byte(doc))
	if err != nil || back.Path != q.Path || back.Country != q.Country || !bytes.Equal(back.Body, q.Body) {
		t.Errorf("ParseRejected(%s) = %+v, %v", doc, back, err)
	}
}

func TestReaderOpensParts(t *testing.T) {
	d := layouttest.Open(t)
	w, err := d.NewWriter("log", layout.WriterOptions{MemoryBytes: 1}) // a frame for each record
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := w.Add(layouttest.Partition, fmt.Appendf(nil, "id-%d", i), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	tree := d.Tree()
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	for lo := range 4 {
		r, err := tree.Open(segs[0], lo, lo+1)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := r.Next(); err != nil || string(b) != fmt.Sprintf("id-%d\t{}\n", lo) {
			t.Errorf("frame %d: %q, %v", lo, b, err)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("after frame %d: %v, want EOF", lo, err)
		}
		r.Close()
	}
	if r, err := tree.Open(segs[0], 4, 9); err != nil {
		t.Error(err)
	} else if _, err := r.Next(); err != io.EOF {
		t.Errorf("beyond the end: %v, want EOF", err)
	}
	if err := os.Truncate(filepath.Join(d.Dir(), segs[0].Path), segs[0].Size-1); err != nil {
		t.Fatal(err)
	}
	_, err = tree.Open(segs[0], 0, -1)
	if c, ok := errors.AsType[*layout.CorruptError](err); !ok || c.Path != segs[0].Path {
		t.Errorf("torn segment: %v, want a *CorruptError of %s", err, segs[0].Path)
	}
}
