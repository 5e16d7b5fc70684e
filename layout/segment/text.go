package segment

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// partBytes is how much of a file without frames is read at a time.
const partBytes = 1 << 20

// Extensions are those of packed files: the first is ours, the others are read only.
var Extensions = [...]string{"zst", "xz", "lzma", "gz"}

// Text reads the lines of a file without frames, the predecessor's or an analyst's.
// It belongs to one goroutine.
type Text struct {
	file *source
	r    io.Reader // of unpacked text
	buf  []byte    // returned up to its last newline
	rest int       // where the unfinished line begins in buf
	read int64     // unpacked bytes got from r
	err  error     // of r, after what is in buf
}

// Next returns the next lines, about partBytes of them, valid until the next call, or
// io.EOF. Damage is a *CorruptError without a Path.
func (l *Text) Next() ([]byte, error) {
	// The line that was not finished comes first.
	l.buf = l.buf[:copy(l.buf, l.buf[l.rest:])]
	l.rest = 0

	// Read until a line ends: one may be longer than a part.
	for l.err == nil {
		have := len(l.buf)
		if cap(l.buf) < have+partBytes {
			l.buf = append(make([]byte, 0, 2*have+partBytes), l.buf...)
		}
		l.fill(partBytes)

		l.rest = bytes.LastIndexByte(l.buf, '\n') + 1
		if l.rest > 0 {
			return l.buf[:l.rest], nil
		}
		if len(l.buf) > maxFrameBytes {
			return nil, &CorruptError{Offset: l.read, Err: fmt.Errorf("no line ends within %d bytes", maxFrameBytes)}
		}
	}

	// An error of the disk is not damage of what is on it.
	if l.file.err != nil {
		return nil, l.file.err
	}
	if l.err != io.EOF {
		return nil, &CorruptError{Offset: l.read, Err: l.err}
	}
	if len(l.buf) == 0 {
		return nil, io.EOF
	}

	// The last line of a file may lack its newline.
	l.buf = append(l.buf, '\n')
	l.rest = len(l.buf)
	return l.buf, nil
}

// fill reads n more bytes into buf, which has room for them, or up to the end of
// the stream or its damage. (io.ReadFull would hide a stream that ends too early.)
func (l *Text) fill(n int) {
	end := len(l.buf) + n
	for len(l.buf) < end && l.err == nil {
		var got int
		got, l.err = l.r.Read(l.buf[len(l.buf):end])
		l.buf = l.buf[:len(l.buf)+got]
		l.read += int64(got)
	}
}

// OpenText begins to read a file whose name ends in ext: "gz", "xz", "lzma", "zst",
// or "" for plain text. Damage is a *CorruptError without a Path. The caller closes
// the Text, and f itself.
func OpenText(f io.ReaderAt, size int64, ext string) (*Text, error) {
	src := &source{r: io.NewSectionReader(f, 0, size)}
	text, err := unpack(src, f, size, ext)
	if err == nil {
		return &Text{file: src, r: text}, nil
	}

	if src.err != nil {
		return nil, src.err
	}
	return nil, &CorruptError{Err: err}
}

// source notes an error of the disk, which is not damage of what is on it.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Offset is how many bytes of unpacked text were read so far.
func (l *Text) Offset() int64 { return l.read }

// unpack returns the text of a file. The first bytes say which container it is, not
// its name: .lzma files hold LZMA-alone or xz. A result that is an io.Closer
// must be closed.
func unpack(src io.Reader, f io.ReaderAt, size int64, ext string) (io.Reader, error) {
	r := bufio.NewReaderSize(src, 64<<10)
	if ext == "" {
		return r, nil
	}

	// Peek's error shows as too few bytes.
	magic, _ := r.Peek(6)
	var text io.Reader
	var err error
	switch {
	case bytes.Equal(magic, []byte("\xfd7zXZ\x00")):
		err = xzEnds(f, size)
		if err == nil {
			text, err = openXZ(r)
		}
	case isZstd(magic):
		text, err = openZstd(r)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		text, err = gzip.NewReader(r)
	case bytes.HasPrefix(magic, []byte{0x5d, 0, 0}):
		text, err = openLZMA(r)
	case len(magic) < 6:
		err = io.ErrUnexpectedEOF
	default:
		err = fmt.Errorf("no %s file: begins with % x", ext, magic)
	}

	// The packages say io.EOF when the file ends in their header.
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return text, err
}

func openXZ(r io.Reader) (io.Reader, error) {
	if text := runXZ(r, "xz"); text != nil {
		return text, nil
	}

	return xz.NewReader(r)
}

func openLZMA(r io.Reader) (io.Reader, error) {
	if text := runXZ(r, "lzma"); text != nil {
		return text, nil
	}

	return lzma.NewReader(r)
}

func openZstd(r io.Reader) (io.Reader, error) {
	decoder, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return decoder.IOReadCloser(), nil
}

// maxWindow, in bytes, is also the zstd program's limit without its option --memory.
const maxWindow = 128 << 20

// isZstd says whether a file that begins so is zstd: a frame, or a skippable one.
func isZstd(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(magic) > 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18})
}

// xzEnds checks that an xz file ends as one. The xz package does not: to it, a file
// that is cut off after its header is empty.
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

// Close ends what unpacks the stream.
func (l *Text) Close() error {
	if closer, ok := l.r.(io.Closer); ok {
		return closer.Close()
	}

	return nil
}

// xzProcess unpacks with the xz program, which is five times as fast as our
// package. It reads the program's output; its failure becomes the read error.
type xzProcess struct {
	cmd    *exec.Cmd
	out    io.Reader
	stderr bytes.Buffer
	ended  bool
}

// runXZ starts the program, or returns nil if that is not possible.
func runXZ(r io.Reader, format string) io.Reader {
	tool, err := exec.LookPath("xz")
	if err != nil {
		return nil
	}

	process := &xzProcess{cmd: exec.Command(tool, "-dc", "--format="+format)}
	process.cmd.Stdin = r
	process.cmd.Stderr = &process.stderr
	process.out, err = process.cmd.StdoutPipe()

	// Without the program, the package does it.
	if err != nil || process.cmd.Start() != nil {
		return nil
	}
	return process
}

func (p *xzProcess) Read(b []byte) (int, error) {
	if p.ended {
		return 0, io.EOF
	}

	n, err := p.out.Read(b)
	if err != io.EOF {
		return n, err
	}

	// Its exit status says whether the output is whole.
	p.ended = true
	err = p.cmd.Wait()
	if err == nil {
		return n, io.EOF
	}
	if message := bytes.TrimSpace(p.stderr.Bytes()); len(message) > 0 {
		err = errors.New(string(message))
	}
	return n, err
}

// Close ends the program, if it still runs.
func (p *xzProcess) Close() error {
	if !p.ended {
		p.ended = true
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
	return nil
}
