package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
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
	o.Server, o.Dir, o.RetryDelay, o.UnavailableTTL = hg.URL, t.TempDir(), time.Millisecond, 0
	cache, err := revisions.NewCache(o)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	at := func(revision, histograms string) string {
		return strings.Replace(ingesttest.Ping(histograms), "try/rev/0123456789ab", repo+"/rev/"+revision, 1)
	}
	data, name := dataWith(t,
		"id1", at(first[:12], `"GC":{"values":{"25":1}}`),
		"id2", at(second, `"GC_MS":{"values":{"25":1}}`),
		"id3", at("0123456789ab", ``),
		"id4", at("ffffffffffff", ``),
	)
	ref, err := revisions.NewRef(repo, first[:12])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Spec(t.Context(), ref); err != nil {
		t.Fatal(err)
	}

	hg.Stop()
	st, err := ConvertLog(t.Context(), data, name, Options{Converter: convert.New(cache, convert.DefaultOptions())})
	if err != nil || st.Records != 1 || st.Waiting != 2 || st.Invalid[convert.ClassConversion] != 1 {
		t.Fatalf("server stopped: %+v, %v", st, err)
	}
	waiting, err := WaitingLogs(data.Root())
	if err != nil || len(waiting) != 1 {
		t.Fatalf("raw logs %v, %v", waiting, err)
	}
	if _, err := ConvertLog(t.Context(), data, waiting[0], Options{Converter: convert.New(cache, convert.DefaultOptions())}); !errors.Is(err, revisions.ErrUnavailable) {
		t.Errorf("server still stopped: %v", err)
	}

	hg.Start()
	st, err = ConvertLog(t.Context(), data, waiting[0], Options{Converter: convert.New(cache, convert.DefaultOptions())})
	if err != nil || st.Records != 1 || st.Waiting != 0 || st.Invalid[convert.ClassConversion] != 1 {
		t.Fatalf("server back: %+v, %v", st, err)
	}
	if got := linesIn(t, data, schema.All()); len(got) != 2 || !strings.Contains(got[1], `"GC_MS":[0,0,1,0,0,-1,-1,-1,-1,-1]`) {
		t.Errorf("published %q", got)
	}
	var messages []string
	segs, err := Quarantine(t.Context(), data.Tree(), convert.ClassConversion)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		for q, err := range Quarantined(data.Tree(), s) {
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, q.ID()+": "+q.Message)
		}
	}
	want := "id3: Failed to fetch histograms for URL: http://hg.mozilla.org/releases/mozilla-beta/rev/0123456789ab"
	if all := strings.Join(messages, "\n"); len(messages) != 2 || !strings.Contains(all, want) || !strings.Contains(all, "id4: Invalid revision URL: ") {
		t.Errorf("quarantined: %q", messages)
	}
}
