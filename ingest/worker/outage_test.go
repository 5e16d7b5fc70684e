package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
	"github.com/aitgithub/telemetry-server/revisions/hgtest"
)

// TestOutageOfMercurial takes a real Mercurial server away and brings it back:
// good pings wait, and are converted then; those of a revision that it does not
// have go to quarantine, with the predecessor's message.
func TestOutageOfMercurial(t *testing.T) {
	hg := hgtest.New(t)
	const repo = "releases/mozilla-beta"
	first := hg.Commit(repo, "2013-09-01 00:00", hgtest.Definitions, ingesttest.DefinitionsText)
	second := hg.Commit(repo, "2013-09-02 00:00", hgtest.Definitions, strings.Replace(ingesttest.DefinitionsText, `"GC"`, `"GC_MS"`, 1))
	hg.Start()
	o := revisions.DefaultOptions()
	o.Server = hg.URL
	o.Dir = t.TempDir()
	o.RetryDelay = time.Millisecond
	o.UnavailableTTL = 0
	cache, err := revisions.NewCache(o)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()

	// The first revision is in the cache, the second one is not.
	ref, err := revisions.NewRef(repo, first[:12])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Spec(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	at := func(revision, histograms string) string {
		return strings.Replace(ingesttest.Ping(histograms), "try/rev/0123456789ab", repo+"/rev/"+revision, 1)
	}
	data := ingesttest.DataWith(t,
		"id1", at(first[:12], `"GC":{"values":{"25":1}}`),
		"id2", at(second, `"GC_MS":{"values":{"25":1}}`),
		"id3", at("0123456789ab", ``),
		"id4", at("ffffffffffff", ``),
	)
	w := newWorker(data, cache, nil)

	hg.Stop()
	got, err := w.ConvertLog(t.Context(), name)
	if err != nil || got.Records != 1 || got.Waiting != 2 || got.Quarantined[convert.ClassConversion] != 1 {
		t.Fatalf("server stopped: %+v, %v", got, err)
	}
	waiting := rawLogs(t, data)
	if len(waiting) != 1 {
		t.Fatalf("raw logs %v", waiting)
	}
	if _, err := w.ConvertLog(t.Context(), waiting[0]); !errors.Is(err, revisions.ErrUnavailable) {
		t.Errorf("server still stopped: %v", err)
	}

	hg.Start()
	got, err = w.ConvertLog(t.Context(), waiting[0])
	if err != nil || got.Records != 1 || got.Waiting != 0 || got.Quarantined[convert.ClassConversion] != 1 {
		t.Fatalf("server back: %+v, %v", got, err)
	}
	lines := ingesttest.Lines(t, data, schema.All())
	if len(lines) != 2 || !strings.Contains(lines[1], `"GC_MS":[0,0,1,0,0,-1,-1,-1,-1,-1]`) {
		t.Errorf("published %q", lines)
	}

	messages := quarantinedMessages(t, data)
	want := "id3: Failed to fetch histograms for URL: http://hg.mozilla.org/releases/mozilla-beta/rev/0123456789ab"
	all := strings.Join(messages, "\n")
	if len(messages) != 2 || !strings.Contains(all, want) || !strings.Contains(all, "id4: Invalid revision URL: ") {
		t.Errorf("quarantined: %q", messages)
	}
}

// quarantinedMessages returns "<id>: <message>" of what could not be converted.
func quarantinedMessages(t *testing.T, data *layout.Data) (messages []string) {
	t.Helper()
	segments, err := quarantine.Segments(t.Context(), data.Tree(), convert.ClassConversion)
	if err != nil {
		t.Fatal(err)
	}
	for _, segment := range segments {
		for rejected, err := range quarantine.Read(data.Tree(), segment) {
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, rejected.ID()+": "+rejected.Message)
		}
	}
	return messages
}

// TestMaxWait: a submission whose definitions are not available for too long goes to the
// quarantine, from where it can be replayed; one that came lately waits.
func TestMaxWait(t *testing.T) {
	data := ingesttest.DataWith(t, "id1", unavailablePing, "id2", ingesttest.Ping(``))
	w := New(data, Options{
		Definitions: definitions(t),
		Convert:     convert.DefaultOptions(),
		MaxWait:     100 * 365 * 24 * time.Hour, // the submissions are of 2013
	})
	got, err := w.ConvertLog(t.Context(), name)
	if err != nil || got.Waiting != 1 || got.Records != 1 {
		t.Fatalf("%+v, %v", got, err)
	}

	w.o.MaxWait = time.Hour
	got, err = w.ConvertLog(t.Context(), rawLogs(t, data)[0])
	if err != nil || got.Waiting != 0 || got.Quarantined[convert.ClassConversion] != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if left := rawLogs(t, data); len(left) > 0 {
		t.Errorf("raw logs %v are left", left)
	}
	if messages := quarantinedMessages(t, data); len(messages) != 1 || !strings.HasPrefix(messages[0], "id1: Failed to fetch histograms") {
		t.Errorf("quarantined: %q", messages)
	}
}
