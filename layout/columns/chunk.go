package columns

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/plain"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// le is the byte order of integers.
var le = binary.LittleEndian

// page is where a page lies, behind its header, and what it holds.
type page struct {
	headerBytes int
	packedBytes int
	plainBytes  int
	crc         uint32 // IEEE, of the packed bytes, as Parquet has it
}

// chunk is the values of a column in a row group: a page of data, and before it one of
// a dictionary, if that pays.
type chunk struct {
	offset   int64 // in the file, of the first header
	required bool  // every row has a value, so that there are no definition levels
	integers bool  // int32, not byte arrays
	values   int   // that are not null
	entries  int   // of the dictionary; 0: there is none
	dict     page
	data     page
}

func (c *chunk) bytes() int64 {
	return int64(c.dict.headerBytes + c.dict.packedBytes + c.data.headerBytes + c.data.packedBytes)
}

func (c *chunk) plainBytes() int64 {
	return int64(c.dict.headerBytes + c.dict.plainBytes + c.data.headerBytes + c.data.plainBytes)
}

// texts is the values of a column, before they are encoded: in the order of the rows,
// without nulls.
type texts struct {
	rows     int
	at       []int32 // row of each value; nil: every row has one
	data     []byte
	offsets  []uint32 // of the values in data, and of the end
	required bool
}

// add appends the value of a row. Rows come in ascending order.
func (t *texts) add(row int, value []byte) {
	if len(t.offsets) == 0 {
		t.offsets = append(t.offsets, 0)
	}
	t.at = append(t.at, int32(row))
	t.data = append(t.data, value...)
	t.offsets = append(t.offsets, uint32(len(t.data)))
}

func (t *texts) reset(rows int) {
	*t = texts{rows: rows, at: t.at[:0], data: t.data[:0], offsets: append(t.offsets[:0], 0)}
}

func (t *texts) value(i int) []byte { return t.data[t.offsets[i]:t.offsets[i+1]] }

// encode appends the pages of the column to dst.
func (t *texts) encode(dst []byte, enc *zstd.Encoder) ([]byte, chunk, error) {
	made := chunk{required: t.required, values: len(t.at)}
	body := t.levels(nil)

	// Without a dictionary the values themselves are the page.
	codes, entries, dictionary := t.dictionary()
	if codes == nil {
		body, err := appendTexts(body, t.data, t.offsets)
		if err != nil {
			return dst, made, err
		}

		dst, made.data, err = appendPage(dst, enc, body, format.PageHeader{
			Type: format.DataPage,
			DataPageHeader: thrift.New(format.DataPageHeader{
				NumValues: int32(t.rows), Encoding: format.DeltaLengthByteArray,
				DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
			}),
		})
		return dst, made, err
	}

	// The dictionary's page goes first, as Parquet requires.
	made.entries = entries
	dst, made.dict, _ = appendPage(dst, enc, dictionary, format.PageHeader{
		Type:                 format.DictionaryPage,
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(entries), Encoding: format.Plain}),
	})

	// The data page has the codes, after the number of their bits.
	width := codeWidth(entries)
	packed, err := (&rle.Encoding{BitWidth: width}).EncodeInt32(nil, codes)
	if err != nil {
		return dst, made, err
	}
	body = append(append(body, byte(width)), packed...)

	dst, made.data, err = appendPage(dst, enc, body, format.PageHeader{
		Type: format.DataPage,
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: int32(t.rows), Encoding: format.RLEDictionary,
			DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		}),
	})
	return dst, made, err
}

// appendTexts appends values as DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
func appendTexts(body, data []byte, offsets []uint32) ([]byte, error) {
	encoded, err := (&delta.LengthByteArrayEncoding{}).EncodeByteArray(nil, data, offsets)
	return append(body, encoded...), err
}

// codeWidth is how many bits a code takes in a dictionary of so many entries.
func codeWidth(entries int) int {
	width := 1
	for 1<<width < entries {
		width++
	}
	return width
}

// levels appends the definition levels: which rows have a value.
// A required column has no levels: every row has a value.
func (t *texts) levels(body []byte) []byte {
	if t.required {
		return body
	}

	levels := make([]uint8, t.rows)

	for _, row := range t.at {
		levels[row] = 1
	}
	packed, err := (&rle.Encoding{BitWidth: 1}).EncodeLevels(nil, levels)
	if err != nil {
		panic("columns: levels of one bit: " + err.Error())
	}

	// Parquet stores their size before them.
	body = le.AppendUint32(body, uint32(len(packed)))
	return append(body, packed...)
}

// dictionary returns the code of each value and the encoded entries, if they take less
// room than the values; codes is nil otherwise.
func (t *texts) dictionary() (codes []int32, entries int, encoded []byte) {
	const maxEntries = 1 << 14
	const trial = 256 // values: if nearly all of them differ, so will the others

	// Number the values in the order in which they appear.
	numbers := map[string]int32{}
	codes = make([]int32, 0, len(t.at))
	for i := range t.at {
		value := t.value(i)
		code, known := numbers[string(value)]
		if !known {
			// A dictionary that holds most of the values saves nothing.
			mostDiffer := i >= trial && len(numbers)*8 > i*7
			if len(numbers) >= maxEntries || mostDiffer || len(encoded) > len(t.data)/2+64 {
				return nil, 0, nil
			}
			code = int32(len(numbers))
			numbers[string(value)] = code
			encoded = plain.AppendByteArray(encoded, value)
		}
		codes = append(codes, code)
	}

	if len(numbers) == 0 {
		return nil, 0, nil
	}
	return codes, len(numbers), encoded
}

// encodeIntegers appends the page of a column of int32, one in each row.
func encodeIntegers(dst []byte, enc *zstd.Encoder, values []uint32) ([]byte, chunk, error) {
	made := chunk{required: true, integers: true, values: len(values)}
	var body []byte
	for _, value := range values {
		body = le.AppendUint32(body, value)
	}

	var err error
	dst, made.data, err = appendPage(dst, enc, body, format.PageHeader{
		Type: format.DataPage,
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: int32(len(values)), Encoding: format.Plain,
			DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		}),
	})
	return dst, made, err
}

// appendPage compresses a page and appends it with its header.
func appendPage(dst []byte, enc *zstd.Encoder, body []byte, header format.PageHeader) ([]byte, page, error) {
	// The header has the sizes and the checksum, so the body is compressed first.
	packed := enc.EncodeAll(body, nil)
	made := page{packedBytes: len(packed), plainBytes: len(body), crc: crc32.ChecksumIEEE(packed)}
	header.UncompressedPageSize = int32(len(body))
	header.CompressedPageSize = int32(len(packed))
	header.CRC = int32(made.crc)

	encoded, err := thrift.Marshal(new(thrift.CompactProtocol), &header)
	if err != nil {
		return dst, made, err
	}

	made.headerBytes = len(encoded)
	return append(append(dst, encoded...), packed...), made, nil
}
