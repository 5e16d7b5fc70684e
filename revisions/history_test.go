package revisions

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func day(d string) time.Time {
	t, err := time.Parse(buildIDForm[:8], d)
	if err != nil {
		panic(err)
	}
	return t
}

// someNode returns a revision of 40 digits, another one for every i.
func someNode(i int) string { return fmt.Sprintf("%040x", i+1) }

// someHistory makes a history of any changes, at any times.
func someHistory(t *rapid.T) *History {
	h := &History{}
	now := day("20300101")
	for _, repo := range []string{"mozilla-central", "releases/mozilla-beta"} {
		var r RepoHistory
		for i := range rapid.IntRange(1, 8).Draw(t, "changes") {
			at := day("20140101").AddDate(0, 0, rapid.IntRange(-30, 30).Draw(t, "day"))
			r.Definitions = appendPeriod(r.Definitions, Period{Revision: someNode(i), From: at}, now)
			r.Versions = appendPeriod(r.Versions, Period{Revision: someNode(i), Version: rapid.SampledFrom([]string{"28.0a1", "29.0a1", "29.0.1"}).Draw(t, "version"), From: at}, now)
		}
		h = h.with(repo, r)
	}

	return h
}

func TestHistoryAsFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := someHistory(t)
		text := h.format()
		got, err := parseHistory(text)
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("parse: %v\n%s", err, text)
		}
		// Any damage is noticed.
		i := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		if _, err := parseHistory(text[:i]); !errors.Is(err, ErrBadHistory) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		changed := bytes.Clone(text)
		changed[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := parseHistory(changed); !errors.Is(err, ErrBadHistory) {
			t.Fatalf("changed at %d: %v", i, err)
		}
	})
}

// TestAt compares with the plain rule: the last of the changes that had come in.
func TestAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := someHistory(t)
		at := day("20140101").Add(time.Duration(rapid.IntRange(-40*24, 40*24).Draw(t, "hour")) * time.Hour)
		want := ""
		for _, p := range h.Repo("mozilla-central").Definitions {
			if !p.From.After(at) {
				want = p.Revision[:12]
			}
			if !p.Until.IsZero() && p.Until.Before(p.From) {
				t.Fatalf("ends before it begins: %v", p)
			}
		}
		ref, ok := h.at("mozilla-central", at)
		if ok != (want != "") || ref.Revision != want {
			t.Fatalf("at(%v) = %v, %v; want %q", at, ref, ok, want)
		}
	})
}

func FuzzParseHistory(f *testing.F) {
	f.Add((&History{}).format())
	h := (&History{}).with("mozilla-central", RepoHistory{
		Definitions: []Period{{someNode(1), "", day("20140101"), day("20140201")}, {someNode(2), "", day("20140201"), time.Time{}}},
		Versions:    []Period{{someNode(1), "29.0a1", day("20140101"), time.Time{}}},
	})

	f.Add(h.format())
	f.Fuzz(func(t *testing.T, text []byte) {
		if i := bytes.LastIndex(text, []byte(indexFooter)); i >= 0 {
			text = text[:i]
		}
		text = fmt.Appendf(text, "%s%x\n", indexFooter, sha256.Sum256(text)) // or the sum would keep a fuzzer out
		if h, err := parseHistory(text); err == nil {
			again, err := parseHistory(h.format())
			if err != nil || !reflect.DeepEqual(again, h) {
				t.Errorf("written again: %v", err)
			}
		}
	})
}

func TestBuildTime(t *testing.T) {
	for id, want := range map[string]string{
		"20140203030204":   "2014-02-03T03:02:04Z",
		"2014020303":       "2014-02-03T03:00:00Z",
		"20140203":         "2014-02-03T00:00:00Z",
		"201402030302041":  "",
		"2014020303020400": "",
		"20141303030204":   "",
		"2014":             "",
		"2014-02-03":       "",
		"UNKNOWN":          "",
		"":                 "",
	} {
		got, ok := buildTime(id)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("buildTime(%q) = %v, %v; want %q", id, got, ok, want)
		}
	}
}

func TestAppendPeriod(t *testing.T) {
	now := day("20140601")
	var all []Period
	for i, d := range []string{"20140101", "20131201", "20150101", "20140201"} {
		all = appendPeriod(all, Period{Revision: someNode(i), From: day(d)}, now)
	}

	var got []string
	for _, p := range all {
		got = append(got, p.From.Format("0102"))
	}

	// The second was written earlier; the third's clock was ahead.
	if want := "0101 0101 0101 0201"; strings.Join(got, " ") != want {
		t.Errorf("in effect from %v, want %s", got, want)
	}
}

// TestPushDates reads a json-filelog as hg.mozilla.org has it, whose entries also
// say when a change was pushed.
func TestPushDates(t *testing.T) {
	o, _ := hgServer(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/releases/mozilla-aurora/json-filelog/") || !strings.HasSuffix(r.URL.Path, definitionsPath) {
			http.NotFound(w, r)
			return
		}

		// The last was merged on the day after the one before it; no push is known of the first.
		fmt.Fprintf(w, `{"entries": [
{"node": "%s", "date": [1390000000.0, 0], "branch": "default", "pushid": 12, "pushdate": [1391472000, 0]},
{"node": "%s", "date": [1391299200.0, 28800], "branch": "default", "pushid": 11, "pushdate": [1391385600, 0]},
{"node": "%s", "date": [1380000000.0, 0], "branch": "default", "pushid": "", "pushdate": ""}]}`, someNode(2), someNode(1), someNode(0))
	})

	c := newCache(t, o)
	if _, err := c.Sync(t.Context(), "releases/mozilla-aurora"); err != nil {
		t.Fatal(err)
	}

	h, err := c.History()
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, p := range h.Repo("releases/mozilla-aurora").Definitions {
		got = append(got, p.Revision[39:]+" "+p.From.Format(buildIDForm[:8]))
	}
	if want := "1 20130924, 2 20140203, 3 20140204"; strings.Join(got, ", ") != want {
		t.Errorf("in effect from %v, want %s", got, want)
	}
}

func TestHistoryIsReadAgain(t *testing.T) {
	o := DefaultOptions()
	o.Dir, o.Offline = t.TempDir(), true
	reader, writer := newCache(t, o), newCache(t, o)
	if _, _, ok := reader.FindRevision("nightly", "20140301", ""); ok {
		t.Error("found something in nothing")
	}

	for i := range 3 {
		h := (&History{}).with("mozilla-central", RepoHistory{Definitions: []Period{{Revision: someNode(i), From: day("20140101")}}})
		if err := writer.saveHistory(h); err != nil {
			t.Fatal(err)
		}
		if ref, _, _ := reader.FindRevision("nightly", "20140301", ""); ref.Revision != someNode(i)[:12] {
			t.Errorf("%d: found %v", i, ref)
		}
	}
	if err := os.WriteFile(filepath.Join(o.Dir, indexFile), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.History(); err != nil {
		t.Errorf("damaged: %v", err)
	}
	if aside, _ := filepath.Glob(filepath.Join(o.Dir, indexFile+".damaged-*")); len(aside) != 1 {
		t.Errorf("set aside: %v, want one file", aside)
	}
	if _, _, ok := reader.FindRevision("nightly", "20140301", ""); ok {
		t.Error("found something in a damaged index")
	}
	if _, err := reader.Sync(context.Background(), "mozilla-central"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Sync offline: %v", err)
	}
	if _, err := reader.Sync(context.Background(), "../x"); !errors.Is(err, ErrInvalidURL) {
		t.Errorf("Sync of a bad name: %v", err)
	}
}

func TestExportImport(t *testing.T) {
	o := DefaultOptions()
	o.Dir, o.Offline = t.TempDir(), true
	from := newCache(t, o)
	refs := []Ref{{"mozilla-central", "00000000000a"}, {"releases/mozilla-beta", "00000000000b"}}
	long := RepoHistory{Definitions: []Period{{someNode(1), "", day("20140101"), day("20140201")}, {someNode(2), "", day("20140201"), time.Time{}}}}
	short := RepoHistory{Definitions: long.Definitions[1:]}
	for _, ref := range refs {
		from.save(ref, []byte(someDefinitions))
	}

	os.MkdirAll(filepath.Join(o.Dir, "mozilla-central", "00000000000c"), 0o755)
	os.WriteFile(filepath.Join(o.Dir, "mozilla-central", "00000000000c", definitionsFile), []byte("damaged"), 0o644)
	os.WriteFile(filepath.Join(o.Dir, "mozilla-central", "notes.txt"), []byte("foreign"), 0o644)
	if err := from.saveHistory((&History{}).with("mozilla-central", short).with("releases/mozilla-beta", long)); err != nil {
		t.Fatal(err)
	}

	export := func(c *Cache) []byte {
		var b bytes.Buffer
		if n, err := c.Export(&b); n != len(refs) || err != nil {
			t.Fatalf("Export = %d, %v", n, err)
		}

		return b.Bytes()
	}

	archive := export(from)
	if !bytes.Equal(archive, export(from)) {
		t.Error("exported again, other bytes")
	}

	o.Dir = t.TempDir()
	to := newCache(t, o)
	if err := to.saveHistory((&History{}).with("mozilla-central", long).with("releases/mozilla-beta", short)); err != nil {
		t.Fatal(err)
	}

	for range 2 {
		if n, err := to.Import(bytes.NewReader(archive)); n != len(refs) || err != nil {
			t.Fatalf("Import = %d, %v", n, err)
		}
	}
	if got, err := to.Cached(); !reflect.DeepEqual(got, refs) || err != nil {
		t.Errorf("Cached = %v, %v", got, err)
	}
	if _, err := to.Spec(t.Context(), refs[1]); err != nil {
		t.Error(err)
	}

	h, err := to.History()
	if err != nil || len(h.Repo("mozilla-central").Definitions) != 2 || len(h.Repo("releases/mozilla-beta").Definitions) != 2 {
		t.Errorf("history: %v, %v", h, err)
	}

	for i := range archive { // any cut is noticed
		if _, err := to.Import(bytes.NewReader(archive[:i])); !errors.Is(err, ErrBadArchive) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}

	for _, name := range []string{"../x/00000000000a/Histograms.json", "/mozilla-central/00000000000a/Histograms.json", "mozilla-central/ffffffffffff/Histograms.json",
		"mozilla-central/00000000000a/x", "history.tsv/x", "mozilla-central/../00000000000a/Histograms.json"} {
		var b bytes.Buffer
		gz := gzip.NewWriter(&b)
		tw := tar.NewWriter(gz)
		tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(someDefinitions)), Mode: 0o644})
		tw.Write([]byte(someDefinitions))
		tw.Close()
		gz.Close()
		if n, err := to.Import(&b); n != 0 || !errors.Is(err, ErrBadArchive) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
