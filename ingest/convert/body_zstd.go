package convert

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

// zstdMagic begins a zstd frame.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// maxZstdWindow bounds the memory that a frame may ask for: as much as every decoder has
// to support (RFC 8878).
const maxZstdWindow = 8 << 20

// unzstd is gunzip for zstd: it unpacks all frames of a body into u.text, at most limit
// bytes. The error is a *Rejection or errTooLong.
func (u *unpacker) unzstd(body []byte, limit int) ([]byte, error) {
	if u.zstd == nil {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, err // its options are wrong, a bug of this repository
		}
		u.zstd = decoder
	}

	// One byte more than allowed shows that there is too much.
	text := bytes.NewBuffer(u.text[:0])
	err := u.zstd.Reset(bytes.NewReader(body))
	if err == nil {
		_, err = text.ReadFrom(io.LimitReader(u.zstd, int64(limit)+1))
	}
	u.text = text.Bytes()

	switch {
	case err == nil && len(u.text) > limit, errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, errTooLong
	case err != nil:
		return nil, reject(ClassCorrupt, "zstd: "+err.Error())
	case len(u.text) == 0:
		return nil, reject(ClassEmpty, "Found empty data")
	}
	return u.text, nil
}
