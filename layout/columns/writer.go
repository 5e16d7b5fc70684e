package columns

import (
	"cmp"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

func compareText(a, b string) int { return cmp.Compare(a, b) }

// Writer is one column segment in the making. A row group is in memory until it is
// full: some 64 MiB of records, twice. It belongs to one goroutine; it compresses on
// all cores.
type Writer struct {
	out      io.Writer
	enc      *zstd.Encoder
	at       int64
	group    group
	ix       index
	numbers  map[string]int // of the columns, by name
	Replaces []string       // set by the owner before Finish: paths of the segments whose records were added
	Clients  string         // set by the owner before Finish: the filter of their clients
}

// NewEncoder returns what compresses the pages of Writers. The caller closes it; several
// Writers may share it.
func NewEncoder() (*zstd.Encoder, error) {
	// A page has a column of a row group: homogeneous, so that a higher level finds little
	// more (docs/BENCHMARKS.md).
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(encoderLevel), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(4<<20), zstd.WithLowerEncoderMem(true))
}

var encoderLevel = zstd.SpeedBetterCompression

// NewWriter begins a segment. out gets the row groups as they fill.
func NewWriter(out io.Writer, enc *zstd.Encoder) (*Writer, error) {
	w := &Writer{out: out, enc: enc, numbers: map[string]int{}}
	for _, name := range fixedNames() {
		w.column(name)
	}
	return w, w.write([]byte(magic))
}

// column returns the number of a column, which it makes if there is none.
func (w *Writer) column(name string) int {
	number, known := w.numbers[name]
	if !known {
		number = len(w.ix.columns)
		w.numbers[name] = number
		w.ix.columns = append(w.ix.columns, name)
	}
	return number
}

func (w *Writer) write(data []byte) error {
	w.at += int64(len(data))
	_, err := w.out.Write(data)
	return err
}

// Size is how many bytes were written so far.
func (w *Writer) Size() int64 { return w.at }

// Info is what was written so far.
func (w *Writer) Info() Info { return w.ix.Info }

// Add appends a record, `<id>\t<json>` without a newline, which is copied. Any line
// comes back as it is, even one that is no record. Records of the same dimensions should
// follow each other. msOfDay is the time of receipt, as in segment.IDs.
func (w *Writer) Add(dims schema.Dims, line []byte, msOfDay uint32) error {
	full := len(w.group.text)+len(line) > maxGroupBytes || len(w.group.rows) >= maxGroupRows
	if full && len(w.group.rows) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}

	w.group.add(dims, line, msOfDay)
	return nil
}

// flush writes the row group.
func (w *Writer) flush() error {
	// Decide which paths get columns; those that the file has already do not count against its limit.
	g := &w.group
	known := func(name string) bool { _, ok := w.numbers[name]; return ok }
	g.shape(known, maxColumns-len(w.ix.columns))

	// Find the leaf of each column, and number the columns that are new.
	leafOf := map[int]int{}
	for leaf, number := range g.tree.leaves {
		n := &g.tree.nodes[number]
		if n.column != restColumn {
			n.column = int32(w.column(g.tree.columnName(number)))
			leafOf[int(n.column)] = leaf
		}
	}

	// The totals of the group.
	info := GroupInfo{Rows: len(g.rows), Parts: append([]Part(nil), g.parts...), styles: g.styles, tree: g.tree}
	for i, r := range g.rows {
		info.RawBytes += int64(r.end-r.line) + 1
		if g.odd[i] {
			info.odd++
		}
		if g.rest[i] != nil {
			info.rare++
		}
	}

	// Encode the columns on all cores, because that takes most of the time, and write them in order.
	pages := make([][]byte, len(w.ix.columns))
	info.chunks = make([]chunk, len(w.ix.columns))
	err := w.encodeAll(len(pages), func(column int, t *texts) (err error) {
		pages[column], info.chunks[column], err = g.encodeColumn(column, leafOf, t, w.enc)
		return err
	})
	if err != nil {
		return err
	}

	for column, data := range pages {
		info.chunks[column].offset = w.at
		info.Bytes += int64(len(data))
		if err := w.write(data); err != nil {
			return err
		}
	}

	// The index has the group, and the next one begins empty.
	w.ix.Groups = append(w.ix.Groups, info)
	w.ix.Records += int64(info.Rows)
	w.ix.RawBytes += info.RawBytes
	w.group.reset()
	return nil
}

// encodeAll calls encode for each column, on all cores.
func (w *Writer) encodeAll(columns int, encode func(column int, t *texts) error) error {
	// Each worker takes the next column that is left.
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, columns)
	for range min(runtime.GOMAXPROCS(0), columns) {
		group.Go(func() {
			var buffer texts // used for one column after the other
			for {
				column := int(next.Add(1)) - 1
				if column >= columns {
					return
				}
				errs[column] = encode(column, &buffer)
			}
		})
	}
	group.Wait()

	// Return the error of the first column, so that it does not depend on scheduling.
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// encodeColumn returns the pages of a column.
func (g *group) encodeColumn(column int, leafOf map[int]int, t *texts, enc *zstd.Encoder) ([]byte, chunk, error) {
	t.reset(len(g.rows))

	switch {
	case column < schema.NumDims:
		// Dimensions are the same for all rows of a part.
		t.required = true
		row := 0
		for _, part := range g.parts {
			for range part.Rows {
				t.add(row, []byte(part.Dims[column]))
				row++
			}
		}
	case column == receivedColumn:
		times := make([]uint32, len(g.rows))
		for i, r := range g.rows {
			times[i] = r.msOfDay
		}
		return encodeIntegers(nil, enc, times)
	case column < fixedColumns:
		g.addFixed(column, t)
	default:
		if leaf, ok := leafOf[column]; ok {
			// Members: the size is known, so allocate once.
			size := 0
			for _, s := range g.spans[leaf] {
				size += int(s.end - s.start)
			}
			t.data = slices.Grow(t.data, size)

			for _, s := range g.spans[leaf] {
				t.add(int(s.row), g.text[s.start:s.end])
			}
		}
	}
	return t.encode(nil, enc)
}

// addFixed adds the values of one of the columns that are no members.
func (g *group) addFixed(column int, t *texts) {
	// Each record has either its line in the odd column or its values in the others.
	for i, r := range g.rows {
		switch {
		case g.odd[i] != (column == oddColumn):
		case column == oddColumn:
			t.add(i, g.text[r.line:r.end])
		case column == idColumn:
			t.add(i, g.text[r.line:r.tab])
		case column == shapeColumn:
			t.add(i, g.shapes[i])
		case g.rest[i] != nil:
			t.add(i, g.rest[i])
		}
	}
}

// Finish writes the last row group and the end of the file.
func (w *Writer) Finish() error {
	// The rest of the records are the last group.
	if len(w.group.rows) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}

	// Free the group's memory before the index is encoded.
	w.group = group{}

	// In Parquet, every row group has all columns: columns that appeared later are empty
	// in the earlier ones.
	if err := w.complete(); err != nil {
		return err
	}

	// The index goes behind the pages, and its copy before the footer, where repair finds it in a damaged file.
	w.ix.Replaces = w.Replaces
	w.ix.Clients = w.Clients
	indexAt := w.at
	plain := w.ix.encode()
	packed := w.enc.EncodeAll(plain, nil)

	end, err := w.ix.appendFooter(appendCopy(packed, plain), indexAt, packed, len(plain))
	if err != nil {
		return err
	}
	return w.write(end)
}

// complete writes the pages of the columns that row groups do not have.
func (w *Writer) complete() error {
	for i := range w.ix.Groups {
		g := &w.ix.Groups[i]

		// A column that appeared later gets an empty chunk.
		for range len(w.ix.columns) - len(g.chunks) {
			none := texts{rows: g.Rows, offsets: []uint32{0}}
			data, made, err := none.encode(nil, w.enc)
			if err != nil {
				return err
			}

			made.offset = w.at
			g.empty = append(g.empty, made)
			if err := w.write(data); err != nil {
				return err
			}
		}
	}
	return nil
}
