package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PrintableText is Printable for a text of several lines: newlines and tabs stay.
func PrintableText(text string) string {
	kept := func(char rune) bool { return char == '\n' || char == '\t' }
	bad := func(char rune) bool { return char == utf8.RuneError || !unicode.IsPrint(char) && !kept(char) }
	if strings.IndexFunc(text, bad) < 0 {
		return text
	}

	// What lies between two of those that stay is a line for Printable.
	var shown strings.Builder
	for {
		end := strings.IndexFunc(text, kept)
		if end < 0 {
			shown.WriteString(Printable(text))
			return shown.String()
		}
		shown.WriteString(Printable(text[:end]))
		shown.WriteByte(text[end])
		text = text[end+1:]
	}
}

// Printable returns text as one line that a terminal shows and does not obey: it
// replaces characters that are not printable (control characters, escape
// sequences, direction marks) and bytes that are not UTF-8 by \n, \x1b, \u202e and
// so on. Use it for what clients sent, such as document IDs. Text without such
// characters is returned as it is.
func Printable(text string) string {
	bad := func(char rune) bool { return char == utf8.RuneError || !unicode.IsPrint(char) }
	if strings.IndexFunc(text, bad) < 0 {
		return text
	}

	// Escape as Go does, and keep the printable characters as they are.
	var line strings.Builder
	for len(text) > 0 {
		char, size := utf8.DecodeRuneInString(text)
		switch {
		case char == utf8.RuneError && size == 1:
			fmt.Fprintf(&line, `\x%02x`, text[0])
		case unicode.IsPrint(char):
			line.WriteRune(char)
		default:
			quoted := fmt.Sprintf("%+q", char)
			line.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}

	return line.String()
}
