package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// ID is a document ID as the ID index has it: a canonical lower-case UUID is
// its 16 bytes, anything else the first half of its SHA-256.
type ID [idBytes]byte

// IDOf returns the ID of a document ID as received.
func IDOf(id []byte) ID {
	var short ID
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		// hex.Decode takes the digits without the dashes between them.
		var digits [32]byte
		n := copy(digits[:], id[:8])
		n += copy(digits[n:], id[9:13])
		n += copy(digits[n:], id[14:18])
		n += copy(digits[n:], id[19:23])
		copy(digits[n:], id[24:])

		if _, err := hex.Decode(short[:], digits[:]); err == nil && !slices.ContainsFunc(digits[:], isUpper) {
			return short
		}
	}

	// Upper-case digits are another document ID, so they are hashed too.
	sum := sha256.Sum256(id)
	copy(short[:], sum[:])
	return short
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'F' }

// idEntryBytes is the length of a record's ID and time.
const idEntryBytes = idBytes + 4

// IDs says for every record of a segment, in record order, which document
// it is and when it was received.
type IDs struct {
	ids   []byte // 16 bytes per record
	times []byte // 4 bytes per record: milliseconds since midnight UTC of the submission date
}

// Add appends a record.
func (x *IDs) Add(id ID, msOfDay uint32) {
	x.ids = append(x.ids, id[:]...)
	x.times = binary.LittleEndian.AppendUint32(x.times, msOfDay)
}

// Len is the number of records.
func (x *IDs) Len() int { return len(x.times) / 4 }

// At returns the document of record i, and when it was received.
func (x *IDs) At(i int) (id ID, msOfDay uint32) {
	return ID(x.ids[i*idBytes:]), binary.LittleEndian.Uint32(x.times[4*i:])
}

// Slice returns the records from lo to hi, sharing memory.
func (x *IDs) Slice(lo, hi int) IDs {
	return IDs{x.ids[lo*idBytes : hi*idBytes], x.times[4*lo : 4*hi]}
}

// Append appends the records of y, copying.
func (x *IDs) Append(y IDs) {
	x.ids = append(x.ids, y.ids...)
	x.times = append(x.times, y.times...)
}
