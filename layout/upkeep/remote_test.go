package upkeep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestObjectStores runs the same suite on every kind of store.
func TestObjectStores(t *testing.T) {
	t.Run("memory", func(t *testing.T) { testStore(t, "mem://"+t.Name()[len("TestObjectStores/"):]) })
	t.Run("file", func(t *testing.T) { testStore(t, "file://"+filepath.Join(t.TempDir(), "store")) })
	t.Run("fake S3", func(t *testing.T) { testStore(t, backendtest.S3(t, &backendtest.Faults{})) })
	t.Run("fake S3 that fails", func(t *testing.T) {
		if testing.Short() {
			t.Skip("waits before it tries again")
		}
		testStore(t, backendtest.S3(t, &backendtest.Faults{FailEach: 29, Slow: time.Millisecond / 10}))
	})
}

// TestVersityGateway runs the suite against a real S3 server:
// go install github.com/versity/versitygw/cmd/versitygw@v1.8.0.
func TestVersityGateway(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	t.Run("sums before the content", func(t *testing.T) { testStore(t, versityGateway(t, nil)) })
	t.Run("trailing checksums", func(t *testing.T) {
		testStore(t, versityGateway(t, nil)+"&request_checksum_calculation=when_supported")
	})
}

// versityGateway starts the server and returns the URL of a folder in it. Requests go
// through a proxy that wrap makes of the server; nil: they do not.
func versityGateway(t testing.TB, wrap func(http.Handler) http.Handler) string {
	tool, err := exec.LookPath("versitygw")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("versitygw is missing in CI")
		}
		t.Skip(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o777); err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ingesttest.FreePorts(t, 1)[0])
	cmd := exec.Command(tool, "--port", addr, "--access", "K", "--secret", "S", "posix", root)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ingesttest.Wait(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	if wrap == nil {
		return backendtest.URL(t, "http://"+addr)
	}
	proxy := httptest.NewServer(wrap(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addr})
		r.Out.Host = r.In.Host // the signature covers it
	}}))
	t.Cleanup(proxy.Close)
	return backendtest.URL(t, proxy.URL)
}

func testStore(t *testing.T, url string) {
	d := layouttest.Open(t)
	if err := d.PublishTo(url); err != nil {
		t.Fatal(err)
	}
	old := layouttest.Channel("a")
	old[schema.SubmissionDate] = "20130801"
	var want []string
	for i := range 3 {
		want = append(want, layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), 5, layouttest.Channel("a"), layouttest.Channel("b"), old)...)
	}
	slices.Sort(want)
	if es, _ := os.ReadDir(filepath.Join(d.Dir(), layout.PublishedDir)); len(es) != 0 {
		t.Errorf("the local published/ holds %v", es)
	}
	tree, err := layout.OpenTree(url)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	place, err := Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	check := func(segments int) {
		t.Helper()
		segs, err := tree.Segments(t.Context(), schema.All())
		if err != nil || len(segs) != segments {
			t.Fatalf("%d segments, %v; want %d", len(segs), err, segments)
		}
		if got := layouttest.ReadAll(t, tree, schema.All()); !slices.Equal(got, want) {
			t.Errorf("read %d records, want %d", len(got), len(want))
		}
		if st, found, err := Check(t.Context(), tree); err != nil || len(found) != 0 || st.Records != int64(len(want)) {
			t.Errorf("Check = %+v, %v, %v", st, found, err)
		}
	}
	check(9)
	if segs, err := tree.Segments(t.Context(), schema.All().Where(schema.Channel, schema.OneOf("b"))); err != nil || len(segs) != 3 {
		t.Errorf("pruned: %d segments, %v", len(segs), err)
	}
	before, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for range 2 { // the second time there is nothing to do
		if _, err := place.Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: time.Hour, Now: now}); err != nil {
			t.Fatal(err)
		}
		check(3)
	}
	if b, err := layouttest.ReadSegment(tree, before[0]); err != nil || len(b) == 0 {
		t.Errorf("a segment listed before compaction: %v", err)
	}
	want = append(want, layouttest.Publish(t, d, "log.9", 5, layouttest.Channel("a"))...)
	slices.Sort(want)
	check(4)
	// What a killed compaction left behind does no harm.
	if err := os.MkdirAll(filepath.Join(d.Dir(), layout.CompactDir), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir(), layout.CompactDir, "1"), []byte("half a segment"), 0o666); err != nil {
		t.Fatal(err)
	}
	if st, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: time.Hour, Now: now.Add(2 * time.Hour)}); err != nil || st.Segments != 2 {
		t.Errorf("Compact = %+v, %v", st, err)
	}
	check(3)
	if _, err := layouttest.ReadSegment(tree, before[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a segment whose grace period is over: %v, want ErrNotExist", err)
	}
	cutSegment(t, url, tree)
	for _, repair := range []bool{false, true} {
		if _, found, err := place.Check(t.Context(), repair); err != nil || len(found) != 1 || !found[0].Damage() {
			t.Errorf("Check(%v) of a cut segment: %v, %v", repair, found, err)
		}
	}
	check(3)
	unlock, err := place.site.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := place.Expire(t.Context(), ExpireOptions{Now: testNow, KeepDays: 1}); !errors.Is(err, layout.ErrBusy) {
		t.Errorf("with the lock taken: %v, want ErrBusy", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	october := time.Date(2013, 10, 1, 0, 0, 0, 0, time.UTC)
	if done, err := place.Expire(t.Context(), ExpireOptions{Now: october, KeepDays: 30, Force: true}); err != nil || len(done.Segments) != 1 {
		t.Errorf("Expire = %v, %v", done, err)
	}
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil || len(segs) != 2 {
		t.Errorf("after expiry: %d segments, %v", len(segs), err)
	}
}

// cutSegment takes the last byte of a segment away: damage that loses no record.
func cutSegment(t *testing.T, url string, tree *layout.Tree) {
	b, err := backend.OpenBlob(url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	file, err := b.ReadAll(t.Context(), segs[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Put(t.Context(), segs[1].Path, func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(file[:len(file)-1])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRemotePublicationKilledAtEveryChange: as for a local folder, with the
// segments going to an object store.
func TestRemotePublicationKilledAtEveryChange(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 4
	}
	for n, completed := 0, false; !completed; n += step {
		dir, url := t.TempDir(), fmt.Sprintf("mem://killed-%d", n)
		open := func() *layout.Data {
			d, err := layout.OpenData(dir)
			if err == nil {
				err = d.PublishTo(url)
			}
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		d := open()
		raw := filepath.Join(dir, layout.RawDir, layouttest.RawLog)
		if err := os.WriteFile(raw, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		d.Folder().Hook = (&layouttest.Killer{Left: n}).Hook
		err := layouttest.Convert(t, d)
		if completed = err == nil; !completed && !errors.Is(err, layouttest.ErrKilled) {
			t.Fatalf("kill %d: %v", n, err)
		}
		d.Close()
		d = open()
		if err := d.Recover(t.Context()); err != nil {
			t.Fatalf("kill %d: %v", n, err)
		}
		if _, err := os.Stat(raw); err == nil {
			if err := layouttest.Convert(t, d); err != nil {
				t.Fatalf("kill %d: %v", n, err)
			}
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 10 || len(slices.Compact(got)) != 10 {
			t.Errorf("kill %d: %d records, want 10", n, len(got))
		}
		d.Close()
	}
	// A publication under way to a store is not finished elsewhere.
	d := layouttest.Open(t)
	if err := d.PublishTo("mem://elsewhere"); err != nil {
		t.Fatal(err)
	}
	d.Folder().Hook = func(_ *os.Root, o backend.Op, name string) error {
		if o == backend.OpRename && filepath.Base(name) != backend.CommitFile {
			return layouttest.ErrKilled
		}
		return nil
	}
	if err := layouttest.Convert(t, d); !errors.Is(err, layouttest.ErrKilled) {
		t.Fatal(err)
	}
	d.Folder().Hook, d.Folder().Remote = nil, nil
	if err := d.Recover(t.Context()); err == nil {
		t.Error("Recover finished a publication to a store in the folder")
	}
}

// TestListingPrunesByPrefix: what a filter excludes is not asked for.
func TestListingPrunesByPrefix(t *testing.T) {
	faults := &backendtest.Faults{}
	d := layouttest.Open(t)
	if err := d.PublishTo(backendtest.S3(t, faults)); err != nil {
		t.Fatal(err)
	}
	layouttest.Publish(t, d, "log.1", 1, layouttest.Channel("a"), layouttest.Channel("b"))
	var asked []string
	faults.Log = func(r *http.Request) { asked = append(asked, r.URL.Query().Get("prefix")) }
	segs, err := d.Tree().Segments(t.Context(), schema.All().Where(schema.Channel, schema.OneOf("b")))
	if err != nil || len(segs) != 1 {
		t.Fatalf("Segments = %v, %v", segs, err)
	}
	if len(asked) == 0 || slices.ContainsFunc(asked, func(prefix string) bool { return strings.Contains(prefix, "/a/") }) {
		t.Errorf("asked for %q", asked)
	}
}
