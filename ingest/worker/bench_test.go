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

// BenchmarkConvertLog takes a raw log of 2,000 gzip bodies to published segments, in MB
// of raw JSON per second.
func BenchmarkConvertLog(b *testing.B) {
	submissions := ingesttest.Submissions(b, ingesttest.Shared(b, "raw/telemetry.log.v1.100-realistic-pings"), 1)
	var jsonBytes int64
	for _, s := range submissions {
		text, err := convert.Unpack(s.Body, 1<<24)
		if err != nil {
			b.Fatal(err)
		}
		jsonBytes += int64(len(text))
	}

	const times = 20
	log := rawlog.AppendHead(nil, 0)
	for range times {
		for i := range submissions {
			log = rawlog.AppendEntry(log, &submissions[i], 0)
		}
	}

	data, err := layout.OpenData(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer data.Close()
	w := newWorker(data, ingesttest.Cache(b), nil)
	defer ingesttest.PerCore(b, jsonBytes*times)()
	for b.Loop() {
		b.StopTimer()
		if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		got, err := w.ConvertLog(b.Context(), name)
		if err != nil || got.Records != int64(times*len(submissions)) {
			b.Fatal(got.Records, err)
		}
	}
}
