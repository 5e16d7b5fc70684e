package layout

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// blockBytes is the size of the blocks that files without frames are read in.
const blockBytes = 1 << 20

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

// lines cuts a stream into blocks of whole lines.
type lines struct {
	r    io.Reader
	buf  []byte // handed out up to its last newline
	rest int    // where the unfinished line begins in buf
	read int64  // unpacked bytes got from r
	err  error  // of r, after what is in buf
}

func (l *lines) block() ([]byte, error) {
	l.buf = l.buf[:copy(l.buf, l.buf[l.rest:])]
	l.rest = 0
	for l.err == nil {
		have := len(l.buf)
		if cap(l.buf) < have+blockBytes {
			l.buf = append(make([]byte, 0, 2*have+blockBytes), l.buf...)
		}
		l.fill(blockBytes)
		if i := bytes.LastIndexByte(l.buf, '\n'); i >= 0 {
			l.rest = i + 1
			return l.buf[:l.rest], nil
		}
		if len(l.buf) > maxFrameBytes {
			return nil, &CorruptError{Offset: l.read, Err: fmt.Errorf("no line ends within %d bytes", maxFrameBytes)}
		}
	}
	if l.err != io.EOF {
		return nil, &CorruptError{Offset: l.read, Err: l.err}
	}
	if len(l.buf) == 0 {
		return nil, io.EOF
	}
	l.buf = append(l.buf, '\n') // the last line of a file that somebody cut by hand
	l.rest = len(l.buf)
	return l.buf, nil
}

// fill reads n more bytes into buf, which has room for them, or up to the end of
// the stream or its damage. (io.ReadFull would hide a stream that ends too early.)
func (l *lines) fill(n int) {
	for end := len(l.buf) + n; len(l.buf) < end && l.err == nil; {
		var n int
		n, l.err = l.r.Read(l.buf[len(l.buf):end])
		l.buf = l.buf[:len(l.buf)+n]
		l.read += int64(n)
	}
}

// unpack returns the text of a file of the predecessor. The container is told
// by its first bytes, not its name: .lzma files hold LZMA-alone or xz.
func unpack(f io.ReaderAt, size int64, ext string) (io.Reader, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 64<<10)
	if ext == "" {
		return r, nil
	}
	magic, _ := r.Peek(6)
	var src io.Reader
	var err error
	switch {
	case bytes.Equal(magic, []byte("\xfd7zXZ\x00")):
		if err = xzEnds(f, size); err == nil {
			src, err = xz.NewReader(r)
		}
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		src, err = gzip.NewReader(r)
	case bytes.HasPrefix(magic, []byte{0x5d, 0, 0}):
		src, err = lzma.NewReader(r)
	case len(magic) < 6:
		err = io.ErrUnexpectedEOF
	default:
		err = fmt.Errorf("no %s file: begins with % x", ext, magic)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return src, err
}

// xzEnds checks that an xz file ends as one, which the xz package does not: it
// takes a file that is cut off after its header for an empty one.
func xzEnds(f io.ReaderAt, size int64) error {
	var end [4]byte // stream padding, too, is a multiple of four zeros
	for ; size >= 4; size -= 4 {
		if _, err := f.ReadAt(end[:], size-4); err != nil {
			return err
		}
		if end != [4]byte{} {
			break
		}
	}
	if string(end[2:]) != "YZ" {
		return io.ErrUnexpectedEOF
	}
	return nil
}
