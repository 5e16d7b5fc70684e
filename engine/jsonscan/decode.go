package jsonscan

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendUnquoted appends the value of a string to dst. raw is what stands
// between its quotes and has passed String. A lone surrogate becomes U+FFFD.
func AppendUnquoted(dst, raw []byte) []byte {
	for {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 || n+1 >= len(raw) {
			return append(dst, raw...)
		}

		dst = append(dst, raw[:n]...)
		c := raw[n+1]
		raw = raw[n+2:]

		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unit(raw)
			raw = raw[min(4, len(raw)):]
			if utf16.IsSurrogate(r) {
				// Its other half is in the escape that follows, if it has one.
				low := rune(-1)
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					low = unit(raw[2:])
				}
				r = utf16.DecodeRune(r, low)
				if r != utf8.RuneError {
					raw = raw[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
}

// Unquote returns the value of a string, given what stands between its quotes;
// without escapes that is raw itself, not a copy.
func Unquote(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return AppendUnquoted(make([]byte, 0, len(raw)), raw)
}

// Is says whether a string, given what stands between its quotes, has the value
// want. It allocates only for strings with escapes.
func Is(raw []byte, want string) bool {
	if string(raw) == want {
		return true
	}
	return bytes.IndexByte(raw, '\\') >= 0 && string(Unquote(raw)) == want
}

// unit reads four hexadecimal digits; -1 if something else stands there.
func unit(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	r := rune(0)
	for _, c := range b[:4] {
		h := hex(c)
		if h < 0 {
			return -1
		}
		r = r<<4 | rune(h)
	}
	return r
}

func hex(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// Int returns the integer that num spells, as far as an int64 holds it. Spellings
// with a fraction or an exponent are no integers, not even 1.0.
func Int(num []byte) (n int64, ok bool) {
	digits := num
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}

	// Up to eighteen digits cannot overflow.
	if len(digits) == 0 || len(digits) > 18 {
		n, err := strconv.ParseInt(string(num), 10, 64)
		return n, err == nil && num[0] != '+'
	}

	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(num) {
		n = -n
	}
	return n, true
}

// Float returns the number that num, which has passed Number, spells. One
// beyond float64 is ±Inf, with ok false.
func Float(num []byte) (f float64, ok bool) {
	f, err := strconv.ParseFloat(string(num), 64)
	return f, err == nil
}

// Interner returns the same string for the same bytes, so that values which come
// again and again are not copied each time. It holds at most maxInterned strings.
type Interner map[string]string

const (
	maxInterned      = 4096
	maxInternedBytes = 100 // of one string; longer ones hardly come again
)

// String returns b as a string.
func (in Interner) String(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(in) < maxInterned && len(s) <= maxInternedBytes {
		in[s] = s
	}
	return s
}
