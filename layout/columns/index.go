package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Info is what a segment says about itself.
type Info struct {
	Records  int64
	RawBytes int64    // of the lines
	Replaces []string // paths of the segments that it was made from, in the tree
	Clients  string   // filter of its clients' IDs, see package forget; "" in older segments
	Groups   []GroupInfo
}

// GroupInfo is one row group.
type GroupInfo struct {
	Rows     int
	RawBytes int64
	Parts    []Part // its rows in order, by their dimensions
	Bytes    int64  // of its pages

	odd    int // records that are in the column of odd ones
	rare   int // records that have rare paths
	styles []style
	tree   tree
	chunks []chunk // by column; of the columns that the file had when the group was written
	empty  []chunk // of the later ones, for other programs; not in the index
}

// index is what a reader needs of the footer, in a short form.
type index struct {
	Info
	columns []string // of the file
	footer  uint32   // CRC32C of the bytes of the footer before the tail
}

// The tail is the last field of the footer, in a form of fixed length, so that a reader
// finds the index by one read of the end of the file. Parquet reserves the field's number
// for what only some readers know; others skip it.
const (
	tailText   = "tmcolumns; index at %016x, %08x bytes, %08x plain, CRC %08x, footer CRC %08x"
	textBytes  = 16 + 4*8 + len("tmcolumns; index at ,  bytes,  plain, CRC , footer CRC ")
	headBytes  = 5 // the field's type, number and length
	magic      = "PAR1"
	closeBytes = 1 + 4 + len(magic) // the footer's last byte and length, and the magic
	tailBytes  = int64(textBytes + closeBytes)
)

type writing struct{ b []byte }

func (w *writing) number(n int64) { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writing) text(s string)  { w.number(int64(len(s))); w.b = append(w.b, s...) }
func (w *writing) texts(s []string) {
	w.number(int64(len(s)))
	for _, text := range s {
		w.text(text)
	}
}

// clientsMark begins the filter of clients among the paths of replaced segments, none of
// which begins so. A reader that does not know it takes it for one that does not exist.
const clientsMark = "clients "

// encode returns the index, not compressed. FORMAT.md has it field by field.
func (ix *index) encode() []byte {
	w := &writing{}
	w.number(version)
	w.number(ix.Records)
	w.number(ix.RawBytes)

	// The filter of clients, with its mark, goes before the paths of the replaced segments.
	replaces := ix.Replaces
	if ix.Clients != "" {
		replaces = append([]string{clientsMark + ix.Clients}, replaces...)
	}

	w.texts(replaces)
	w.texts(ix.columns)

	w.number(int64(len(ix.Groups)))
	for i := range ix.Groups {
		w.group(&ix.Groups[i])
	}
	return w.b
}

func (w *writing) group(g *GroupInfo) {
	// How many records there are, and how many are not in columns.
	w.number(int64(g.Rows))
	w.number(g.RawBytes)
	w.number(int64(g.odd))
	w.number(int64(g.rare))

	// The dimensions, by runs of rows.
	w.number(int64(len(g.Parts)))
	for _, part := range g.Parts {
		w.number(int64(part.Rows))
		for _, value := range part.Dims {
			w.text(value)
		}
	}

	// How the records' JSON is spaced.
	w.number(int64(len(g.styles)))
	for _, s := range g.styles {
		w.text(s.colon)
		w.text(s.comma)
	}

	// The tree of members; node 0 has no parent and no name.
	w.number(int64(len(g.tree.nodes)))
	for i := range g.tree.nodes {
		n := &g.tree.nodes[i]
		if i > 0 {
			w.number(int64(i) - int64(n.parent))
			w.text(n.name)
		}
		w.number(int64(n.column - restColumn))
		w.number(int64(n.records))
		w.number(int64(n.objects))
	}

	// The chunks follow each other, so only the first one needs its offset.
	w.number(int64(len(g.chunks)))
	for i := range g.chunks {
		c := &g.chunks[i]
		if i == 0 {
			w.number(c.offset)
		}

		flags := int64(0)
		if c.required {
			flags |= 1
		}
		if c.integers {
			flags |= 2
		}

		w.number(flags)
		w.number(int64(c.values))
		w.number(int64(c.entries))
		if c.entries > 0 {
			w.page(&c.dict)
		}
		w.page(&c.data)
	}
}

func (w *writing) page(p *page) {
	w.number(int64(p.headerBytes))
	w.number(int64(p.packedBytes))
	w.number(int64(p.plainBytes))
	w.b = le.AppendUint32(w.b, p.crc)
}

// reading is the inverse. After damage it returns zeros.
type reading struct {
	b   []byte
	bad bool
}

func (r *reading) number() int64 {
	n, width := binary.Uvarint(r.b)
	if width <= 0 || n > 1<<62 {
		r.bad = true
		r.b = nil
		return 0
	}
	r.b = r.b[width:]
	return int64(n)
}

// count reads how many things follow, each of a byte at least.
func (r *reading) count() int {
	n := r.number()
	if n > int64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reading) text() string {
	n := r.count()
	text := string(r.b[:n])
	r.b = r.b[n:]
	return text
}

func (r *reading) texts() []string {
	list := make([]string, r.count())
	for i := range list {
		list[i] = r.text()
	}
	return list
}

var errIndex = errors.New("malformed index of a column segment")

// decodeIndex is the inverse of encode.
func decodeIndex(b []byte) (*index, error) {
	// A reader refuses a version that it does not know.
	r := &reading{b: b}
	if v := r.number(); v != version {
		return nil, fmt.Errorf("column segment of unknown version %d", v)
	}

	ix := &index{}
	ix.Records = r.number()
	ix.RawBytes = r.number()

	// The filter of clients stands among the paths of the replaced segments, with its mark.
	for _, name := range r.texts() {
		if clients, ok := strings.CutPrefix(name, clientsMark); ok {
			ix.Clients = clients
		} else {
			ix.Replaces = append(ix.Replaces, name)
		}
	}

	ix.columns = r.texts()
	ix.Groups = make([]GroupInfo, r.count())
	for i := range ix.Groups {
		r.group(&ix.Groups[i])
	}

	if r.bad || len(r.b) > 0 {
		return nil, errIndex
	}

	// Check that places are inside their lists and that counts agree, because readers rely on both.
	records := int64(0)
	for i := range ix.Groups {
		if !ix.Groups[i].valid(len(ix.columns)) {
			return nil, errIndex
		}
		ix.Groups[i].tree.link()
		records += int64(ix.Groups[i].Rows)
	}

	if records != ix.Records {
		return nil, errIndex
	}
	return ix, nil
}

// group reads what the index says of a row group; r.bad says that it could not.
func (r *reading) group(g *GroupInfo) {
	// The same fields in the same order as in writing.group.
	g.Rows = int(r.number())
	g.RawBytes = r.number()
	g.odd = int(r.number())
	g.rare = int(r.number())

	g.Parts = make([]Part, r.count())
	for i := range g.Parts {
		g.Parts[i].Rows = int(r.number())
		for dim := range schema.NumDims {
			g.Parts[i].Dims[dim] = r.text()
		}
	}

	g.styles = make([]style, r.count())
	for i := range g.styles {
		g.styles[i] = style{colon: r.text(), comma: r.text()}
	}

	// A parent stands before its children, so the distance to it says which one it is.
	g.tree.nodes = make([]node, r.count())
	for i := range g.tree.nodes {
		n := &g.tree.nodes[i]
		n.parent = -1
		if i > 0 {
			n.parent = int32(int64(i) - r.number())
			n.name = r.text()
		}
		n.column = int32(r.number() + restColumn)
		n.records = int32(r.number())
		n.objects = int32(r.number())
	}

	// The chunks lie one behind the other; only the place of the first one is there.
	g.chunks = make([]chunk, r.count())
	at := int64(0)
	for i := range g.chunks {
		c := &g.chunks[i]
		if i == 0 {
			at = r.number()
		}

		flags := r.number()
		c.required = flags&1 != 0
		c.integers = flags&2 != 0
		c.values = int(r.number())
		c.entries = int(r.number())
		if c.entries > 0 {
			r.page(&c.dict)
		}
		r.page(&c.data)

		c.offset = at
		at += c.bytes()
		g.Bytes += c.bytes()
	}
}

func (r *reading) page(p *page) {
	p.headerBytes = int(r.number())
	p.packedBytes = int(r.number())
	p.plainBytes = int(r.number())
	if len(r.b) < 4 {
		r.bad = true
		r.b = nil
		return
	}
	p.crc = le.Uint32(r.b)
	r.b = r.b[4:]
}

// maxPageBytes bounds what a page may claim to hold: a row group, and its lengths.
const maxPageBytes = 2*segment.MaxRecordBytes + 2*maxGroupBytes

// valid says whether the numbers of the group fit each other.
func (g *GroupInfo) valid(columns int) bool {
	// The parts cover all rows.
	rows := 0
	for _, part := range g.Parts {
		if part.Rows <= 0 || part.Rows > g.Rows-rows {
			return false
		}
		rows += part.Rows
	}

	if rows != g.Rows || len(g.chunks) < fixedColumns || len(g.chunks) > columns || len(g.tree.nodes) == 0 {
		return false
	}

	// A parent comes before its children, and no object lies too deep.
	depths := make([]int, len(g.tree.nodes))
	for i, n := range g.tree.nodes {
		if n.column < restColumn || int(n.column) >= len(g.chunks) || i > 0 && (n.parent < 0 || int(n.parent) >= i) {
			return false
		}
		if i > 0 {
			depths[i] = depths[n.parent] + 1
		}

		if depths[i] > maxDepth {
			return false
		}
	}

	// Damaged sizes must not make a reader allocate without limit.
	for i := range g.chunks {
		c := &g.chunks[i]
		for _, p := range []page{c.dict, c.data} {
			if p.plainBytes > maxPageBytes || p.packedBytes > maxPageBytes || p.headerBytes > 1<<16 {
				return false
			}
		}

		if c.values > g.Rows || c.entries > c.values {
			return false
		}
	}
	return true
}
