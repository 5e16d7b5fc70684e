package layout

import (
	"errors"
	"fmt"
	"io"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"
)

// decoder decodes single frames for all readers: DecodeAll may be called
// concurrently, keeps no state between calls and starts no goroutine.
var decoder = func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxFrameBytes))
	if err != nil {
		panic("layout: zstd decoder: " + err.Error())
	}
	return d
}()

// frames reads frames of a segment one by one.
type frames struct {
	r      io.ReaderAt
	list   []seekable.FrameOffsetEntry // DecompressedSize 0: unknown
	packed []byte                      // reused
	plain  []byte                      // reused; handed out
}

func (f *frames) block() ([]byte, error) {
	if len(f.list) == 0 {
		return nil, io.EOF
	}
	e := f.list[0]
	f.list = f.list[1:]
	bad := func(err error) ([]byte, error) {
		return nil, &CorruptError{Offset: int64(e.CompressedOffset), Err: err}
	}
	f.packed = grow(f.packed, int(e.CompressedSize))
	if _, err := f.r.ReadAt(f.packed, int64(e.CompressedOffset)); err == io.EOF {
		return bad(io.ErrUnexpectedEOF)
	} else if err != nil {
		return nil, err
	}
	f.plain = grow(f.plain, int(e.DecompressedSize))
	b, err := decoder.DecodeAll(f.packed, f.plain[:0])
	if err != nil {
		return bad(err)
	}
	if f.plain = b; e.DecompressedSize > 0 && len(b) != int(e.DecompressedSize) {
		return bad(fmt.Errorf("frame has %d bytes, the seek table says %d", len(b), e.DecompressedSize))
	}
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return bad(errors.New("frame does not end with a line"))
	}
	return b, nil
}

// grow returns b with length n, of unspecified content.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
