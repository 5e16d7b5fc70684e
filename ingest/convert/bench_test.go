package convert

import (
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"testing"
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
