package shuffle

import "encoding/binary"

// List is values one after the other, each its length as a uvarint and its bytes.
// The zero List is empty.
type List struct {
	bytes []byte
	n     int32 // fits, as a list has less than TableBytes, or was read from a block
}

// Append adds a copy of value.
func (l *List) Append(value []byte) {
	l.bytes = appendValue(l.bytes, value)
	l.n++
}

// Len returns how many values there are.
func (l *List) Len() int { return int(l.n) }

// Bytes returns what the values take.
func (l *List) Bytes() int { return len(l.bytes) }

// Reset empties the list and reuses its memory.
func (l *List) Reset() {
	l.bytes = l.bytes[:0]
	l.n = 0
}

// Values returns a reader of the list, valid until the list changes.
func (l *List) Values() *Values {
	return &Values{pieces: []piece{{data: l.bytes}}, n: int(l.n)}
}

func appendValue(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// uvarintLen returns how many bytes n takes as a uvarint.
func uvarintLen(n int) int {
	width := 1
	for ; n >= 0x80; n >>= 7 {
		width++
	}
	return width
}

// splitList returns the leading values that fit into limit bytes, at least one, and
// their number.
func splitList(list []byte, limit int) (part []byte, n int) {
	end := 0
	for end < len(list) {
		size, width := binary.Uvarint(list[end:])
		next := end + width + int(size)

		if n > 0 && next > limit {
			break
		}
		end = next
		n++
	}
	return list[:end], n
}
