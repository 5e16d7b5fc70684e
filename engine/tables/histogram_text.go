package tables

import (
	"bytes"
	"strconv"
)

const (
	// fourZeros is "0,0,0,0," as a little-endian word.
	fourZeros = 0x2c302c302c302c30
	// maxDigits is how many digits always make a number below maxCount.
	maxDigits = 15
)

// powersOfTen are those that float64 has exactly, as far as a sum has digits.
var powersOfTen = [maxDigits]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// sumOf returns the number that a token of JSON spells; ok is false for one beyond float64,
// and for what is no number.
func sumOf(token []byte) (number float64, ok bool) {
	// Most numbers are whole or have few digits: both parts of the fraction are exact, so that
	// dividing them rounds once, as ParseFloat does.
	if string(token) == "-1" { // not sent
		return -1, true
	}

	var digits uint64
	places, point := 0, len(token)
	for i, c := range token {
		switch {
		case c-'0' <= 9 && i < maxDigits:
			digits = 10*digits + uint64(c-'0')
		case c == '.' && point == len(token) && i > 0:
			point = i
		default:
			number, err := strconv.ParseFloat(string(token), 64)
			return number, err == nil && !bytes.ContainsAny(token, "xX_iInN") // Go has more forms than JSON
		}
	}

	if point < len(token) {
		places = len(token) - point - 1
	}
	return float64(digits) / powersOfTen[places], true
}
