package schema

import (
	"math/big"
	"strings"
)

// Some file systems take "29.0a1" and "29.0A1" for one name: those of macOS and Windows,
// and what is mounted from there. So of all spellings of a value only one is its own name
// in a path: the one of plainNames, or else the one in small letters. Each other spelling
// is followed by "~", which no clean value has, and the places of its capitals:
//
//	29.0a1   29.0a1        bit i stands for byte i, in hexadecimal
//	29.0A1   29.0A1~10
//	Firefox  Firefox
//	firefox  firefox~0
//
// Names differ then in more than their letters' case, whatever the file system makes of
// that. Clean values are ASCII, so that no normal form of Unicode changes them. Older
// versions wrote every spelling as it is, and such names are read as they are.

// plainNames are the values with capitals that are their own names, by their small
// letters. They belong to the format: another list would be another format.
var plainNames = bySmallLetters(Other, Unknown, "Firefox", "Fennec", "B2G", "FirefoxOS", "Thunderbird")

func bySmallLetters(names ...string) map[string]string {
	by := map[string]string{}
	for _, name := range names {
		by[strings.ToLower(name)] = name
	}
	return by
}

// capitalsMark stands between a value and the places of its capitals.
const capitalsMark = "~"

// pathName returns how a clean value stands in a path.
func pathName(value string) string {
	small := strings.ToLower(value)
	plain, known := plainNames[small]
	if !known {
		plain = small
	}
	if value == plain {
		return value
	}

	var capitals big.Int
	for i := range len(value) {
		if value[i] != small[i] {
			capitals.SetBit(&capitals, i, 1)
		}
	}
	return value + capitalsMark + capitals.Text(16)
}

// ValueOfName is the inverse of pathName, for names of older versions and of other
// writers too, which are values as they are.
func ValueOfName(name string) string {
	text, places, ok := strings.Cut(name, capitalsMark)
	if !ok {
		return name
	}
	capitals, ok := new(big.Int).SetString(places, 16)
	if !ok || capitals.Sign() < 0 {
		return name
	}

	// A file system that does not keep the case of letters keeps the places of capitals.
	value := []byte(strings.ToLower(text))
	for i, char := range value {
		if capitals.Bit(i) == 1 && 'a' <= char && char <= 'z' {
			value[i] = char - 'a' + 'A'
		}
	}
	if !strings.EqualFold(pathName(string(value)), name) {
		return name
	}
	return string(value)
}
