package bundle

import "strings"

// shiftColumns makes the columns of a source map's mappings count from 1. A map
// counts them from 0, but goja looks generated columns up from 1 and reports the
// original ones as they stand.
func shiftColumns(mappings string) string {
	lines := strings.Split(mappings, ";")
	original := false // whether a segment with an original place has been seen
	for i, line := range lines {
		segments := strings.Split(line, ",")
		for j, s := range segments {
			// The fields are differences, to the line's segment before for generated
			// columns, to the map's for original ones: only each first one moves.
			if s == "" || j > 0 && original {
				continue
			}
			fields := vlqFields(s)
			if j == 0 {
				fields[0]++
			}
			if !original && len(fields) >= 4 {
				fields[3]++
				original = true
			}
			segments[j] = vlqString(fields)
		}
		lines[i] = strings.Join(segments, ",")
	}
	return strings.Join(lines, ";")
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// vlqFields decodes a segment of variable-length quantities: five bits a digit,
// the least significant first, 32 for "more follows", the lowest bit the sign.
func vlqFields(s string) (fields []int) {
	n, shift := 0, 0
	for i := range len(s) {
		d := strings.IndexByte(base64Digits, s[i])
		n |= d & 31 << shift
		if shift += 5; d&32 != 0 {
			continue
		}
		if n&1 != 0 {
			n = -n
		}
		fields = append(fields, n/2)
		n, shift = 0, 0
	}
	return fields
}

func vlqString(fields []int) string {
	var b []byte
	for _, n := range fields {
		u := uint(n) << 1
		if n < 0 {
			u = uint(-n)<<1 | 1
		}
		for {
			d := u & 31
			if u >>= 5; u > 0 {
				d |= 32
			}
			b = append(b, base64Digits[d])
			if u == 0 {
				break
			}
		}
	}
	return string(b)
}
