package ecma

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/dop251/goja"
)

// escape is RegExp.escape: the text as a pattern that matches just it, wherever it
// stands in a pattern.
func (e *Environment) escape(call goja.FunctionCall) goja.Value {
	s, ok := call.Argument(0).(goja.String)
	if !ok {
		panic(e.rt.NewTypeError("RegExp.escape needs a string"))
	}

	var b goja.StringBuilder
	for i := 0; i < s.Length(); i++ {
		b.WriteUTF8String(escapeUnit(s, i))
		if escapeUnit(s, i) == "" {
			b.WriteSubstring(s, i, i+1)
		}
	}

	return b.String()
}

// escapeUnit returns how the code unit at i is written in a pattern, "" for itself.
func escapeUnit(s goja.String, i int) string {
	unit := s.CharAt(i)
	char := rune(unit)
	switch {
	case i == 0 && (unit < 0x80 && isAlphanumeric(byte(unit))):
		// It must not continue an escape such as \1 or \c before it.
		return fmt.Sprintf(`\x%02x`, unit)
	case char < 0x80 && strings.ContainsRune(`^$\.*+?()[]{}|/`, char):
		return `\` + string(char)
	case char >= '\t' && char <= '\r':
		return `\` + string("tnvfr"[char-'\t'])
	case char < 0x80 && strings.ContainsRune(",-=<>#&!%:;@~'`\"", char), char == ' ', char == 0xA0:
		return fmt.Sprintf(`\x%02x`, unit)
	case char == 0x2028 || char == 0x2029 || char == 0xFEFF || char == 0x1680 || char >= 0x2000 && char <= 0x200A ||
		char == 0x202F || char == 0x205F || char == 0x3000:
		return fmt.Sprintf(`\u%04x`, unit)
	case utf16.IsSurrogate(char) && !paired(s, i):
		return fmt.Sprintf(`\u%04x`, unit)
	}

	return ""
}

// paired says whether the surrogate at i has its other half beside it.
func paired(s goja.String, i int) bool {
	unit := rune(s.CharAt(i))
	if unit < 0xDC00 {
		return i+1 < s.Length() && utf16.DecodeRune(unit, rune(s.CharAt(i+1))) != '\uFFFD'
	}

	return i > 0 && utf16.DecodeRune(rune(s.CharAt(i-1)), unit) != '\uFFFD'
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
