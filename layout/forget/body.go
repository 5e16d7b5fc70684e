package forget

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxUnpacked bounds what is unpacked of a body. No ping is longer.
const maxUnpacked = 64 << 20

// Unpack returns the ping in a body as it was received: plain, gzip or zstd. Of one that is
// damaged or too long it returns what can be unpacked.
func Unpack(body []byte) []byte {
	// The first bytes name the format.
	var unpacked io.Reader
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return body
		}
		unpacked = r

	case bytes.HasPrefix(body, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
		if err != nil {
			return body
		}
		defer r.Close()

		unpacked = r

	default:
		return body
	}

	var text bytes.Buffer
	io.Copy(&text, io.LimitReader(unpacked, maxUnpacked)) // damage ends it
	return text.Bytes()
}
