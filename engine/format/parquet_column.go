package format

import (
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// pqColumn is a column of the file: first what its cells are like, then the values of
// the row group that is being filled.
type pqColumn struct {
	cell  cell // its class and index
	seen  [datum.Histogram + 1]bool
	float bool // a number that is no integer

	name string
	kind format.Type
	json bool // texts are JSON

	levels  []uint8  // 1 for each row that has a value; rows behind its end have none
	data    []byte   // the values, encoded as PLAIN unless they are texts
	offsets []uint32 // of texts in data, and of their end
	bits    int      // booleans in data
	nulls   int64
}

// decide sets the column's type, by what its cells are like.
func (c *pqColumn) decide() {
	boolean := c.seen[datum.False] || c.seen[datum.True]

	// Booleans are two kinds of datum, but one type.
	kinds := 0
	for _, seen := range []bool{boolean, c.seen[datum.Number], c.seen[datum.String]} {
		if seen {
			kinds++
		}
	}

	switch {
	case c.seen[datum.Array] || c.seen[datum.Object] || c.seen[datum.Histogram]:
		c.kind = format.ByteArray
		c.json = true
	case kinds != 1 || c.seen[datum.String]:
		c.kind = format.ByteArray
	case boolean:
		c.kind = format.Boolean
	case c.float:
		c.kind = format.Double
	default:
		c.kind = format.Int64
	}
	c.reset()
}

// element is the column's element of the file's schema: every column may be null.
func (c *pqColumn) element() format.SchemaElement {
	made := format.SchemaElement{Name: c.name, Type: thrift.New(c.kind), RepetitionType: thrift.New(format.Optional)}

	// What the physical types do not say.
	switch {
	case c.json:
		made.ConvertedType = thrift.New(deprecated.Json)
		made.LogicalType = format.LogicalType{Value: &format.JsonType{}}
	case c.kind == format.ByteArray:
		made.ConvertedType = thrift.New(deprecated.UTF8)
		made.LogicalType = format.LogicalType{Value: &format.StringType{}}
	case c.kind == format.Int64:
		made.ConvertedType = thrift.New(deprecated.Int64)
		made.LogicalType = format.LogicalType{Value: &format.IntType{BitWidth: 64, IsSigned: true}}
	}
	return made
}

// reset begins a row group.
func (c *pqColumn) reset() {
	c.levels = c.levels[:0]
	c.data = c.data[:0]
	c.offsets = append(c.offsets[:0], 0)
	c.bits = 0
}

// add appends the field of a row, and returns how many bytes it takes. The rows before it
// that have no value are null, and so is an empty field.
func (c *pqColumn) add(row int, field []byte) int {
	if isEmpty(field) {
		return 0
	}

	c.pad(row)
	c.levels = append(c.levels, 1)
	before := len(c.data)

	switch c.kind {
	case format.Boolean:
		c.addBoolean(datum.Kind(field[0]) == datum.True)
	case format.Double:
		c.data = binary.LittleEndian.AppendUint64(c.data, math.Float64bits(datum.Float(field)))
	case format.Int64:
		c.data = binary.LittleEndian.AppendUint64(c.data, uint64(int64(datum.Float(field))))
	default:
		c.addText(field)
	}
	return len(c.data) - before
}

// addBoolean appends a bit: Parquet packs booleans, the first into the lowest bit.
func (c *pqColumn) addBoolean(value bool) {
	if c.bits%8 == 0 {
		c.data = append(c.data, 0)
	}
	if value {
		c.data[len(c.data)-1] |= 1 << (c.bits % 8)
	}
	c.bits++
}

func (c *pqColumn) addText(field []byte) {
	if c.json {
		c.data = datum.AppendJSON(c.data, field)
	} else {
		c.data = datum.AppendText(c.data, field)
	}
	c.offsets = append(c.offsets, uint32(len(c.data)))
}

// pad adds nulls until there are so many rows.
func (c *pqColumn) pad(rows int) {
	c.nulls += int64(rows - len(c.levels))
	for len(c.levels) < rows {
		c.levels = append(c.levels, 0)
	}
}

// encoding is how the values are encoded.
func (c *pqColumn) encoding() format.Encoding {
	if c.kind == format.ByteArray {
		return format.DeltaLengthByteArray
	}
	return format.Plain
}

// page returns the column's page of a row group of so many rows, not compressed.
func (c *pqColumn) page(rows int) ([]byte, error) {
	c.pad(rows)

	// Parquet has the size of the levels before them.
	levels, err := (&rle.Encoding{BitWidth: 1}).EncodeLevels(nil, c.levels)
	if err != nil {
		return nil, err
	}
	body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(levels))), levels...)

	if c.kind != format.ByteArray {
		return append(body, c.data...), nil
	}
	texts, err := (&delta.LengthByteArrayEncoding{}).EncodeByteArray(nil, c.data, c.offsets)
	return append(body, texts...), err
}
