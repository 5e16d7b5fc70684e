package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

// BenchmarkIngestFilter takes a raw log of 2,000 gzip bodies to published
// segments, without an ingest filter and with one that reads two members of each
// ping.
func BenchmarkIngestFilter(b *testing.B) {
	subs := ingesttest.Submissions(b, ingesttest.Shared(b, "raw/telemetry.log.v1.100-realistic-pings"), 1)
	log := rawlog.AppendHead(nil, 0)
	for range 20 {
		for i := range subs {
			log = rawlog.AppendFrame(log, &subs[i], 0)
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
			filter, err := filters.ingest()
			if err != nil {
				b.Fatal(err)
			}
			data, err := layout.OpenData(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer data.Close()
			const name = "telemetry.log.v3.bench.1.1.finished"
			for b.Loop() {
				b.StopTimer()
				if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				st, err := worker.ConvertLog(b.Context(), data, name, worker.Options{Converter: convert.New(defs, convert.DefaultOptions()), Filter: filter})
				if err != nil || st.Records != int64(20*len(subs)) {
					b.Fatal(st.Records, err)
				}
			}
		})
	}
}
