package inflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
)

// malformation is a gzip stream and what Gunzip says to it.
type malformation struct {
	name string
	src  []byte
	want error
}

// malformed returns streams with something wrong, or nearly so: every error that
// there is, and what stands beside it and is none.
func malformed() []malformation {
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	flags := func(f byte, rest ...byte) []byte {
		h := bytes.Clone(header)
		h[3] = f
		return append(h, rest...)
	}
	const a = "\x4b\x04\x00\x43\xbe\xb7\xe8\x01\x00\x00\x00" // "a" and its sums
	member := append(bytes.Clone(header), a...)
	withSum := func(h []byte, wrong uint16) []byte {
		return append(binary.LittleEndian.AppendUint16(h, uint16(crc32.ChecksumIEEE(h))+wrong), a...)
	}
	name := bytes.Repeat([]byte{'n'}, maxName)

	var (
		lits    = func(n int) []uint8 { return make([]uint8, n) }
		with    = func(lens []uint8, symbol int, n uint8) []uint8 { lens[symbol] = n; return lens }
		two     = with(with(lits(257), 'a', 1), endOfBlock, 1)               // a 0, end 1
		three   = with(with(with(lits(258), 'a', 1), endOfBlock, 2), 257, 2) // a 0, end 10, length 3 11
		dynamic = func(lit, dist []uint8) *stream { return new(stream).head(true, 2).lens(lit, dist) }
		// codes begins a dynamic block whose code for code lengths has such lengths, in
		// the order of the format.
		codes = func(lens ...int) *stream {
			s := new(stream).head(true, 2).add(0, 5).add(0, 5).add(len(lens)-4, 4)
			for _, n := range lens {
				s.add(n, 3)
			}
			return s
		}
		fixed = func() *stream { return new(stream).head(true, 1) }
		// good puts the stream of a text between a header and the text's sums, bad one
		// that is not good between a header and any sums.
		good = func(s *stream, text string) []byte {
			b := binary.LittleEndian.AppendUint32(append(bytes.Clone(header), s.bytes...), crc32.ChecksumIEEE([]byte(text)))
			return binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		}
		bad = func(s *stream) []byte { return good(s, "aaaa") }
	)
	return []malformation{
		{"good", member, nil},
		{"two members", slices.Concat(member, member), nil},
		{"nothing", nil, io.ErrUnexpectedEOF},
		{"first magic byte", append([]byte{0x1e}, member[1:]...), ErrHeader},
		{"second magic byte", append([]byte{0x1f, 0x8c}, member[2:]...), ErrHeader},
		{"other compression", append([]byte{0x1f, 0x8b, 7}, member[3:]...), ErrHeader},
		{"header cut", header[:9], io.ErrUnexpectedEOF},
		{"header alone", header, io.ErrUnexpectedEOF},
		{"reserved flags", append(flags(0x20), a...), ErrHeader},
		{"text flag", append(flags(1), a...), nil},

		{"extra", append(flags(hasExtra, 2, 0, 'x', 0), a...), nil},
		{"extra, empty", append(flags(hasExtra, 0, 0), a...), nil},
		{"extra, length cut", flags(hasExtra, 2), io.ErrUnexpectedEOF},
		{"extra, cut", flags(hasExtra, 2, 0, 'x'), io.ErrUnexpectedEOF},
		{"extra, as long as can be", flags(hasExtra, 255, 255, 'x'), io.ErrUnexpectedEOF},
		{"name", append(flags(hasName, 'x', 0xff, 0), a...), nil},
		{"name, empty", append(flags(hasName, 0), a...), nil},
		{"name, cut", flags(hasName, 'x'), io.ErrUnexpectedEOF},
		{"name, cut at once", flags(hasName), io.ErrUnexpectedEOF},
		{"name of 511 bytes", slices.Concat(flags(hasName), name[:511], []byte{0}, []byte(a)), nil},
		{"name of 512 bytes", slices.Concat(flags(hasName), name[:512], []byte{0}, []byte(a)), ErrHeader},
		{"name of 511 bytes, cut", slices.Concat(flags(hasName), name[:511]), io.ErrUnexpectedEOF},
		{"name of the second, cut", slices.Concat(member, flags(hasName, 'x')), io.ErrUnexpectedEOF},
		{"comment", append(flags(hasComment, 'x', 0), a...), nil},
		{"comment, cut", flags(hasComment, 'x'), io.ErrUnexpectedEOF},
		{"name and comment", append(flags(hasName|hasComment, 'x', 0, 'y', 0), a...), nil},
		{"name, no comment", flags(hasName|hasComment, 'x', 0), io.ErrUnexpectedEOF},
		{"sum of the header", withSum(flags(hasSum), 0), nil},
		{"sum of a long header", withSum(flags(hasSum|hasName|hasExtra|hasComment, 1, 0, 9, 'x', 0, 'y', 0), 0), nil},
		{"sum of the header, wrong", withSum(flags(hasSum), 1), ErrHeader},
		{"sum of the header, cut", flags(hasSum, 0), io.ErrUnexpectedEOF},

		{"sums cut", member[:len(member)-1], io.ErrUnexpectedEOF},
		{"no sums", member[:len(member)-8], io.ErrUnexpectedEOF},
		{"wrong sum", good(fixed().code(0x30+'a', 8).code(0, 7), "b"), ErrChecksum},
		{"wrong length", append(bytes.Clone(member[:len(member)-4]), 2, 0, 0, 0), ErrChecksum},
		{"garbage behind", append(bytes.Clone(member), "garbage behind"...), ErrHeader},
		{"a little garbage behind", append(bytes.Clone(member), "g"...), io.ErrUnexpectedEOF},
		{"zeros behind", append(bytes.Clone(member), make([]byte, 20)...), ErrHeader},
		{"half a member behind", append(bytes.Clone(member), member[:12]...), io.ErrUnexpectedEOF},

		{"block of kind 3", bad(new(stream).head(true, 3)), ErrCorrupt},
		{"stored", good(new(stream).head(true, 0).stored([]byte("a")), "a"), nil},
		{"stored, empty", good(new(stream).head(false, 0).stored(nil).head(true, 0).stored(nil), ""), nil},
		{"stored, lengths differ", bad(new(stream).head(true, 0).add(0, 5).add(1, 16).add(1, 16)), ErrCorrupt},
		{"stored, cut", append(bytes.Clone(header), new(stream).head(true, 0).stored([]byte("abc")).bytes[:6]...), io.ErrUnexpectedEOF},
		{"stored, lengths cut", append(bytes.Clone(header), 1, 0, 0), io.ErrUnexpectedEOF},
		{"stored behind fixed", good(new(stream).head(false, 1).code(0x30+'a', 8).code(0, 7).head(true, 0).stored([]byte("b")), "ab"), nil},

		{"fixed, symbol 286", bad(fixed().code(0b11000110, 8)), ErrCorrupt},
		{"fixed, symbol 287", bad(fixed().code(0b11000111, 8)), ErrCorrupt},
		{"fixed, distance 30", bad(fixed().code(0x30+'a', 8).code(1, 7).code(30, 5).add(0, 30)), ErrCorrupt},
		{"fixed, distance 31", bad(fixed().code(0x30+'a', 8).code(1, 7).code(31, 5).add(0, 30)), ErrCorrupt},
		{"fixed, match", good(fixed().code(0x30+'a', 8).code(1, 7).code(0, 5).code(0, 7), "aaaa"), nil},
		{"fixed, too far", bad(fixed().code(0x30+'a', 8).code(1, 7).code(1, 5).code(0, 7)), ErrCorrupt},
		{"fixed, into the member before", slices.Concat(member, bad(fixed().code(1, 7).code(0, 5).code(0, 7))), ErrCorrupt},

		{"287 literals", bad(new(stream).head(true, 2).add(30, 5).add(0, 5).add(15, 4).add(0, 200)), ErrCorrupt},
		{"31 distances", bad(new(stream).head(true, 2).add(0, 5).add(30, 5).add(15, 4).add(0, 200)), ErrCorrupt},
		{"code lengths, oversubscribed", bad(codes(1, 1, 1, 0).add(0, 200)), ErrCorrupt},
		{"code lengths, incomplete", bad(codes(2, 2, 2, 0).add(0, 200)), ErrCorrupt},
		{"code lengths, one of two bits", bad(codes(0, 0, 2, 0).add(0, 200)), ErrCorrupt},
		{"code lengths, none", bad(codes(0, 0, 0, 0).add(0, 200)), ErrCorrupt},
		{"code lengths, one code, nothing but zeros", bad(codes(0, 0, 1, 0).add(0, 200)), ErrCorrupt},
		{"code lengths, one code, the other bit", bad(codes(0, 0, 1, 0).add(1, 200)), ErrCorrupt},
		{"repeat what is not", bad(codes(1, 0, 1, 0).code(0, 1).add(0, 200)), ErrCorrupt},
		{"repeat beyond the end", bad(codes(1, 0, 1, 0).code(1, 1).add(127, 7).code(1, 1).add(127, 7).add(0, 90)), ErrCorrupt},

		{"dynamic", good(dynamic(two, lits(1)).code(0, 1).code(1, 1), "a"), nil},
		{"end of block alone", good(dynamic(with(lits(257), endOfBlock, 1), lits(1)).code(0, 1), ""), nil},
		{"end of block alone, the other bit", bad(dynamic(with(lits(257), endOfBlock, 1), lits(1)).code(1, 1).add(0, 99)), ErrCorrupt},
		{"end of block alone, two bits", bad(dynamic(with(lits(257), endOfBlock, 2), lits(1)).add(0, 99)), ErrCorrupt},
		{"no end of block", bad(dynamic(with(with(lits(257), 'a', 1), 'b', 1), lits(1)).code(0, 1).code(1, 1)), ErrCorrupt},
		{"no literals at all", bad(dynamic(lits(257), lits(1)).add(0, 99)), ErrCorrupt},
		{"literals, oversubscribed", bad(dynamic(with(with(with(lits(257), 'a', 1), 'b', 1), endOfBlock, 1), lits(1)).add(0, 99)), ErrCorrupt},
		{"literals, oversubscribed by long codes", bad(dynamic(with(with(with(lits(257), 'a', 1), 'b', 1), endOfBlock, 15), lits(1)).add(0, 99)), ErrCorrupt},
		{"literals, incomplete", bad(dynamic(with(with(lits(257), 'a', 2), endOfBlock, 2), lits(1)).add(0, 99)), ErrCorrupt},
		{"literals, incomplete by a long code", bad(dynamic(with(with(lits(257), 'a', 1), endOfBlock, 15), lits(1)).add(0, 99)), ErrCorrupt},
		{"one distance", good(dynamic(three, []uint8{1}).code(0, 1).code(3, 2).code(0, 1).code(2, 2), "aaaa"), nil},
		{"one distance, the other bit", bad(dynamic(three, []uint8{1}).code(0, 1).code(3, 2).code(1, 1).code(2, 2).add(0, 99)), ErrCorrupt},
		{"one distance of two bits", bad(dynamic(three, []uint8{2}).code(0, 1).code(3, 2).code(0, 2).code(2, 2)), ErrCorrupt},
		{"no distance", bad(dynamic(three, []uint8{0}).code(0, 1).code(3, 2).code(0, 1).code(2, 2).add(0, 99)), ErrCorrupt},
		{"no distance, none used", good(dynamic(three, []uint8{0}).code(0, 1).code(2, 2), "a"), nil},
		{"distances, oversubscribed", bad(dynamic(three, []uint8{1, 1, 1}).add(0, 99)), ErrCorrupt},
		{"distances, incomplete", bad(dynamic(three, []uint8{2, 2, 2}).add(0, 99)), ErrCorrupt},
		{"dynamic, too far", bad(dynamic(three, []uint8{1, 1}).code(0, 1).code(3, 2).code(1, 1).code(2, 2)), ErrCorrupt},
	}
}

func TestMalformed(t *testing.T) {
	c := newComparer()
	for _, m := range malformed() {
		t.Run(m.name, func(t *testing.T) {
			for _, member := range [][]byte{nil, pack(t, 6, bytes.Repeat([]byte("good so far "), 99))} {
				// Behind another member the text is not empty; nor is src short.
				if _, err := c.gzip(t, append(member, m.src...), 1000+len(member)*99); !errors.Is(err, m.want) && len(m.src) > 0 {
					t.Errorf("behind %d bytes: %v, want %v", len(member), err, m.want)
				}
				// Far from the end of src, the fast loop has to find it.
				if _, err := c.gzip(t, slices.Concat(member, m.src, make([]byte, 99)), 99_999); err == nil {
					t.Errorf("zeros behind it are taken")
				}
			}
		})
	}
}
