package convert

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/aitgithub/telemetry-server/ingest/convert/inflate"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// BenchmarkUnpack unpacks 100 pings of 37 kB, packed at level 6, in MB of raw JSON
// per second, with the decoder of conversion and with its rivals, which get their
// input in memory and write to the same memory, too.
func BenchmarkUnpack(b *testing.B) {
	_, texts, size := realistic(b)
	var bodies [][]byte
	for _, text := range texts {
		var packed bytes.Buffer
		w := stdgzip.NewWriter(&packed)
		w.Write(text)
		w.Close()
		bodies = append(bodies, packed.Bytes())
	}
	dst := make([]byte, 1<<20)
	run := func(name string, unpack func(src []byte) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			defer ingesttest.PerCore(b, size)()
			for b.Loop() {
				for _, body := range bodies {
					if err := unpack(body); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	var d inflate.Decoder
	run("inflate", func(src []byte) error {
		_, err := d.Gunzip(dst, src, len(dst))
		return err
	})
	var in bytes.Reader
	read := func(r io.Reader) error {
		_, err := io.ReadFull(r, dst)
		if err == io.ErrUnexpectedEOF { // dst is larger
			err = nil
		}
		return err
	}
	peers := []interface {
		io.Reader
		Reset(io.Reader) error
	}{new(gzip.Reader), new(stdgzip.Reader)}
	for i, name := range []string{"klauspost", "standard"} {
		run(name, func(src []byte) error {
			in.Reset(src)
			if err := peers[i].Reset(&in); err != nil {
				return err
			}
			return read(peers[i])
		})
	}
}
