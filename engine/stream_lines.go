package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// lineBlocks cuts a stream into blocks of whole lines.
type lineBlocks struct {
	r   io.Reader
	buf []byte
	end int // of the block handed out
	err error
}

// NextBlock implements Blocks.
func (l *lineBlocks) NextBlock() (layout.Block, error) {
	lines, err := l.next()
	return layout.Block{Lines: lines}, err
}

func (l *lineBlocks) next() ([]byte, error) {
	// Begin with the part of a line behind the last block; read until a line ends.
	l.buf = append(l.buf[:0], l.buf[l.end:]...)
	l.end = 0
	for l.err == nil {
		n := len(l.buf)
		l.buf = slices.Grow(l.buf, streamBytes)

		var k int
		k, l.err = l.r.Read(l.buf[n:cap(l.buf)])
		l.buf = l.buf[:n+k]
		if i := bytes.LastIndexByte(l.buf[n:], '\n'); i >= 0 {
			l.end = n + i + 1
			return l.buf[:l.end], nil
		}
	}
	if l.err != io.EOF {
		return nil, l.err
	}

	// The last line may lack its newline.
	l.end = len(l.buf)
	if l.end == 0 {
		return nil, io.EOF
	}
	return l.buf, nil
}

// Close implements Blocks.
func (l *lineBlocks) Close() error { return nil }

// EncodeEntry appends the line of one key and value.
func EncodeEntry(b, key, value []byte) []byte {
	b = append(hex.AppendEncode(b, key), '\t')
	return append(base64.StdEncoding.AppendEncode(b, value), '\n')
}

// DecodeEntries calls do with each entry of a stream; the bytes are valid until
// it returns. Errors wrap ErrStream, or are do's or the reader's.
func DecodeEntries(in io.Reader, do func(key, value []byte) error) error {
	return decodeEntries(in, nil, do)
}

// DecodeTask is DecodeEntries for what MapStream has written for a task, which may have
// parts: then each line begins with the number of its part, and Task.Enter is called with it.
func DecodeTask(in io.Reader, t Task, emit Emit) error {
	if t.Segment.Parts == nil {
		return DecodeEntries(in, emit)
	}

	return decodeEntries(in, func(line []byte) ([]byte, error) {
		part, rest, ok := cutPart(line, len(t.Segment.Parts))
		if !ok || part < t.FirstPart || part >= t.FirstPart+len(t.Places) {
			return nil, fmt.Errorf("%w: an entry does not say its partition", ErrStream)
		}
		return rest, t.Enter(part)
	}, emit)
}

// decodeEntries decodes what open leaves of each line; a nil one leaves all.
func decodeEntries(in io.Reader, open func(line []byte) ([]byte, error), do func(key, value []byte) error) error {
	var key, value []byte // reused from line to line
	number := 0

	return eachLine(in, func(line []byte) (err error) {
		number++
		if open != nil {
			if line, err = open(line); err != nil {
				return err
			}
		}

		keyText, valueText, ok := bytes.Cut(line, []byte("\t"))
		if ok {
			key, err = hex.AppendDecode(key[:0], keyText)
		}
		if ok && err == nil {
			value, err = base64.StdEncoding.AppendDecode(value[:0], valueText)
		}

		// An empty value is no datum.
		if !ok || err != nil || len(value) == 0 {
			return fmt.Errorf("%w %d", ErrStream, number)
		}
		return do(key, value)
	})
}

// eachLine calls do with each line of a stream, without its newline.
func eachLine(in io.Reader, do func(line []byte) error) error {
	blocks := &lineBlocks{r: in}

	for {
		block, err := blocks.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}

		for line := range bytes.Lines(block) {
			if err := do(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		}
	}
}

// rowKinds are the first letters of the lines of EncodeRows, by entryKind.
const rowKinds = "rlcsvp"

// EncodeRows is the Sink that writes what another process decodes: per call a
// letter, then the arguments in base64, tab-separated.
type EncodeRows struct{ w *bufio.Writer }

var _ Sink = EncodeRows{}

// NewEncodeRows returns an EncodeRows that writes to w.
func NewEncodeRows(w io.Writer) EncodeRows { return EncodeRows{bufio.NewWriterSize(w, streamBytes)} }

func (e EncodeRows) write(kind entryKind, args ...[]byte) error {
	line := []byte{rowKinds[kind]}
	for _, a := range args {
		line = base64.StdEncoding.AppendEncode(append(line, '\t'), a)
	}

	_, err := e.w.Write(append(line, '\n'))
	return err
}

// Row implements Sink.
func (e EncodeRows) Row(key, value []byte) error { return e.write(entryRow, key, value) }

// Line implements Sink.
func (e EncodeRows) Line(text []byte) error { return e.write(entryLine, text) }

// Record implements Sink.
func (e EncodeRows) Record(columns []byte) error { return e.write(entryRecord, columns) }

// CSVRecord implements Sink.
func (e EncodeRows) CSVRecord(columns []byte) error { return e.write(entryCSVRecord, columns) }

// EndPreamble implements Sink.
func (e EncodeRows) EndPreamble() error { return e.write(entryEndPreamble, nil) }

// Separators implements Sink.
func (e EncodeRows) Separators(field, record string) error {
	return e.write(entrySeparators, []byte(field), []byte(record))
}

// Close implements Sink.
func (e EncodeRows) Close() error { return e.w.Flush() }

// DecodeRows writes to out what EncodeRows has written. Errors wrap ErrStream, or
// are the Output's or the reader's.
func DecodeRows(in io.Reader, out *Output) error {
	return eachLine(in, func(line []byte) error {
		fields := bytes.Split(line, []byte("\t"))
		if len(fields) < 2 || len(fields[0]) == 0 {
			return fmt.Errorf("%w of rows", ErrStream)
		}

		kind := strings.IndexByte(rowKinds, fields[0][0])
		if kind < 0 {
			return fmt.Errorf("%w of rows", ErrStream)
		}

		var args [2][]byte
		for i, field := range fields[1:min(len(fields), 3)] {
			var err error
			if args[i], err = base64.StdEncoding.AppendDecode(nil, field); err != nil {
				return fmt.Errorf("%w of rows: %w", ErrStream, err)
			}
		}
		return out.write(entryKind(kind), args[0], args[1])
	})
}

// StreamSource is the Source of one segment, the lines of a stream. It can be opened once.
type StreamSource struct {
	Segment Segment
	In      io.Reader
}

var _ Source = StreamSource{}

// Segments implements Source.
func (s StreamSource) Segments(context.Context, schema.Filter) ([]Segment, error) {
	return []Segment{s.Segment}, nil
}

// Open implements Source.
func (s StreamSource) Open(Segment, int, int) (Blocks, error) { return &lineBlocks{r: s.In}, nil }

// Fingerprint implements Source.
func (s StreamSource) Fingerprint(Segment) ([32]byte, error) { return [32]byte{}, errStreamed }

// errStreamed: a stream is read once.
var errStreamed = errors.New("the result of a stream cannot be cached")
