package measures

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Dir holds the files of days, in the data folder. Everything in it can be made again.
const Dir = layout.StateDir + "/measures"

// magic begins a file, and names its version. It is followed by the blocks of the
// measures, then the index, both zstd of gob; the last eight bytes say where the index is.
const magic = "measures 2\n"

// errOther is a file of another version, or a damaged one: the day is made again.
var errOther = errors.New("no measures of this version")

// Day is the index of a day's file.
type Day struct {
	Date       string
	Made       time.Time
	Segments   []string // that it was made from, with their sizes
	Records    int64
	Anonymous  int64 // records without a client
	Revision   string
	Partitions []schema.Dims
	Measures   []Measure // by name
}

// Measure is one measure of a day.
type Measure struct {
	Name   string
	Kind   string // histogram, scalar, or a type of Glean metric
	Pings  uint64
	Offset int64
	Length int64
}

func itoa(n int) string { return strconv.Itoa(n) }

// packer encodes and compresses.
type packer struct {
	zstd  *zstd.Encoder
	plain bytes.Buffer
}

// pack returns v packed.
func (p *packer) pack(v any) ([]byte, error) {
	p.plain.Reset()
	if err := gob.NewEncoder(&p.plain).Encode(v); err != nil {
		return nil, err
	}
	return p.zstd.EncodeAll(p.plain.Bytes(), nil), nil
}

// maxPlain bounds what a block takes uncompressed.
const maxPlain = 1 << 30

func unpack(packed []byte, v any) error {
	dec, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain))
	if err != nil {
		return err
	}
	defer dec.Close()
	return gob.NewDecoder(dec).Decode(v)
}

// write writes the file of a day, in one step for its readers.
func (b *dayBuild) write(root *os.Root, day *Day) (err error) {
	if err := root.MkdirAll(Dir, 0o755); err != nil {
		return err
	}

	// Readers see the old file or the new one: it gets its name when it is complete.
	name := path.Join(Dir, day.Date)
	file, err := root.Create(name + ".new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), root.Remove(name+".new"))
		}
	}()

	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	defer enc.Close()
	p := packer{zstd: enc}

	// The blocks, each of which a query reads alone.
	offset := int64(len(magic))
	if _, err := file.WriteString(magic); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(b.measures)) {
		m := b.measures[name]

		packed, err := p.pack(blockOf(m.sorted()))
		if err != nil {
			return err
		}
		if _, err := file.Write(packed); err != nil {
			return err
		}

		day.Measures = append(day.Measures, Measure{name, m.kind, m.pings, offset, int64(len(packed))})
		offset += int64(len(packed))
	}

	// The index comes last, because it says where the blocks are.
	index, err := p.pack(day)
	if err != nil {
		return err
	}
	if _, err := file.Write(binary.LittleEndian.AppendUint64(index, uint64(offset))); err != nil {
		return err
	}

	// On disk before the rename, so that no crash leaves the name with half a file.
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return root.Rename(name+".new", name)
}

// sorted returns the cells in an order of their own.
func (m *measure) sorted() []*Cell {
	return slices.SortedFunc(maps.Values(m.cells), func(a, b *Cell) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.OS, b.OS), cmp.Compare(a.Process, b.Process),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.Bucketing, b.Bucketing))
	})
}

// readDay reads the index of a file. Errors wrap fs.ErrNotExist or errOther.
func readDay(root *os.Root, date string) (*Day, error) {
	file, err := root.Open(path.Join(Dir, date))
	if err != nil {
		return nil, err
	}
	defer file.Close()

	info, err := file.Stat()
	if err != nil {
		return nil, err
	}

	// The version comes first, the place of the index last; anything else is damage.
	first := make([]byte, len(magic))
	var last [8]byte
	if _, err := io.ReadFull(file, first); err != nil || string(first) != magic {
		return nil, errOther
	}
	if _, err := file.ReadAt(last[:], info.Size()-int64(len(last))); err != nil {
		return nil, errOther
	}

	offset := int64(binary.LittleEndian.Uint64(last[:]))
	length := info.Size() - int64(len(last)) - offset
	if offset < int64(len(magic)) || length <= 0 {
		return nil, errOther
	}

	packed := make([]byte, length)
	if _, err := file.ReadAt(packed, offset); err != nil {
		return nil, err
	}

	day := &Day{}
	if err := unpack(packed, day); err != nil {
		return nil, fmt.Errorf("%w: %w", errOther, err)
	}
	return day, nil
}

// block reads that of a measure; it is empty if the day does not have it.
func (d *Day) block(root *os.Root, name string) (made block, err error) {
	at, found := slices.BinarySearchFunc(d.Measures, name, func(m Measure, name string) int { return cmp.Compare(m.Name, name) })
	if !found {
		return block{}, nil
	}

	file, err := root.Open(path.Join(Dir, d.Date))
	if err != nil {
		return block{}, err
	}
	defer file.Close()

	packed := make([]byte, d.Measures[at].Length)
	if _, err := file.ReadAt(packed, d.Measures[at].Offset); err != nil {
		return block{}, err
	}
	err = unpack(packed, &made)
	return made, err
}
