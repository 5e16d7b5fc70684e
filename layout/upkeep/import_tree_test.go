package upkeep

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

func TestImportTree(t *testing.T) {
	old := t.TempDir()
	for name, text := range map[string]string{
		"saved_session/Firefox/nightly/26.0a1/2013.20130910.v2.log": "a\t{}\nno record\nb\t{}\r\n",
		"idle_daily/Firefox/nightly/26.0a1/2013.20130911.log":       "c\t{}\n",
		"invalid/Firefox/nightly/26.0a1/2013/2013.20130911.log":     "d\t{}\n",
	} {
		name = filepath.Join(old, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	// "saved-session" of the schema is "saved_session" on the disk.
	doc := `{"dimensions": [{"field_name": "reason", "allowed_values": ["saved-session"]}]}`
	if err := os.WriteFile(filepath.Join(dir, layout.SchemaFile), []byte(doc), 0o666); err != nil {
		t.Fatal(err)
	}
	d, err := layout.OpenData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tree, err := layout.OpenTree(old)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for range 2 { // the second time replaces
		st, err := ImportTree(t.Context(), d, tree, schema.All(), nil)
		if err != nil || st != (TreeStats{Files: 2, Records: 3, BadLines: 1}) {
			t.Errorf("ImportTree = %+v, %v", st, err)
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, []string{"a\t{}", "b\t{}", "c\t{}"}) {
			t.Errorf("records %q", got)
		}
	}
	segs, err := d.Tree().Segments(t.Context(), layouttest.Everything())
	if err != nil || len(segs) != 3 {
		t.Fatalf("Segments = %v, %v", segs, err)
	}
	for i, want := range []string{"invalid/bad_line/", "published/OTHER/Firefox/nightly/26.0a1/2013.20130911.log.", "published/saved_session/Firefox/nightly/26.0a1/2013.20130910.v2.log."} {
		if !strings.HasPrefix(segs[i].Path, want) {
			t.Errorf("segment %s, want %s…", segs[i].Path, want)
		}
	}
	// A folder with another schema takes over ours, and keeps times and versions.
	again := layouttest.Open(t)
	if st, err := ImportTree(t.Context(), again, d.Tree(), schema.All(), nil); err != nil || st.Records != 3 {
		t.Errorf("ImportTree = %+v, %v", st, err)
	}
	compactAll(t, again, 0)
	if segs, _ := again.Tree().Segments(t.Context(), schema.All()); len(segs) != 2 || segs[0].Version != 0 || segs[1].Version != 2 {
		t.Errorf("segments %+v", segs)
	}
}
