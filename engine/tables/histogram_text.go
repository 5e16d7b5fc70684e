package tables

import (
	"encoding/binary"
	"strconv"
)

const (
	// fourZeros is "0,0,0,0," as a little-endian word.
	fourZeros = 0x2c302c302c302c30
	// maxDigits is how many digits always make a number below maxCount.
	maxDigits = 15
)

// AppendHistogramText is AppendHistogram for the text of a flat JSON array without its
// brackets, of so many numbers. ok is false, and b as it was, for text that is not plain
// (with spaces, or numbers that are not digits where counts belong): it must be parsed and
// given to AppendHistogram.
//
// It replaces parsing the numbers into a slice and AppendHistogram, with which
// TestHistogramText compares it; the row all_histograms of docs/BENCHMARKS.md pays for it (2026-11-28).
func AppendHistogramText(b, text []byte, buckets, length int) (_ []byte, ok bool) {
	if buckets < 1 || buckets > length {
		return b, false
	}

	begin := len(b)
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(buckets))
	at := 0
	var samples uint64

	// The counts. Behind each but perhaps the last stands a comma.
	for left := buckets; left > 0; left-- {
		// Many buckets are empty, and empty ones stand together.
		for left > 4 && at+8 <= len(text) && binary.LittleEndian.Uint64(text[at:]) == fourZeros {
			b = append(b, 0, 0, 0, 0)
			at += 8
			left -= 4
		}

		first := at
		var counted uint64
		for at < len(text) && text[at]-'0' <= 9 {
			counted = 10*counted + uint64(text[at]-'0')
			at++
		}
		if at == first || at-first > maxDigits || at < len(text) && text[at] != ',' {
			return b[:begin], false
		}
		at++

		samples += counted
		if counted < 0x80 {
			b = append(b, byte(counted))
		} else {
			b = binary.AppendUvarint(b, counted)
		}
	}

	// The sums.
	b = binary.AppendUvarint(b, uint64(length-buckets))
	for i := range length - buckets {
		first := at
		for at < len(text) && text[at] != ',' {
			at++
		}
		if first >= at {
			return b[:begin], false
		}
		token := text[first:at]
		at++

		number, ok := sumOf(token)
		switch {
		case !ok:
			return b[:begin], false
		case number >= 0:
			var total exact
			total.add(number)
			b = total.append(append(b, 1))
		default: // not sent
			b = append(b, 0)
			if i == 0 {
				samples = 0
			}
		}
	}

	if at < len(text) {
		return b[:begin], false
	}
	return binary.AppendUvarint(b, samples), true
}

// sumOf returns the number that a token of JSON spells; ok is false for one beyond float64,
// and for what is no number.
func sumOf(token []byte) (number float64, ok bool) {
	// Most sums are whole.
	var whole uint64
	for i, c := range token {
		if c-'0' > 9 || i == maxDigits {
			number, err := strconv.ParseFloat(string(token), 64)
			return number, err == nil && (c == '-' || token[0]-'0' <= 9)
		}
		whole = 10*whole + uint64(c-'0')
	}
	return float64(whole), true
}
