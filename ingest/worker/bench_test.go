package worker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// BenchmarkConvertLog takes a raw log of 2,000 gzip bodies to published
// segments, in MB of raw JSON per second.
func BenchmarkConvertLog(b *testing.B) {
	subs := ingesttest.Submissions(b, ingesttest.Shared(b, "raw/telemetry.log.v1.100-realistic-pings"), 1)
	var bytes int64
	for _, s := range subs {
		text, err := convert.Unpack(s.Body, 1<<24)
		if err != nil {
			b.Fatal(err)
		}
		bytes += int64(len(text))
	}
	const times = 20
	data, err := layout.OpenData(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer data.Close()
	log := rawlog.AppendHead(nil, 0)
	for range times {
		for i := range subs {
			log = rawlog.AppendEntry(log, &subs[i], 0)
		}
	}
	defs := ingesttest.Cache(b)
	const name = "telemetry.log.v3.bench.1.1.finished"
	defer ingesttest.PerCore(b, bytes*times)()
	for b.Loop() {
		b.StopTimer()
		if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		st, err := ConvertLog(b.Context(), data, name, Options{Converter: convert.New(defs, convert.DefaultOptions())})
		if err != nil || st.Records != int64(times*len(subs)) {
			b.Fatal(st.Records, err)
		}
	}
}
