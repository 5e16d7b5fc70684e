package columns

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// The columns that are no members of the records; their names begin with "_", and
// those of members never do.
const (
	idColumn = schema.NumDims + iota // behind the dimensions
	receivedColumn
	oddColumn
	shapeColumn
	rareColumn
	fixedColumns
)

// fixedNames are the names of the first columns of every file.
func fixedNames() []string {
	names := make([]string, 0, fixedColumns)
	for _, dim := range schema.DimNames {
		names = append(names, "_"+dim)
	}
	return append(names, "_id", "_received", "_odd", "_shape", "_rest")
}

// element is the column's element of the Parquet schema.
func element(number int, name string) format.SchemaElement {
	// Most columns are optional texts.
	made := format.SchemaElement{
		Name: name, Type: thrift.New(format.ByteArray),
		RepetitionType: thrift.New(format.Optional),
		ConvertedType:  thrift.New(deprecated.UTF8), LogicalType: format.LogicalType{Value: &format.StringType{}},
	}

	// The others differ in what they hold, and in whether every record has a value.
	switch {
	case number < schema.NumDims:
		made.RepetitionType = thrift.New(format.Required)
	case number == receivedColumn:
		made.Type = thrift.New(format.Int32)
		made.RepetitionType = thrift.New(format.Required)
		made.ConvertedType = thrift.New(deprecated.TimeMillis)
		made.LogicalType = format.LogicalType{Value: &format.TimeType{
			IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MilliSeconds{}},
		}}
	case number == oddColumn || number == shapeColumn:
		made.ConvertedType = thrift.Null[deprecated.ConvertedType]{}
		made.LogicalType = format.LogicalType{}
	}
	return made
}

// appendFooter appends Parquet's footer, with the tail that names the index.
func (ix *index) appendFooter(dst []byte, indexAt int64, packed []byte, plainBytes int) ([]byte, error) {
	// The schema: one element and one order for each column.
	footer := format.FileMetaData{
		Version: 2, NumRows: ix.Records,
		CreatedBy: "telemetry-server version " + strconv.Itoa(version),
		Schema:    thrift.Slice[format.SchemaElement]{{Name: "records", NumChildren: thrift.New(int32(len(ix.columns)))}},
	}
	for number, name := range ix.columns {
		footer.Schema = append(footer.Schema, element(number, name))
		footer.ColumnOrders = append(footer.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}

	for number := range ix.Groups {
		footer.RowGroups = append(footer.RowGroups, ix.rowGroup(number))
	}

	// Metadata for people and other programs; this package's readers use the index.
	dimensions, _ := json.Marshal(schema.DimNames) // strings: it cannot fail
	replaces, _ := json.Marshal(append([]string{}, ix.Replaces...))
	footer.KeyValueMetadata = thrift.Slice[format.KeyValue]{
		{Key: "telemetry.version", Value: strconv.Itoa(version)},
		{Key: "telemetry.schema", Value: string(dimensions)},
		{Key: "telemetry.made_from", Value: string(replaces)},
	}

	encoded, err := thrift.Marshal(new(thrift.CompactProtocol), &footer)
	if err != nil {
		return dst, err
	}

	// The last byte closes the footer; before it goes the tail, field 32767 of type binary.
	encoded = encoded[:len(encoded)-1]
	ix.footer = crc32.Checksum(encoded, crcTable)
	text := fmt.Sprintf(tailText, indexAt, len(packed), plainBytes, crc32.Checksum(packed, crcTable), ix.footer)
	encoded = append(encoded, 0x08, 0xfe, 0xff, 0x03, byte(textBytes))
	encoded = append(append(encoded, text...), 0)

	dst = append(dst, encoded...)
	dst = le.AppendUint32(dst, uint32(len(encoded)))
	return append(dst, magic...), nil
}

// rowGroup is the footer's part about a row group.
func (ix *index) rowGroup(number int) format.RowGroup {
	g := &ix.Groups[number]
	made := format.RowGroup{NumRows: int64(g.Rows), FileOffset: g.chunks[0].offset, Ordinal: int16(number)}
	for i, name := range ix.columns {
		c := g.chunkOf(i)
		made.Columns = append(made.Columns, g.columnChunk(i, name))
		made.TotalByteSize += c.plainBytes()
		made.TotalCompressedSize += c.bytes()
	}
	return made
}

func (g *GroupInfo) columnChunk(number int, name string) format.ColumnChunk {
	// The sizes and places come from the pages that were written.
	c := g.chunkOf(number)
	made := format.ColumnMetaData{
		Type: format.ByteArray, Codec: format.Zstd, PathInSchema: thrift.Slice[string]{name},
		Encoding:  thrift.Slice[format.Encoding]{format.RLE, format.DeltaLengthByteArray},
		NumValues: int64(g.Rows), TotalUncompressedSize: c.plainBytes(), TotalCompressedSize: c.bytes(),
		DataPageOffset: c.offset + int64(c.dict.headerBytes+c.dict.packedBytes),
		Statistics:     format.Statistics{NullCount: int64(g.Rows - c.values)},
	}

	// Parquet wants all encodings listed, those of the dictionary too.
	switch {
	case c.integers:
		made.Type = format.Int32
		made.Encoding = thrift.Slice[format.Encoding]{format.RLE, format.Plain}
	case c.entries > 0:
		made.DictionaryPageOffset = c.offset
		made.Encoding = thrift.Slice[format.Encoding]{format.RLE, format.Plain, format.RLEDictionary}
	}

	// Dimensions have bounds, by which other programs skip row groups.
	if number < schema.NumDims {
		byDim := func(a, b Part) int { return compareText(a.Dims[number], b.Dims[number]) }
		made.Statistics.MinValue = []byte(slices.MinFunc(g.Parts, byDim).Dims[number])
		made.Statistics.MaxValue = []byte(slices.MaxFunc(g.Parts, byDim).Dims[number])
	}
	return format.ColumnChunk{MetaData: made}
}

// chunkOf returns the chunk of a column, which the group may have got only later.
func (g *GroupInfo) chunkOf(column int) *chunk {
	if column < len(g.chunks) {
		return &g.chunks[column]
	}
	return &g.empty[column-len(g.chunks)]
}
