package bundle

import "strings"

// shiftColumns makes the columns of a source map's mappings count from 1. A map
// counts them from 0, but goja looks generated columns up from 1 and reports the
// original ones as they stand. go-sourcemap, which goja reads maps with, writes
// none.
func shiftColumns(mappings string) string {
	lines := strings.Split(mappings, ";")
	seenOriginal := false // a segment with an original place
	for i, line := range lines {
		segments := strings.Split(line, ",")

		for j, segment := range segments {
			// The fields are differences, to the line's segment before for generated
			// columns, to the map's for original ones: only each first one moves.
			if segment == "" || j > 0 && seenOriginal {
				continue
			}

			fields := vlqFields(segment)
			if j == 0 {
				fields[0]++
			}
			if !seenOriginal && len(fields) >= 4 {
				fields[3]++
				seenOriginal = true
			}
			segments[j] = vlqString(fields)
		}
		lines[i] = strings.Join(segments, ",")
	}

	return strings.Join(lines, ";")
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// A variable-length quantity has five bits a digit, the least significant first.
// The lowest bit of the whole is the sign.
const (
	vlqBits = 5
	vlqMask = 1<<vlqBits - 1
	vlqMore = 1 << vlqBits // another digit follows
)

// vlqFields decodes a segment of variable-length quantities.
func vlqFields(segment string) (fields []int) {
	value, shift := 0, 0
	for i := range len(segment) {
		digit := strings.IndexByte(base64Digits, segment[i])
		value |= digit & vlqMask << shift
		shift += vlqBits
		if digit&vlqMore != 0 {
			continue
		}

		// The last digit is there: the lowest bit is the sign.
		if value&1 != 0 {
			value = -value
		}
		fields = append(fields, value/2)
		value, shift = 0, 0
	}

	return fields
}

// vlqString encodes fields as a segment.
func vlqString(fields []int) string {
	var segment []byte
	for _, field := range fields {
		rest := uint(field) << 1
		if field < 0 {
			rest = uint(-field)<<1 | 1
		}

		for more := true; more; {
			digit := rest & vlqMask
			rest >>= vlqBits
			more = rest > 0
			if more {
				digit |= vlqMore
			}
			segment = append(segment, base64Digits[digit])
		}
	}

	return string(segment)
}
