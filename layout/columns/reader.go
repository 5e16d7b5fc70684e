package columns

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// File is a column segment open for reading. It is safe for concurrent use.
type File struct {
	r    io.ReaderAt
	ix   *index
	path string // in errors
}

// Open reads the end of a file. Errors are *segment.CorruptError without a Path, or r's.
func Open(r io.ReaderAt, size int64) (*File, error) {
	ix, err := readIndex(r, size)
	if err != nil {
		return nil, err
	}
	return &File{r: r, ix: ix}, nil
}

// Recover is Open for a file whose end is damaged: it looks for the copy of the index. The
// error is Open's; with a File, its records can be read in spite of that.
func Recover(r io.ReaderAt, size int64) (*File, error) {
	f, err := Open(r, size)
	if _, damaged := errors.AsType[*segment.CorruptError](err); !damaged {
		return f, err
	}
	if ix := findIndex(r, size); ix != nil {
		return &File{r: r, ix: ix}, err
	}
	return nil, err
}

// From returns the same segment, read from r, whose name in errors is path. So one index
// serves several readers.
func (f *File) From(r io.ReaderAt, path string) *File { return &File{r: r, ix: f.ix, path: path} }

// Info is what the segment says about itself. It must not be changed.
func (f *File) Info() *Info { return &f.ix.Info }

// Group returns a row group for reading, of a file that is open as r.
func (f *File) Group(number int) *Group {
	info := &f.ix.Groups[number]
	return &Group{info: info, r: f.r, path: f.path, names: f.ix.columns, loaded: make([]*column, len(info.chunks)), restRow: -1, shape: shape{row: -1, leavesRow: -1}}
}

// Group is a row group that is read: columns are fetched and unpacked when they are
// touched, and once. It belongs to one goroutine. What its methods return is valid as
// long as the Group.
type Group struct {
	info   *GroupInfo
	r      io.ReaderAt
	path   string
	names  []string
	loaded []*column // by number; nil: not touched
	bytes  int64     // read

	shape shape // of one row

	restRow int // whose rare members are in rest
	rest    map[int32][]byte

	ahead ahead
	raw   []byte // the pages that are being decoded
}

// Rows is how many records the group has.
func (g *Group) Rows() int { return g.info.Rows }

// Touched returns the names of the columns that were read, and their bytes in the file
// and unpacked.
func (g *Group) Touched() (names []string, bytes, unpacked int64) {
	for number, c := range g.loaded {
		if c != nil {
			names = append(names, g.names[number])
			unpacked += g.info.chunks[number].plainBytes()
		}
	}
	return names, g.bytes, unpacked
}

// column is the values of a column, decoded.
type column struct {
	data    []byte
	offsets []uint32 // of the values, or of the dictionary's entries; and of the end
	number  []int32  // by row: of the value in offsets; -1: none. nil: the row is the number
	times   []uint32 // of a column of integers
}

// text returns the value of a row, nil if it has none.
func (c *column) text(row int) []byte {
	if c.number != nil {
		row = int(c.number[row])
		if row < 0 {
			return nil
		}
	}
	return c.data[c.offsets[row]:c.offsets[row+1]:c.offsets[row+1]]
}

// column returns a column, which it reads the first time.
func (g *Group) column(number int) (*column, error) {
	if c := g.loaded[number]; c != nil {
		return c, nil
	}

	// Read all pages of the chunk at once; a chunk that ends early is damage, not a failed read.
	ch := &g.info.chunks[number]
	g.raw = slices.Grow(g.raw[:0], int(ch.bytes()))
	raw := g.raw[:ch.bytes()]
	if n, err := g.r.ReadAt(raw, ch.offset); n < len(raw) {
		if err == io.EOF {
			return nil, g.damaged(number, "column %s: %w", g.names[number], io.ErrUnexpectedEOF)
		}
		return nil, fmt.Errorf("read %s: %w", g.path, err)
	}

	g.bytes += ch.bytes()

	c, err := ch.decode(raw, g.info.Rows)
	if err != nil {
		return nil, g.damaged(number, "column %s: %w", g.names[number], err)
	}
	g.loaded[number] = c
	return c, nil
}

// decode decodes the pages of a chunk.
func (c *chunk) decode(raw []byte, rows int) (*column, error) {
	// The dictionary's page comes first, if there is one.
	var dictionary []byte
	var err error
	if c.entries > 0 {
		if dictionary, err = c.dict.unpack(raw); err != nil {
			return nil, err
		}
		raw = raw[c.dict.headerBytes+c.dict.packedBytes:]
	}

	body, err := c.data.unpack(raw)
	if err != nil {
		return nil, err
	}

	if c.integers {
		return decodeIntegers(body, rows)
	}

	// The levels say which rows of an optional column have a value.
	var levels []uint8
	if !c.required {
		if len(body) < 4 || uint64(le.Uint32(body)) > uint64(len(body)-4) {
			return nil, io.ErrUnexpectedEOF
		}

		length := le.Uint32(body)
		if levels, err = (&rle.Encoding{BitWidth: 1}).DecodeLevels(make([]uint8, 0, rows+8), body[4:4+length]); err != nil {
			return nil, err
		}

		if len(levels) < rows {
			return nil, io.ErrUnexpectedEOF
		}
		levels = levels[:rows]
		body = body[4+length:]
	}

	// The values are entries of the dictionary, or texts one behind the other.
	decoded := &column{}
	var codes []int32
	if c.entries > 0 {
		if codes, err = c.decodeCodes(body); err != nil {
			return nil, err
		}
		err = decoded.setDictionary(dictionary, c.entries)
	} else if c.values > 0 {
		// The texts take the place of their lengths, so that a page is in memory once.
		decoded.data, decoded.offsets, err = (&delta.LengthByteArrayEncoding{}).DecodeByteArray(body[:0], body, nil)
	} else {
		decoded.offsets = []uint32{0}
	}

	if err != nil {
		return nil, err
	}

	if codes == nil && len(decoded.offsets) != c.values+1 {
		return nil, fmt.Errorf("%d values, the index says %d", len(decoded.offsets)-1, c.values)
	}
	return decoded, decoded.fill(levels, codes, c.values, rows)
}

// fill fills in which value each row has.
func (c *column) fill(levels []uint8, codes []int32, values, rows int) error {
	// Without levels every row has a value.
	if levels == nil && values != rows {
		return fmt.Errorf("%d values in %d rows", values, rows)
	}
	if levels == nil {
		c.number = codes // nil: the row is the number
		return nil
	}

	// Otherwise number the values along the rows that have one.
	c.number = make([]int32, rows)
	next := 0
	for row, level := range levels {
		if level == 0 {
			c.number[row] = -1
			continue
		}

		if next >= values {
			return fmt.Errorf("more than %d values", values)
		}

		if codes != nil {
			c.number[row] = codes[next]
		} else {
			c.number[row] = int32(next)
		}
		next++
	}

	if next != values {
		return fmt.Errorf("%d values, the index says %d", next, values)
	}
	return nil
}

// decodeCodes decodes the codes of a dictionary's entries.
func (c *chunk) decodeCodes(body []byte) ([]int32, error) {
	// The width is stored, but follows from the number of entries.
	if len(body) == 0 || int(body[0]) != codeWidth(c.entries) {
		return nil, io.ErrUnexpectedEOF
	}

	codes, err := (&rle.Encoding{BitWidth: int(body[0])}).DecodeInt32(make([]int32, 0, c.values+8), body[1:])
	if err != nil {
		return nil, err
	}

	if len(codes) < c.values {
		return nil, io.ErrUnexpectedEOF
	}

	// A code beyond the entries would read outside of them.
	codes = codes[:c.values]
	for _, code := range codes {
		if uint32(code) >= uint32(c.entries) {
			return nil, fmt.Errorf("code %d of %d entries", code, c.entries)
		}
	}
	return codes, nil
}

// setDictionary decodes the entries of a dictionary, which take the place of plain.
func (c *column) setDictionary(plain []byte, entries int) error {
	c.data = plain[:0]
	c.offsets = make([]uint32, 1, entries+1)
	for range entries {
		// Each entry has its length before it.
		if len(plain) < 4 || uint64(le.Uint32(plain)) > uint64(len(plain)-4) {
			return io.ErrUnexpectedEOF
		}

		length := le.Uint32(plain)
		c.data = append(c.data, plain[4:4+length]...)
		c.offsets = append(c.offsets, uint32(len(c.data)))
		plain = plain[4+length:]
	}
	return nil
}

func decodeIntegers(body []byte, rows int) (*column, error) {
	if len(body) != 4*rows {
		return nil, fmt.Errorf("%d bytes for %d integers", len(body), rows)
	}
	c := &column{times: make([]uint32, rows)}
	for row := range c.times {
		c.times[row] = le.Uint32(body[4*row:])
	}
	return c, nil
}

// unpack returns the content of a page that raw begins with.
func (p *page) unpack(raw []byte) ([]byte, error) {
	// The checksum is that of the compressed page.
	packed := raw[p.headerBytes : p.headerBytes+p.packedBytes]
	if crc32.ChecksumIEEE(packed) != p.crc {
		return nil, fmt.Errorf("checksum of a page does not match")
	}

	plain, err := decoder.DecodeAll(packed, make([]byte, 0, p.plainBytes))
	if err != nil {
		return nil, err
	}

	if len(plain) != p.plainBytes {
		return nil, fmt.Errorf("a page of %d bytes, the index says %d", len(plain), p.plainBytes)
	}
	return plain, nil
}

func (g *Group) damaged(column int, format string, args ...any) error {
	return &segment.CorruptError{Path: g.path, Offset: g.info.chunks[column].offset, Err: fmt.Errorf(format, args...)}
}

// VerifyFooter checks the footer, which this package's readers do not need, of a file of
// that size.
func (f *File) VerifyFooter(size int64) error {
	// The tail says how long the footer is.
	tail := make([]byte, tailBytes)
	if n, err := f.r.ReadAt(tail, size-tailBytes); n < len(tail) {
		return err
	}

	footerBytes := int64(le.Uint32(tail[len(tail)-8:])) + 8
	end := size - tailBytes - headBytes // of what the checksum covers
	begin := size - footerBytes
	if begin < 0 || begin > end {
		return &segment.CorruptError{Path: f.path, Offset: size - 8, Err: fmt.Errorf("bad size of the footer")}
	}

	// Compare the checksum, which does not cover the tail.
	footer := make([]byte, end-begin)
	if n, err := f.r.ReadAt(footer, begin); n < len(footer) {
		return err
	}

	if crc32.Checksum(footer, crcTable) != f.ix.footer {
		return &segment.CorruptError{Path: f.path, Offset: begin, Err: fmt.Errorf("checksum of the footer does not match")}
	}
	return nil
}
