package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns text as one line that a terminal shows and does not obey: it
// replaces characters that are not printable (control characters, escape
// sequences, direction marks) and bytes that are not UTF-8 by \n, \x1b, \u202e and
// so on. Use it for what clients sent, such as document IDs. Text without such
// characters is returned as it is.
func Printable(text string) string {
	bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.IndexFunc(text, bad) < 0 {
		return text
	}

	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := fmt.Sprintf("%+q", r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}

	return b.String()
}
