package segment

import (
	"errors"
	"fmt"
	"io"
	"sync"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"
)

// Frame says where a frame lies in the file.
type Frame = seekable.FrameOffsetEntry // DecompressedSize 0: unknown

// decoder decodes single frames for all readers: DecodeAll may be called
// concurrently, keeps no state between calls and starts no goroutine.
var decoder = func() *zstd.Decoder {
	shared, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxFrameBytes))
	if err != nil {
		panic("segment: zstd decoder: " + err.Error())
	}

	return shared
}()

// Decode appends the content of a frame to dst. It is safe for concurrent use.
func Decode(packed, dst []byte) ([]byte, error) { return decoder.DecodeAll(packed, dst) }

// Frames reads frames of a segment one by one.
type Frames struct {
	r    io.ReaderAt
	list []Frame
	*buffers
}

// buffers pass from one reader to the next, because many segments are small.
type buffers struct {
	packed []byte
	plain  []byte // returned by Next
}

var idle = sync.Pool{New: func() any { return new(buffers) }}

// NewFrames returns a reader of these frames. Close is for reusing its buffers.
func NewFrames(r io.ReaderAt, list []Frame) *Frames {
	return &Frames{r: r, list: list, buffers: idle.Get().(*buffers)}
}

// Close ends the reader; what it has returned is not valid any more.
func (f *Frames) Close() error {
	// Twice in the pool, the buffers would get two owners.
	if f.buffers != nil {
		idle.Put(f.buffers)
		f.buffers = nil
		f.list = nil
	}
	return nil
}

// Packed returns the frame that Next returned the content of, valid until the
// next call.
func (f *Frames) Packed() []byte { return f.packed }

// Next returns the content of the next frame, valid until the next call, or
// io.EOF. Damage is a *CorruptError without a Path; the frame after it can be
// read all the same.
func (f *Frames) Next() ([]byte, error) {
	if len(f.list) == 0 {
		return nil, io.EOF
	}

	// Damage ends only this frame.
	entry := f.list[0]
	f.list = f.list[1:]
	bad := func(err error) ([]byte, error) {
		return nil, &CorruptError{Offset: int64(entry.CompressedOffset), Err: err}
	}

	f.packed = grow(f.packed, int(entry.CompressedSize))
	_, err := f.r.ReadAt(f.packed, int64(entry.CompressedOffset))
	if err == io.EOF {
		return bad(io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}

	f.plain = grow(f.plain, int(entry.DecompressedSize))
	lines, err := decoder.DecodeAll(f.packed, f.plain[:0])
	if err != nil {
		return bad(err)
	}
	f.plain = lines

	// Readers may rely on whole lines.
	if entry.DecompressedSize > 0 && len(lines) != int(entry.DecompressedSize) {
		return bad(fmt.Errorf("frame has %d bytes, the seek table says %d", len(lines), entry.DecompressedSize))
	}
	if len(lines) == 0 || lines[len(lines)-1] != '\n' {
		return bad(errors.New("frame does not end with a line"))
	}
	return lines, nil
}

// grow returns b with length n, of unspecified content.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}

	return b[:n]
}
