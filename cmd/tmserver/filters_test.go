package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// TestFiltersInConfigMap: what is mounted by Kubernetes are links to links; the
// filter imports a file beside it, and takes the histograms' definitions.
func TestFiltersInConfigMap(t *testing.T) {
	dir := t.TempDir()
	mount := func(version, text string) {
		t.Helper()
		for name, text := range map[string]string{
			"ingest.js":  `import { says } from "./_says.js"; export const ingest = (id, dims, ping) => says(ping)`,
			"_says.js":   text,
			"notes.md":   "no filter",
			"types.d.ts": "no filter either",
		} {
			file := filepath.Join(dir, version, name)
			link := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
			os.Symlink("..data/"+name, link) // there the second time
		}
		if err := errors.Join(os.Symlink(version, filepath.Join(dir, "..new")), os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	mount("..1", `export const says = ping => ping.histogram("FLAG").kind === "flag" ? { drop: "flag" } : "keep"`)
	flags := filterFlags{Filters: dir}
	filters, err := flags.openFilters(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)), ingesttest.Definitions{Always: spec(t)})
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { filters.run(ctx) })
	defer wg.Wait()
	defer stop()
	ping := []byte(`{"info":{"revision":"http://hg.mozilla.org/mozilla-central/rev/000000000001"},"histograms":{"FLAG":[1,0,0,-1,-1,-1,-1,-1]}}`)
	decision := func() decide.Decision {
		t.Helper()
		filter, err := filters.IngestFilter()
		if err != nil {
			t.Fatal(err)
		}
		decider := filter.NewDecider(t.Context())
		defer decider.Close()
		got, err := decider.Decide(schema.Dims{}, []byte("id"), ping)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}

	if got := decision(); got != (decide.Decision{Action: decide.Drop, Reason: "flag"}) {
		t.Errorf("the first version decides %+v", got)
	}
	mount("..2", `export const says = ping => ({ quarantine: "second" })`)
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	second := decide.Decision{Action: decide.Quarantine, Reason: "second"}
	ingesttest.Wait(t, func() bool { return decision() == second })
	if s := filters.status(); s.Error != "" || len(s.Files) != 1 || s.Files[0].Name != "ingest.js" || s.Files[0].Error != "" {
		t.Errorf("status %+v", s)
	}

	// Without the folder what was loaded stays, and the status does not tell where it was.
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	ingesttest.Wait(t, func() bool { return filters.status().Error != "" })
	if got := filters.status().Error; strings.Contains(got, dir) || decision() != second {
		t.Errorf("status %q, the filter decides %+v", got, decision())
	}
}

// TestFilterChangesLoseNothing kills a server whose ingest filter changes all the time.
// One version decides about a whole raw log, and about each of its submissions once: it
// is published, quarantined, or counted as dropped.
func TestFilterChangesLoseNothing(t *testing.T) {
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	const files, perFile = 8, 100
	dir, spool, filters := t.TempDir(), t.TempDir(), t.TempDir()

	// The operator, who changes the filter, at times without renaming.
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		versions := []string{``, `{ return { drop: "x" } }`, `{ return { quarantine: "x" } }`, `{ throw "x" }`, `{ return`, `{}`}
		for n := 0; ctx.Err() == nil; n++ {
			name := filepath.Join(filters, "ingest.js")
			switch version := versions[n%len(versions)]; {
			case version == "":
				os.Remove(name)
			case n%2 == 0:
				os.WriteFile(name, []byte("export function ingest()"+version), 0o644)
			default:
				os.WriteFile(name+".tmp", []byte("export function ingest()"+version), 0o644)
				os.Rename(name+".tmp", name)
			}
			time.Sleep(rand.N(300 * time.Millisecond))
		}
	})

	logs := 0
	for range rounds {
		for range files {
			text := rawlog.AppendHead(nil, 1)
			for i := range perFile {
				text = rawlog.AppendEntry(text, &rawlog.Submission{
					Path: fmt.Sprintf("%d-%d", logs, i), Body: []byte(`{"ver":2,"info":{"appName":"Firefox"}}`), Time: time.UnixMilli(1391385600000),
				}, 1)
			}
			name := filepath.Join(spool, fmt.Sprint("log", logs))
			if err := errors.Join(os.WriteFile(name+".tmp", text, 0o644), os.Rename(name+".tmp", name+rawlog.FinishedSuffix)); err != nil {
				t.Fatal(err)
			}
			logs++
		}
		s := ingesttest.Serve(t, "tmserver", dir, "--spool", spool, "--filters", filters)
		time.Sleep(rand.N(300 * time.Millisecond)) // anywhere in its work
		s.Kill()
	}

	// The last server has a filter that keeps everything.
	stop()
	wg.Wait()
	if err := os.WriteFile(filepath.Join(filters, "ingest.js"), []byte(`export function ingest() {}`), 0o644); err != nil {
		t.Fatal(err)
	}
	s := ingesttest.Serve(t, "tmserver", dir, "--spool", spool, "--filters", filters)
	ingesttest.Wait(t, func() bool {
		left, err := os.ReadDir(spool)
		return err == nil && len(left) == 0
	})
	s.Stop(t)

	dropped := int64(0)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for rawLog, err := range statistics.All(root, slog.New(slog.DiscardHandler)) {
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range rawLog.Filtered {
			if n != perFile {
				t.Errorf("%d of a raw log were dropped", n)
			}
			dropped += n
		}
	}

	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	kept := ingesttest.Published(t, dir)
	segs, err := quarantine.Segments(t.Context(), tree, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, seg := range segs {
		for q, err := range quarantine.Read(tree, seg) {
			if err != nil {
				t.Fatal(err)
			}
			kept[q.ID()]++
		}
	}

	for log := range logs {
		n := 0
		for i := range perFile {
			n += kept[fmt.Sprintf("%d-%d", log, i)]
		}
		switch n {
		case perFile:
		case 0:
			dropped -= perFile
		default:
			t.Errorf("%d of the %d submissions of log%d are kept", n, perFile, log)
		}
	}
	if dropped != 0 {
		t.Errorf("%d more are counted as dropped than are missing", dropped)
	}
}

func spec(t *testing.T) *revisions.Spec {
	t.Helper()
	s, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// BenchmarkIngestFilter takes a raw log of 2,000 gzip bodies to published
// segments, without an ingest filter and with one that reads two members of each
// ping.
func BenchmarkIngestFilter(b *testing.B) {
	subs := ingesttest.Submissions(b, ingesttest.Shared(b, "raw/telemetry.log.v1.100-realistic-pings"), 1)
	log := rawlog.AppendHead(nil, 0)
	for range 20 {
		for i := range subs {
			log = rawlog.AppendEntry(log, &subs[i], 0)
		}
	}
	dir := b.TempDir()
	text := `export function ingest(id, dims, ping) {
		if (dims.appName === "test" || ping.info.OS === "test") return "drop"
		if (!ping.simpleMeasurements) return { quarantine: "no simpleMeasurements" }
	}`
	if err := os.WriteFile(filepath.Join(dir, "ingest.js"), []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	defs := ingesttest.Cache(b)
	for _, c := range []struct{ name, dir string }{{"none", ""}, {"ingest.js", dir}} {
		b.Run("filter="+c.name, func(b *testing.B) {
			flags := filterFlags{Filters: c.dir}
			filters, err := flags.openFilters(b.Context(), nil, defs)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := filters.IngestFilter(); err != nil {
				b.Fatal(err)
			}
			data, err := layout.OpenData(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer data.Close()
			w := worker.New(data, worker.Options{Definitions: defs, Convert: convert.DefaultOptions(), Filters: filters})
			const name = "telemetry.log.v4.bench.1.1.finished"
			for b.Loop() {
				b.StopTimer()
				if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				st, err := w.ConvertLog(b.Context(), name)
				if err != nil || st.Records != int64(20*len(subs)) {
					b.Fatal(st.Records, err)
				}
			}
		})
	}
}
