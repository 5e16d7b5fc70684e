package layout_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/limit"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// publishVersions publishes a record, and a quarantined submission, of each version.
func publishVersions(t *testing.T, data *layout.Data, source string, versions int) (excess map[string]map[string]int64) {
	t.Helper()
	writer, err := data.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Abort()

	for i := range versions {
		partition := layouttest.Partition
		partition[schema.Version] = fmt.Sprint(source, "v", i)
		if err := writer.Add(partition, fmt.Appendf(nil, "%s-%d", source, i), []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		rejected := layout.Rejected{Class: "empty_data", Path: fmt.Sprintf("id/idle-daily/Firefox/%sv%d/nightly/1", source, i), Body: []byte("x")}
		if err := writer.AddRejected(rejected); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return writer.Excess()
}

// filesBelow returns the paths of the files below a folder, and their content.
func filesBelow(t *testing.T, data *layout.Data, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(data.Root().FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var text []byte
			text, err = data.Root().ReadFile(name)
			files[name] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestLimitPartitions: new partitions beyond the limit go to OTHER, in published/ and in
// the quarantine, and a raw log that is published again gives the same bytes.
func TestLimitPartitions(t *testing.T) {
	data := layouttest.Open(t)
	data.LimitPartitions(limit.Limit{PerLog: 3, PerDay: 5}, limit.Limit{})

	excess := publishVersions(t, data, "one", 10)
	if n := sum(excess[limit.KindPartition]); n != 7 {
		t.Errorf("%d records are over the limit, want 7: %v", n, excess)
	}
	if n := sum(excess[limit.KindQuarantine]); n != 7 {
		t.Errorf("%d quarantined submissions are over the limit, want 7: %v", n, excess)
	}

	first := filesBelow(t, data, ".")
	publishVersions(t, data, "two", 10)
	published := filesBelow(t, data, layout.PublishedDir)
	if len(published) != 5+2 { // one from each raw log in the overflow
		t.Errorf("%d segments, want 7", len(published))
	}
	if records := len(layouttest.ReadAll(t, data.Tree(), layouttest.Everything())); records != 40 {
		t.Errorf("%d lines, want 40", records)
	}
	overflow := "/nightly/OTHER/OTHER.20130910."
	found := false
	for name := range published {
		found = found || strings.Contains(name, overflow)
	}
	if !found {
		t.Errorf("no segment of %s", overflow)
	}

	// The first one again, although its third partition on is known by now.
	publishVersions(t, data, "one", 10)
	for name, text := range filesBelow(t, data, ".") {
		if before, was := first[name]; was && !strings.HasPrefix(name, layout.StateDir) && before != text {
			t.Errorf("%s has other bytes", name)
		}
	}
	if again := filesBelow(t, data, layout.PublishedDir); len(again) != len(published) {
		t.Errorf("%d segments, were %d", len(again), len(published))
	}
}

// TestLimitTypes: types of namespaces beyond the limit go to OTHER, those of the schema's
// applications do not count.
func TestLimitTypes(t *testing.T) {
	data := layouttest.Open(t)
	data.LimitPartitions(limit.Limit{}, limit.Limit{PerLog: 2, PerDay: 3})
	publish := func(rawLog string, types ...string) map[string]int64 {
		t.Helper()
		w, err := data.NewWriter(rawLog, layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range types {
			dims := schema.Default().Partition(schema.Dims{kind, "org-example", "esr", "1", "2", "20260910"})
			if err := w.Add(dims, []byte("id"), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		firefox := schema.Default().Partition(schema.Dims{"first-shutdown", "Firefox", "esr", "1", "2", "20260910"})
		if err := w.Add(firefox, []byte("id"), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.Excess()[limit.KindType]
	}

	for range 2 { // the second time after all others are known
		if got := publish("one", "a", "b", "c", "d", "a", "c"); got["org-example/c"] != 2 || got["org-example/d"] != 1 {
			t.Errorf("one: over the limit %v", got)
		}
	}
	if got := publish("two", "c", "d", "b"); got["org-example/d"] != 1 || len(got) != 1 {
		t.Errorf("two: over the limit %v", got)
	}

	published := filesBelow(t, data, layout.PublishedDir)
	for _, dir := range []string{"a/org-example", "b/org-example", "c/org-example", "OTHER/OTHER", "first-shutdown/Firefox"} {
		found := false
		for name := range published {
			found = found || strings.Contains(name, "/"+dir+"/esr/1/2.20260910.")
		}
		if !found {
			t.Errorf("no segment of %s", dir)
		}
	}
}

func sum(counts map[string]int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}
