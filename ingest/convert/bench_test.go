package convert

import (
	"os"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// realistic returns the 100 generated submissions and their bodies, unpacked.
func realistic(b *testing.B) (subs []rawlog.Submission, texts [][]byte, bytes int64) {
	subs = ingesttest.Submissions(b, ingesttest.Shared(b, "raw/telemetry.log.v1.100-realistic-pings"), 1)
	var u unpacker
	for _, s := range subs {
		text, err := u.unpack(s.Body, 1<<24)
		if err != nil {
			b.Fatal(err)
		}
		texts = append(texts, append([]byte(nil), text...))
		bytes += int64(len(text))
	}
	return subs, texts, bytes
}

// BenchmarkConvert converts 100 pings of 37 kB, in MB of raw JSON per second.
func BenchmarkConvert(b *testing.B) {
	subs, texts, bytes := realistic(b)
	c := New(ingesttest.Cache(b), DefaultOptions())
	b.Run("json", func(b *testing.B) {
		defer ingesttest.PerCore(b, bytes)()
		for b.Loop() {
			for _, text := range texts {
				if _, err := c.ConvertJSON(b.Context(), text, "20130910"); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("unpack", func(b *testing.B) {
		var u unpacker
		defer ingesttest.PerCore(b, bytes)()
		for b.Loop() {
			for _, s := range subs {
				if _, err := u.unpack(s.Body, 1<<24); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("gzip", func(b *testing.B) {
		defer ingesttest.PerCore(b, bytes)()
		for b.Loop() {
			for i := range subs {
				if _, err := c.Convert(b.Context(), &subs[i]); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkConvertClients converts pings of today as they are received, but not packed, in
// MB of raw JSON per second: Glean's of 0.9 to 14 kB, main pings of 24 and 30 kB, and one of
// 383 kB, with its metadata.
func BenchmarkConvertClients(b *testing.B) {
	for _, bb := range []struct {
		name  string
		files []string
	}{
		{"glean", []string{"firefox-desktop.metrics.overdue", "firefox-desktop.events", "firefox-desktop.baseline", "org-example-demo-app.demo-report.because"}},
		{"main", []string{"telemetry.main.shutdown.pingsender.large", "telemetry.main.environment-change"}},
		{"large", []string{"pipeline-schemas.main.4.profile"}},
	} {
		var subs []rawlog.Submission
		var total int64
		for _, file := range bb.files {
			packed, err := os.ReadFile("testdata/clients/" + file + ".json.gz")
			if err != nil {
				b.Fatal(err)
			}
			text, err := Unpack(packed, 1<<24)
			if err != nil {
				b.Fatal(err)
			}
			namespace, _, _ := strings.Cut(file, ".")
			path := "/" + namespace + "/metrics/1/fa144581-773b-445d-894e-bf9481afad1f"
			if bb.name != "glean" {
				path = "eed94659-dfbb-41d9-86fc-78f29b030dbb/main/Firefox/153.8.0/esr/20261117185949"
			}
			request := rawlog.AppendField(nil, rawlog.FieldMethod, "POST")
			request = rawlog.AppendField(request, rawlog.FieldDate, "Sat, 28 Nov 2026 10:38:58 GMT")
			request = rawlog.AppendField(request, rawlog.FieldUserAgent, "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0")
			request = rawlog.AppendField(request, rawlog.FieldTelemetryAgent, "Glean/67.3.2 (Rust on Linux)")
			subs = append(subs, rawlog.Submission{Path: path, Body: text, Request: rawlog.Request(request), Time: ingesttest.ClientsReceived})
			total += int64(len(text))
		}

		b.Run(bb.name, func(b *testing.B) {
			c := New(ingesttest.Definitions{}, DefaultOptions())
			defer ingesttest.PerCore(b, total)()
			for b.Loop() {
				for i := range subs {
					if _, err := c.Convert(b.Context(), &subs[i]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
