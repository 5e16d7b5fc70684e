package layout

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
)

// openData opens a fresh data folder and closes it with the test.
func openData(t testing.TB) *Data {
	t.Helper()
	d, err := OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// readAll returns the lines of all segments that the filter selects, sorted.
func readAll(t testing.TB, tree *Tree, f Filter) []string {
	t.Helper()
	segs, err := tree.Segments(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range segs {
		b, err := readSegment(tree, s)
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

func readSegment(tree *Tree, s Segment) ([]byte, error) {
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

func dims(s string) Dims {
	d, err := ParseDims(s)
	if err != nil {
		panic(err)
	}
	return d
}

var testDims = dims("saved_session/Firefox/nightly/26.0a1/20130909030204/20130910")

func TestWriterPublishesAllOrNothing(t *testing.T) {
	d := openData(t)
	const source = "telemetry.log.v3.host.1.1380000000000.finished"
	if err := os.WriteFile(filepath.Join(d.Dir(), RawDir, source), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := d.NewWriter(source, WriterOptions{MemoryBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 1000 {
		p := testDims
		p[BuildID] = fmt.Sprintf("2013090%d", i%7)
		id, json := fmt.Sprintf("id-%d", i), fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%500))
		if err := w.Add(p, []byte(id), []byte(json)); err != nil {
			t.Fatal(err)
		}
		want = append(want, id+"\t"+json)
	}
	if _, err := d.NewWriter(source, WriterOptions{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second Writer of the same raw log: %v, want ErrBusy", err)
	}
	if got := readAll(t, d.Tree(), All()); len(got) != 0 {
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
	if got := readAll(t, d.Tree(), All()); !slices.Equal(got, want) {
		t.Errorf("read %d records, want %d", len(got), len(want))
	}
	segs, err := d.Tree().Segments(t.Context(), All())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := d.Tree().Info(segs[0]); err != nil || info.Records != 143 || info.RawBytes != pub[0].RawBytes {
		t.Errorf("Info = %+v, %v, want that of %+v", info, err, pub[0])
	}
	for _, dir := range []string{RawDir, StagingDir} {
		if es, _ := os.ReadDir(filepath.Join(d.Dir(), dir)); len(es) != 0 {
			t.Errorf("%s holds %v after Commit", dir, es)
		}
	}
	// Converting again replaces.
	w, err = d.NewWriter(strings.TrimSuffix(source, ".finished"), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := testDims
	p[BuildID] = "20130900"
	if err := w.Add(p, []byte("again"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, d.Tree(), All()); len(got) != 1000-143+1 {
		t.Errorf("%d records after converting again, want %d", len(got), 1000-143+1)
	}
}

func TestWriterRefusesBadRecords(t *testing.T) {
	d := openData(t)
	w, err := d.NewWriter("log", WriterOptions{})
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
		if err := w.Add(testDims, []byte(tt.id), []byte(tt.json)); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: %v, want ErrBadRecord", tt.name, err)
		}
	}
	if err := w.Add(testDims, []byte("a"), bytes.Repeat([]byte("x"), maxRecordBytes)); !errors.Is(err, ErrRecordTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for _, source := range []string{"", "..", "a/b", ".hidden", "x\x00"} {
		if _, err := d.NewWriter(source, WriterOptions{}); err == nil {
			t.Errorf("NewWriter(%q) succeeded", source)
		}
	}
}

func TestQuarantine(t *testing.T) {
	d := openData(t)
	w, err := d.NewWriter("log.1", WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q := Invalid{Class: "../bad", Message: "no", Path: "id\n/saved-session/Firefox/../nightly/x", Body: []byte{0, 1, '\n', 0xff}}
	if err := w.AddInvalid(q); err != nil {
		t.Fatal(err)
	}
	if err := w.AddInvalid(Invalid{Class: "empty", Path: ""}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, d.Tree(), All()); len(got) != 0 {
		t.Errorf("All sees quarantined records: %q", got)
	}
	f := All()
	f.IncludeInvalid = true
	segs, err := d.Tree().Segments(t.Context(), f)
	if err != nil || len(segs) != 2 || !segs[0].Invalid || segs[0].Class != "_._bad" {
		t.Fatalf("Segments = %+v, %v", segs, err)
	}
	got := readAll(t, d.Tree(), f)
	_, doc, _ := strings.Cut(got[1], "\t")
	back, err := ParseInvalid([]byte(doc))
	if err != nil || back.Path != q.Path || !bytes.Equal(back.Body, q.Body) {
		t.Errorf("ParseInvalid(%s) = %+v, %v", doc, back, err)
	}
}
