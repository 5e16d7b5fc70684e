package upkeep

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// client returns the ID of a client.
func client(n int) string { return fmt.Sprintf("%08x-6dde-4cc4-8432-1c1fe3100f03", n) }

// numClients is how many clients there are; those with an even number are forgotten.
const numClients = 6

func forgottenSet(t testing.TB) *forget.Set {
	set := &forget.Set{}
	for n := 0; n < numClients; n += 2 {
		id, ok := forget.ParseID([]byte(client(n)))
		if !ok {
			t.Fatal(client(n))
		}
		set.Add(forget.Request{ID: id, Time: testNow.Add(-time.Hour)})
	}
	return set
}

// clientShapes are the forms in which records have the ID of their client.
var clientShapes = []string{
	`{"clientId":"%s","x":1}`, `{"x":{"deep":1},"client_info":{"os":"Linux","client_id":"%s"}}`, `{"metrics":{"uuid":{"legacy.telemetry.client_id":"%s"}},"y":2}`,
}

// publishClients publishes a record of each client, in each shape and each partition, and
// returns the lines of those that stay.
func publishClients(t testing.TB, d *layout.Data, source string, partitions ...schema.Dims) (stay []string) {
	t.Helper()
	w, err := d.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for at, p := range partitions {
		for n := range numClients {
			for shape, text := range clientShapes {
				id := fmt.Sprintf("%s-%d-%d-%d", source, at, n, shape)
				doc := fmt.Sprintf(text, client(n))
				if err := w.Add(p, []byte(id), []byte(doc)); err != nil {
					t.Fatal(err)
				}
				if n%2 == 1 {
					stay = append(stay, id+"\t"+doc)
				}
			}
		}
	}
	for n := range numClients {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprintf(z, `{"broken":,"client_info":{"client_id":"%s"}}`, client(n))
		z.Close()
		if err := w.AddRejected(layout.Rejected{Class: "bad_payload", Time: testNow, Path: "/my-app/baseline/1/id", Body: packed.Bytes()}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return stay
}

// trim returns lines without their newlines, sorted.
func trim(lines []string) (trimmed []string) {
	for _, line := range lines {
		trimmed = append(trimmed, strings.TrimSuffix(line, "\n"))
	}
	slices.Sort(trimmed)
	return trimmed
}

// forgetAll runs Forget as the command does.
func forgetAll(t testing.TB, p *Place, set *forget.Set) Forgot {
	t.Helper()
	done, err := p.Forget(t.Context(), ForgetOptions{All: set, Due: set, Now: testNow, Again: true})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// requireForgotten checks that the clients are gone, that the others are there, and that
// nothing is damaged.
func requireForgotten(t testing.TB, p *Place, tree *layout.Tree, set *forget.Set, stay []string) {
	t.Helper()
	left, err := p.Left(t.Context(), set)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if got := trim(layouttest.ReadAll(t, tree, schema.All())); !slices.Equal(got, trim(stay)) {
		t.Errorf("%d records are there, want %d", len(got), len(stay))
	}
	if _, found, err := Check(t.Context(), tree); err != nil || len(found) > 0 {
		t.Errorf("check: %v, %v", found, err)
	}
}

// manyForms returns a data folder with segments in rows, merged ones, segments in columns,
// quarantine, and what compaction replaced and retention removed; and the lines that stay.
func manyForms(t testing.TB) (d *layout.Data, stay []string) {
	d = layouttest.Open(t)
	stay = publishClients(t, d, "log.1", layouttest.Channel("a"), channelOn("b", "20130801"))
	stay = append(stay, publishClients(t, d, "log.2", layouttest.Channel("a"))...)
	compactColumns(t, d, time.Hour)
	stay = append(stay, publishClients(t, d, "log.3", layouttest.Channel("a"))...)
	stay = append(stay, publishClients(t, d, "log.4", layouttest.Channel("a"))...)
	compactAll(t, d, time.Hour)
	stay = append(stay, publishClients(t, d, "log.5", layouttest.Channel("a"), layouttest.Channel("c"))...)

	publishClients(t, d, "log.6", channelOn("a", "20120801"))
	if _, err := In(d).Expire(t.Context(), ExpireOptions{Now: testNow, KeepDays: 300, Trash: time.Hour, Force: true}); err != nil {
		t.Fatal(err)
	}
	return d, stay
}

// TestForget: readers leave out the forgotten clients at once, in each form of segment, and
// Forget removes them everywhere, and nothing else.
func TestForget(t *testing.T) {
	d, stay := manyForms(t)
	set := forgottenSet(t)
	if err := d.Forget(t.Context(), "test", set.All()...); err != nil {
		t.Fatal(err)
	}

	// A reader, and one that drops duplicates.
	tree, err := layout.OpenTree(d.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	before, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := tree.Fingerprint(before[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.SkipForgotten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := trim(layouttest.ReadAll(t, tree, schema.All())); !slices.Equal(got, trim(stay)) {
		t.Errorf("a reader sees %d records, want %d", len(got), len(stay))
	}
	if sum, err := tree.Fingerprint(before[0]); err != nil || sum == plain {
		t.Errorf("the key of cached results is the same (%v)", err)
	}

	left, err := In(d).Left(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{layout.PublishedDir, layout.QuarantineDir, layout.ReplacedDir, layout.TrashDir} {
		if !slices.ContainsFunc(left, func(l Left) bool { return strings.HasPrefix(l.Path, dir+"/") }) {
			t.Errorf("nothing of %s is left in %v", dir, left)
		}
	}

	forgetAll(t, In(d), set)
	requireForgotten(t, In(d), d.Tree(), set, stay)
	if runs, err := ListTrash(t.Context(), In(d)); err != nil || len(runs) != 1 {
		t.Errorf("trash: %v, %v", runs, err)
	}

	// What is restored from the trash has nobody who is forgotten.
	runs, _ := ListTrash(t.Context(), In(d))
	if _, _, err := In(d).Restore(t.Context(), runs[0].Name); err != nil {
		t.Fatal(err)
	}
	if done := forgetAll(t, In(d), set); done.Segments != 0 || done.Records != 0 {
		t.Errorf("a second time: %+v", done)
	}
}

// TestForgetKilledAtEveryChange: at every change of the disk a reader sees each record that
// stays once, and the next call finishes.
func TestForgetKilledAtEveryChange(t *testing.T) {
	set := forgottenSet(t)
	step := 7
	if testing.Short() {
		step = 31
	}
	for n, completed := 0, false; !completed; n += step {
		d, stay := manyForms(t)
		d.Folder().Hook = (&layouttest.Killer{Left: n}).Hook
		_, err := In(d).Forget(t.Context(), ForgetOptions{All: set, Due: set, Now: testNow, Again: true})
		d.Folder().Hook = nil
		if completed = err == nil; !completed && !errors.Is(err, layouttest.ErrKilled) {
			t.Fatalf("kill %d: %v", n, err)
		}

		tree := d.Tree()
		tree.SetForgotten(set)
		if got := trim(layouttest.ReadAll(t, tree, schema.All())); !slices.Equal(got, trim(stay)) {
			t.Fatalf("kill %d: a reader sees %d records, want %d", n, len(got), len(stay))
		}
		forgetAll(t, In(d), set)
		requireForgotten(t, In(d), d.Tree(), set, stay)
		if t.Failed() {
			t.Fatalf("kill %d", n)
		}
	}
}

// TestForgetOldForms: files of the predecessor, and segments of releases without filters.
func TestForgetOldForms(t *testing.T) {
	d := layouttest.Open(t)
	stay := publishClients(t, d, "log.1", layouttest.Channel("a"))
	segments, err := d.Tree().Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}

	// Two files without a unique part, one with.
	var text bytes.Buffer
	for n := range numClients {
		line := fmt.Sprintf("old-%d\t"+clientShapes[0]+"\n", n, client(n))
		text.WriteString(line)
		if n%2 == 1 {
			stay = append(stay, line, line, line)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text.Bytes())
	z.Close()
	base := filepath.Join(d.Dir(), strings.TrimSuffix(segments[0].Group(), "."))
	for name, content := range map[string][]byte{"": text.Bytes(), ".gz": packed.Bytes(), ".0123abcd.log.gz": packed.Bytes()} {
		name = strings.Replace(base+name, ".log.0123abcd.log", ".log.0123abcd", 1)
		if err := os.WriteFile(name, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}

	set := forgottenSet(t)
	tree := d.Tree()
	tree.SetForgotten(set)
	if got := trim(layouttest.ReadAll(t, tree, schema.All())); !slices.Equal(got, trim(stay)) {
		t.Errorf("a reader sees %d records, want %d", len(got), len(stay))
	}
	forgetAll(t, In(d), set)
	requireForgotten(t, In(d), d.Tree(), set, stay)
}

// TestForgetEverybody: what is left is a segment without records, which still hides what it
// replaced.
func TestForgetEverybody(t *testing.T) {
	for _, form := range []string{"rows", "columns"} {
		d := layouttest.Open(t)
		publishClients(t, d, "log.1", layouttest.Channel("a"))
		publishClients(t, d, "log.2", layouttest.Channel("a"))
		if form == "columns" {
			compactColumns(t, d, time.Hour)
		} else {
			compactAll(t, d, time.Hour)
		}
		set := forgottenSet(t)
		for n := 1; n < numClients; n += 2 {
			id, _ := forget.ParseID([]byte(client(n)))
			set.Add(forget.Request{ID: id})
		}
		forgetAll(t, In(d), set)
		requireForgotten(t, In(d), d.Tree(), set, nil)
	}
}

// TestCompactForgets: what is merged anyway has nobody who is forgotten, whenever it is due.
func TestCompactForgets(t *testing.T) {
	for _, inColumns := range []bool{false, true} {
		d := layouttest.Open(t)
		stay := publishClients(t, d, "log.1", layouttest.Channel("a"))
		stay = append(stay, publishClients(t, d, "log.2", layouttest.Channel("a"))...)
		set := forgottenSet(t)
		done, err := In(d).Compact(t.Context(), CompactOptions{Filter: layouttest.Everything(), Now: testNow, Columns: inColumns, Forget: set})
		if err != nil || done.Forgotten == 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		requireForgotten(t, In(d), d.Tree(), set, stay)

		// The new segment says who is in it.
		segments, err := d.Tree().Segments(t.Context(), schema.All())
		if err != nil || len(segments) != 1 {
			t.Fatalf("%v, %v", segments, err)
		}
		filter, err := d.Tree().Clients(segments[0])
		if err != nil || filter == nil || filter.Hits(set).Len() != 0 {
			t.Errorf("the filter is %v, %v", filter, err)
		}
	}
}

// TestDedupWithoutForgotten: the latest record of a document is the latest of those that stay.
func TestDedupWithoutForgotten(t *testing.T) {
	for _, inColumns := range []bool{false, true} {
		d := layouttest.Open(t)
		for at, n := range []int{1, 0} { // a client that stays, and then one that does not
			w, err := d.NewWriter(fmt.Sprintf("log.%d", at), layout.WriterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w.SetTime(testNow.Add(time.Duration(at) * time.Second))
			if err := w.Add(layouttest.Channel("a"), []byte("document"), fmt.Appendf(nil, clientShapes[0], client(n))); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if inColumns {
			compactColumns(t, d, 0)
		}

		tree := d.Tree()
		tree.SetForgotten(forgottenSet(t))
		segments, err := tree.Segments(t.Context(), schema.All())
		if err != nil {
			t.Fatal(err)
		}
		duplicates, err := tree.Latest(t.Context(), segments, dedup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, seg := range segments {
			reader, err := tree.Open(seg, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			reader.Skip(duplicates)
			for {
				lines, err := reader.Next()
				if err != nil {
					break
				}
				got = append(got, lines...)
			}
			reader.Close()
		}
		if string(got) != fmt.Sprintf("document\t"+clientShapes[0]+"\n", client(1)) {
			t.Errorf("columns %v: %q", inColumns, got)
		}
	}
}

// TestForgetInObjectStores: in an object store, too; the quarantine is here.
func TestForgetInObjectStores(t *testing.T) {
	for name, url := range map[string]string{
		"memory": "mem://forget", "file": "file://" + filepath.Join(t.TempDir(), "store"), "S3": backendtest.S3(t, &backendtest.Faults{}),
	} {
		t.Run(name, func(t *testing.T) {
			d := layouttest.Open(t)
			if err := d.PublishTo(url); err != nil {
				t.Fatal(err)
			}
			testForgetRemote(t, d, url)
		})
	}
}

// TestForgetVersions: an object store may keep what was removed.
func TestForgetVersions(t *testing.T) {
	d := layouttest.Open(t)
	if err := d.PublishTo(backendtest.S3(t, &backendtest.Faults{Versions: true})); err != nil {
		t.Fatal(err)
	}
	stay := publishClients(t, d, "log.1", layouttest.Channel("a"))
	stay = append(stay, publishClients(t, d, "log.2", layouttest.Channel("a"))...)
	set := forgottenSet(t)
	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow, Forget: set}); err != nil {
		t.Fatal(err)
	}

	// The segments are clean; what compaction has removed is not.
	left, err := In(d).Left(t.Context(), set)
	if err != nil || len(left) != 2 || !strings.Contains(left[0].Why, "earlier version") {
		t.Errorf("left: %v, %v", left, err)
	}
	if done := forgetAll(t, In(d), set); done.Versions != 2 {
		t.Errorf("forgot %+v", done)
	}
	requireForgotten(t, In(d), d.Tree(), set, stay)
}

func testForgetRemote(t *testing.T, d *layout.Data, url string) {
	stay := publishClients(t, d, "log.1", layouttest.Channel("a"), layouttest.Channel("b"))
	stay = append(stay, publishClients(t, d, "log.2", layouttest.Channel("a"))...)
	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: time.Hour, Now: testNow, Columns: true}); err != nil {
		t.Fatal(err)
	}
	stay = append(stay, publishClients(t, d, "log.3", layouttest.Channel("a"))...)
	set := forgottenSet(t)
	if err := d.Forget(t.Context(), "test", set.All()...); err != nil {
		t.Fatal(err)
	}

	// A reader of the store knows it from the store.
	tree, err := layout.OpenTree(url)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if err := tree.SkipForgotten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := trim(layouttest.ReadAll(t, tree, schema.All())); !slices.Equal(got, trim(stay)) {
		t.Errorf("a reader sees %d records, want %d", len(got), len(stay))
	}

	for _, place := range []*Place{Here(d), In(d)} {
		if left, err := place.Left(t.Context(), set); err != nil || len(left) == 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		forgetAll(t, place, set)
		left, err := place.Left(t.Context(), set)
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	requireForgotten(t, In(d), d.Tree(), set, stay)
}
