package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	lib "modernc.org/libquickjs"
)

// ErrSyntax is returned (wrapped) by Compile for a pattern or flags that
// ECMAScript does not allow.
var ErrSyntax = errors.New("invalid regular expression")

// Program is a compiled pattern. It is immutable and safe for concurrent use.
type Program struct {
	searching  []byte   // bytecode that looks for a match from a place on
	sticky     []byte   // bytecode that matches just at a place
	groupNames []string // by group; "" for groups without a name
	slots      int      // how many words libregexp needs for captures and registers
}

// groupNameTrailer is how many bytes follow a group's name in the bytecode: a zero
// byte, and one that tells duplicate names in different alternatives apart.
const groupNameTrailer = lib.MLRE_GROUP_NAME_TRAILER_LEN

// flagBits are libregexp's bits for the flags.
var flagBits = map[rune]int32{
	'd': lib.MLRE_FLAG_INDICES,
	'g': lib.MLRE_FLAG_GLOBAL,
	'i': lib.MLRE_FLAG_IGNORECASE,
	'm': lib.MLRE_FLAG_MULTILINE,
	's': lib.MLRE_FLAG_DOTALL,
	'u': lib.MLRE_FLAG_UNICODE,
	'v': lib.MLRE_FLAG_UNICODE_SETS,
	'y': lib.MLRE_FLAG_STICKY,
}

// parseFlags returns libregexp's bits for flags such as "gi".
func parseFlags(flags string) (bits int32, err error) {
	for _, flag := range flags {
		bit, known := flagBits[flag]
		if !known || bits&bit != 0 {
			return 0, fmt.Errorf("%w: flags %q", ErrSyntax, flags)
		}

		bits |= bit
	}
	if bits&lib.MLRE_FLAG_UNICODE != 0 && bits&lib.MLRE_FLAG_UNICODE_SETS != 0 {
		return 0, fmt.Errorf("%w: flags %q: u and v exclude each other", ErrSyntax, flags)
	}

	return bits, nil
}

// Compile compiles a pattern, given in UTF-16 code units, with its flags. Errors
// wrap ErrSyntax. The flags g and y only belong to the script's object: Match
// starts where its caller says, and has a parameter for y.
func Compile(source []uint16, flags string) (*Program, error) {
	bits, err := parseFlags(flags)
	if err != nil {
		return nil, err
	}
	if err := checkGroups(source, bits&lib.MLRE_FLAG_UNICODE_SETS != 0); err != nil {
		return nil, err
	}

	// Compiling needs libregexp's allocator, which a Matcher has.
	m := NewMatcher(nil)
	defer m.Close()

	// Both forms are made at once: which one a match needs shows later, and the
	// Program must not change then.
	p := &Program{}
	if p.searching, err = m.compile(source, bits&^lib.MLRE_FLAG_STICKY); err != nil {
		return nil, err
	}
	if p.sticky, err = m.compile(source, bits|lib.MLRE_FLAG_STICKY); err != nil {
		return nil, err
	}

	code := m.load(p.searching)
	p.slots = int(lib.Xlre_get_alloc_count(m.tls, code))
	p.groupNames = make([]string, lib.Xlre_get_capture_count(m.tls, code))
	if names := lib.Xlre_get_groupnames(m.tls, code); names != 0 {
		readGroupNames(p.groupNames[1:], p.searching[names-code:])
	}

	return p, nil
}

// readGroupNames reads the names of the groups but the first, which follow the
// bytecode.
func readGroupNames(names []string, text []byte) {
	for i := range names {
		end := bytes.IndexByte(text, 0)
		names[i] = string(text[:end])
		text = text[end+groupNameTrailer:]
	}
}

// compile returns libregexp's bytecode for a pattern, in Go's memory.
func (m *Matcher) compile(source []uint16, bits int32) ([]byte, error) {
	// A pattern without u or v is a sequence of code units, so that the halves of
	// a surrogate pair are passed as two characters.
	text := encode(source, bits&(lib.MLRE_FLAG_UNICODE|lib.MLRE_FLAG_UNICODE_SETS) != 0)

	var in, out buffer
	defer in.free(m.tls)
	defer out.free(m.tls)
	in.fill(m.tls, append(text, 0)) // libregexp reads one byte behind the pattern
	out.grow(m.tls, 4+messageBytes) // the bytecode's size, then the message

	code := lib.Xlre_compile(m.tls, out.start, out.start+4, messageBytes, in.start, lib.Tsize_t(len(text)), bits, m.context)
	if code == 0 {
		reason, _, _ := bytes.Cut(out.bytes(4 + messageBytes)[4:], []byte{0})
		return nil, fmt.Errorf("%w: /%s/: %s", ErrSyntax, string(utf16.Decode(source)), reason)
	}

	// The bytecode moves to Go's memory, which needs no release.
	size := *(*int32)(pointer(out.start))
	bytecode := bytes.Clone(unsafe.Slice((*byte)(pointer(code)), size))
	lib.Xlre_realloc(m.tls, m.context, code, 0) // which frees it

	return bytecode, nil
}

// Groups returns how many groups there are, the whole match included.
func (p *Program) Groups() int { return len(p.groupNames) }

// GroupNames returns the name of each group, "" for one without. The caller must
// not change it.
func (p *Program) GroupNames() []string { return p.groupNames }

// encode returns UTF-16 units as UTF-8, if pairs is set with surrogate pairs as
// one character; surrogates that stay alone are encoded like other characters,
// as libregexp reads them.
func encode(units []uint16, pairs bool) []byte {
	text := make([]byte, 0, len(units)+1)
	for i := 0; i < len(units); i++ {
		unit := rune(units[i])
		if pairs && utf16.IsSurrogate(unit) && i+1 < len(units) {
			if char := utf16.DecodeRune(unit, rune(units[i+1])); char != utf8.RuneError {
				text = utf8.AppendRune(text, char)
				i++
				continue
			}
		}

		if utf16.IsSurrogate(unit) {
			text = append(text, 0xE0|byte(unit>>12), 0x80|byte(unit>>6)&0x3F, 0x80|byte(unit)&0x3F)
		} else {
			text = utf8.AppendRune(text, unit)
		}
	}

	return text
}
