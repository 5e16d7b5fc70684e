package revisions

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/revisions/hgtest"
)

// definitionTexts are real Histograms.json where they are at hand, and the
// project's own, all different.
func definitionTexts(t *testing.T) (texts [4]string) {
	for i, name := range []string{
		"../ingest/gen/Histograms.json",
		"../../shared/data/histogram_cache/mozilla-central/ad0ae007aa9e/Histograms.json",
		"../../shared/data/histogram_cache/releases/mozilla-aurora/8d3810543edc/Histograms.json",
		"../../shared/data/histogram_cache/releases/mozilla-release/a55c55edf302/Histograms.json",
	} {
		b, err := os.ReadFile(name)
		if err != nil {
			if i == 0 || os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			b = []byte(`{"SUBSTITUTE_` + strconv.Itoa(i) + `": {"kind": "flag", "description": "not a real one"}}`)
		}
		texts[i] = string(b)
	}

	return texts
}

// browsers makes the four repositories. What is known of the changes, by name.
func browsers(t *testing.T) (s *hgtest.Server, nodes map[string]string) {
	s = hgtest.New(t)
	text := definitionTexts(t)
	nodes = map[string]string{}
	const central, aurora, beta, release = "mozilla-central", "releases/mozilla-aurora", "releases/mozilla-beta", "releases/mozilla-release"
	for _, c := range []struct{ name, repo, date, file, text string }{
		{"central 28", central, "2013-11-01 00:00", hgtest.Version, "# A comment.\n\n28.0a1\n"},
		{"central first", central, "2013-11-10 00:00", hgtest.Definitions, text[1]},
		{"central 29", central, "2013-12-09 00:00", hgtest.Version, "# A comment.\n\n29.0a1\n"},
		{"central second", central, "2014-01-05 12:00", hgtest.Definitions, text[0]},
		{"central late", central, "2013-12-20 00:00", hgtest.Definitions, text[2]}, // written before, came in after
		{"central 30", central, "2014-02-03 00:00", hgtest.Version, "# A comment.\n\n30.0a1\n"},
		{"central last", central, "2014-02-10 00:00", hgtest.Definitions, text[3]},
		{"aurora first", aurora, "2013-12-10 00:00", hgtest.Definitions, text[2]},
		{"aurora 28", aurora, "2013-12-10 00:00", hgtest.Version, "28.0a2\n"},
		{"beta first", beta, "2014-02-04 00:00", hgtest.Definitions, text[2]},
		{"beta 28", beta, "2014-02-04 00:00", hgtest.Version, "28.0\n"},
		{"release first", release, "2013-09-10 00:00", hgtest.Definitions, text[3]},
	} {
		nodes[c.name] = s.Commit(c.repo, c.date, c.file, c.text)
	}

	return s, nodes
}

func TestSyncWithMercurial(t *testing.T) {
	server, nodes := browsers(t)
	server.Start()
	o := DefaultOptions()
	o.Server, o.Dir, o.RetryDelay = server.URL, t.TempDir(), time.Millisecond
	c := newCache(t, o)
	c.page = 2 // so that there are several
	sync := func(c *Cache) *History {
		t.Helper()
		for _, repo := range ChannelRepos() {
			if _, err := c.Sync(t.Context(), repo); err != nil {
				t.Fatal(err)
			}
		}

		h, err := c.History()
		if err != nil {
			t.Fatal(err)
		}

		return h
	}

	h := sync(c)
	for _, tt := range []struct{ channel, build, version, want, by string }{
		{"nightly", "20131111030204", "28.0a1", "central first", ByBuildID},
		{"nightly", "20140105115959", "", "central first", ByBuildID},
		{"nightly", "20140105120000", "", "central late", ByBuildID}, // both came in by then
		{"nightly", "20140210", "", "central last", ByBuildID},
		{"nightly", "20990101000000", "", "central last", ByBuildID},
		{"nightly", "UNKNOWN", "28.0a1", "central first", ByChannelVersion},
		{"nightly", "20000101000000", "29.0a1", "central late", ByChannelVersion},
		{"nightly", "2014", "30.0a1", "central last", ByChannelVersion},
		{"aurora", "20140101004002", "28.0a2", "aurora first", ByBuildID},
		{"beta", "", "28.0", "beta first", ByChannelVersion},
		{"beta", "", "28.1", "beta first", ByChannelVersion},
		{"release-cck-partner", "20140127194636", "27.0", "release first", ByBuildID},
		{"default", "20140127194636", "29.0a1", "central late", ByVersion},
		{"UNKNOWN", "UNKNOWN", "28.0a2", "aurora first", ByVersion},
		{"nightly", "20000101000000", "27.0a1", "", ""},
		{"release", "", "27.0", "", ""}, // whose repository has no versions here
		{"", "", "", "", ""},
	} {
		ref, by, ok := h.Find(tt.channel, tt.build, tt.version)
		if want := nodes[tt.want]; ok != (want != "") || ok && (by != tt.by || ref.Revision != want[:12]) {
			t.Errorf("Find(%s, %s, %s) = %v, %s, %v; want %s by %s", tt.channel, tt.build, tt.version, ref, by, ok, tt.want, tt.by)
		}
	}

	// The definitions are available, and the same text is one Spec.
	var specs [2]*Spec
	for i, channel := range []string{"aurora", "beta"} {
		ref, _, _ := c.FindRevision(channel, "20140301000000", "")
		var err error
		if specs[i], err = c.Spec(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	if specs[0] != specs[1] {
		t.Error("the same definitions were parsed twice")
	}

	// The same history is the same file: synced again, and by another, whole or in pages.
	index := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, indexFile))
		if err != nil {
			t.Error(err)
		}

		return string(b)
	}

	first := index(o.Dir)
	sync(c)
	if got := index(o.Dir); got != first {
		t.Errorf("synced again:\n%s\nwant\n%s", got, first)
	}

	o2 := o
	o2.Dir = t.TempDir()
	sync(newCache(t, o2))
	if got := index(o2.Dir); got != first {
		t.Errorf("another's:\n%s\nwant\n%s", got, first)
	}

	// What is new is added, but not what lies on another branch.
	server.Run("mozilla-central", "branch", "-q", "GECKO30_RELBRANCH")
	server.Commit("mozilla-central", "2014-03-01 00:00", hgtest.Definitions, `{"RELBRANCH": {"kind": "flag"}}`)
	server.Run("mozilla-central", "update", "-q", "default")
	newest := server.Commit("mozilla-central", "2014-03-02 00:00", hgtest.Definitions, `{"NEWEST": {"kind": "flag"}}`)
	s, err := c.Sync(t.Context(), "mozilla-central")
	if err != nil || s.New != 1 || s.Definitions != 5 || s.Rewritten {
		t.Errorf("Sync = %+v, %v", s, err)
	}
	if ref, _, _ := c.FindRevision("nightly", "20140301120000", ""); ref.Revision != nodes["central last"][:12] {
		t.Errorf("found %v, from another branch", ref)
	}
	if ref, _, _ := c.FindRevision("nightly", "20140302", ""); ref.Revision != newest[:12] {
		t.Errorf("found %v, want %s", ref, newest)
	}

	// All are fetched once; then the server is not needed.
	if fetched, missing, err := c.Fetch(t.Context(), "mozilla-central", time.Time{}); fetched != 5 || missing != 0 || err != nil {
		t.Errorf("Fetch = %d, %d, %v", fetched, missing, err)
	}

	server.Stop()
	if fetched, missing, err := c.Fetch(t.Context(), "mozilla-central", time.Time{}); fetched != 0 || missing != 0 || err != nil {
		t.Errorf("Fetch again = %d, %d, %v", fetched, missing, err)
	}

	before := index(o.Dir)
	if _, err := c.Sync(t.Context(), "mozilla-central"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Sync without a server: %v", err)
	}
	if index(o.Dir) != before {
		t.Error("a failed Sync changed the index")
	}

	server.Start()
	if _, err := c.Sync(t.Context(), "no/such/repo"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Sync of nothing: %v", err)
	}

	// A repository that was made anew replaces what was known.
	server.Run("mozilla-central", "--config", "extensions.strip=", "strip", "--no-backup", "-q", "-r", newest)
	other := server.Commit("mozilla-central", "2014-03-03 00:00", hgtest.Definitions, `{"OTHER": {"kind": "flag"}}`)
	if s, err := c.Sync(t.Context(), "mozilla-central"); err != nil || !s.Rewritten || s.Definitions != 5 {
		t.Errorf("Sync = %+v, %v", s, err)
	}
	if ref, _, _ := c.FindRevision("nightly", "20140401", ""); ref.Revision != other[:12] {
		t.Errorf("found %v, want %s", ref, other)
	}
}

// TestCacheAgainstFaults has a proxy before a real server break what is asked
// for in one way after another, and the cache recover each time.
func TestCacheAgainstFaults(t *testing.T) {
	server := hgtest.New(t)
	node := server.Commit("mozilla-central", "2013-11-10 00:00", hgtest.Definitions, definitionTexts(t)[1])
	server.Commit("mozilla-central", "2013-12-09 00:00", hgtest.Version, "29.0a1\n")
	server.Start()
	target, _ := url.Parse(server.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	var fault atomic.Pointer[http.HandlerFunc]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := fault.Load(); f != nil {
			(*f)(w, r)
			return
		}

		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	truncated := func(w http.ResponseWriter, r *http.Request) {
		res, err := http.Get(server.URL + r.URL.RequestURI())
		if err != nil {
			t.Error(err)
			return
		}

		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Write(b[:len(b)/2])
	}

	ref, err := NewRef("mozilla-central", node[:12])
	if err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name  string
		fault http.HandlerFunc
		want  error
	}{
		{"slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ErrUnavailable},
		{"slow body", func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("{"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, ErrUnavailable},
		{"404", http.NotFound, ErrNotFound},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, ErrUnavailable},
		{"truncated", truncated, ErrUnavailable},
		{"stopped", nil, ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOptions()
			o.Server, o.Dir, o.RetryDelay = front.URL, t.TempDir(), time.Millisecond
			o.Timeout = 50 * time.Millisecond // of the slow ones
			c := newCache(t, o)
			if tt.fault != nil {
				fault.Store(&tt.fault)
				defer fault.Store(nil)
			} else {
				server.Stop()
			}
			if tt.name != "slow" && tt.name != "slow body" {
				c.o.Timeout = time.Minute
			}
			if _, err := c.Spec(t.Context(), ref); !errors.Is(err, tt.want) {
				t.Errorf("Spec: %v, want %v", err, tt.want)
			}
			if _, err := c.Sync(t.Context(), "mozilla-central"); !errors.Is(err, tt.want) {
				t.Errorf("Sync: %v, want %v", err, tt.want)
			}
			if entries, _ := os.ReadDir(o.Dir); len(entries) != 0 {
				t.Errorf("left in the cache: %v", entries)
			}
			// It is back, and the memory of the failure has expired.
			fault.Store(nil)
			if tt.fault == nil {
				server.Start()
			}
			c.o.Timeout = time.Minute
			c.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			if s, err := c.Spec(t.Context(), ref); err != nil || s == nil {
				t.Errorf("Spec after recovery: %v", err)
			}
			if s, err := c.Sync(t.Context(), "mozilla-central"); err != nil || s.Definitions != 1 || s.Versions != 1 {
				t.Errorf("Sync after recovery: %+v, %v", s, err)
			}
		})
	}

	// The working copy is not a revision, whatever the server answers.
	o := DefaultOptions()
	o.Server = server.URL
	c := newCache(t, o)
	for _, digits := range []int{12, 40} {
		res, err := http.Get(server.URL + "/mozilla-central/raw-file/" + strings.Repeat("f", digits) + "/" + definitionsPath)
		if err != nil {
			t.Fatal(err)
		}

		res.Body.Close()
		t.Logf("%d times f: the server answers %s", digits, res.Status)
		if _, err := ParseURL(server.URL + "/mozilla-central/rev/" + strings.Repeat("f", digits)); !errors.Is(err, ErrInvalidURL) {
			t.Errorf("%d times f: %v", digits, err)
		}
	}
	if _, err := c.Spec(context.Background(), Ref{"mozilla-central", "0123456789ab"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown revision: %v", err)
	}
	if s, err := c.Spec(t.Context(), Ref{"mozilla-central", node}); err != nil || s == nil {
		t.Errorf("40 digits: %v", err)
	}
}
