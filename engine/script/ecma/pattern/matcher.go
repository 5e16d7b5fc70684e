package pattern

import (
	"errors"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

const (
	// maxMatchBytes bounds the memory in which one match keeps its ways back.
	maxMatchBytes = 64 << 20
	// maxLoaded bounds the programs whose bytecode a Matcher holds.
	maxLoaded = 256
	// messageBytes is how long a message of libregexp can be.
	messageBytes = 128
)

var (
	// ErrInterrupted is returned by Match when the Matcher's stop function said so.
	ErrInterrupted = errors.New("regular expression interrupted")
	// ErrMemory is returned by Match when a match needs more than 64 MiB.
	ErrMemory = errors.New("regular expression needs too much memory")
)

// Matcher matches Programs. It belongs to one goroutine at a time and must be
// closed, because its memory is not Go's.
type Matcher struct {
	tls     *libc.TLS
	runtime uintptr // a JSRuntime, for its allocator and its interrupt handler
	context uintptr // a JSContext, of which libregexp only uses the runtime
	stop    func() bool
	handler *func(*libc.TLS, uintptr, uintptr) int32 // alive while libregexp may call it

	text     Text   // the one that lies in subject
	subject  buffer // a copy of the text's code units
	slots    buffer // what libregexp writes the groups' places into
	bytecode map[*byte]*buffer
	found    []int
}

// NewMatcher returns a Matcher that asks stop (nil: never) every some thousand
// steps whether to end.
func NewMatcher(stop func() bool) *Matcher {
	tls := libc.NewTLS()
	m := &Matcher{tls: tls, runtime: lib.XJS_NewRuntime(tls), stop: stop, bytecode: map[*byte]*buffer{}}
	m.context = libc.Xcalloc(tls, 1, lib.Tsize_t(unsafe.Sizeof(lib.TJSContext{})))
	(*lib.TJSContext)(pointer(m.context)).Frt = m.runtime
	lib.XJS_SetMemoryLimit(tls, m.runtime, maxMatchBytes)

	if stop != nil {
		handler := m.interrupt
		m.handler = &handler
		// libregexp calls a Go function by the word that a function value is.
		lib.XJS_SetInterruptHandler(tls, m.runtime, *(*uintptr)(unsafe.Pointer(m.handler)), 0)
	}

	return m
}

// interrupt is what libregexp calls to learn whether to end.
func (m *Matcher) interrupt(*libc.TLS, uintptr, uintptr) int32 {
	if m.stop() {
		return 1
	}

	return 0
}

// Close releases the Matcher's memory. It may be called again.
func (m *Matcher) Close() {
	if m.tls == nil {
		return
	}

	m.unload()
	m.subject.free(m.tls)
	m.slots.free(m.tls)
	libc.Xfree(m.tls, m.context)
	lib.XJS_FreeRuntime(m.tls, m.runtime)
	m.tls.Close()
	m.tls = nil
}

// load returns where bytecode lies for libregexp.
func (m *Matcher) load(bytecode []byte) uintptr {
	key := &bytecode[0]
	if b := m.bytecode[key]; b != nil {
		return b.start
	}

	// A script that makes patterns without end must not fill the memory.
	if len(m.bytecode) == maxLoaded {
		m.unload()
	}

	b := &buffer{}
	b.fill(m.tls, bytecode)
	m.bytecode[key] = b

	return b.start
}

func (m *Matcher) unload() {
	for _, b := range m.bytecode {
		b.free(m.tls)
	}
	clear(m.bytecode)
}

// Text is what is matched: its code units, of 8 bits (Latin-1) or 16.
type Text struct {
	narrow string
	wide   []uint16
}

// Latin1 returns the text whose code units are the bytes of s.
func Latin1(s string) Text { return Text{narrow: s} }

// UTF16 returns the text with these code units, which must never change.
func UTF16(units []uint16) Text { return Text{wide: units} }

// Wide returns the code units of a text of 16 bits, nil for one of 8.
func (t Text) Wide() []uint16 { return t.wide }

// Len returns the number of code units.
func (t Text) Len() int { return max(len(t.narrow), len(t.wide)) }

// same says whether t and u are the same piece of memory.
func (t Text) same(u Text) bool {
	return len(t.narrow) == len(u.narrow) && len(t.wide) == len(u.wide) &&
		unsafe.StringData(t.narrow) == unsafe.StringData(u.narrow) && unsafe.SliceData(t.wide) == unsafe.SliceData(u.wide)
}

// Match looks for the first match that begins at from or later, or with sticky
// just at from. It returns the start and end of each group in code units, -1 for
// groups that took no part; nil if there is no match. The result is valid until
// the next call. Errors: ErrInterrupted, ErrMemory.
func (m *Matcher) Match(p *Program, text Text, from int, sticky bool) ([]int, error) {
	m.setText(text)
	m.slots.grow(m.tls, p.slots*int(unsafe.Sizeof(uintptr(0))))

	code := p.searching
	if sticky {
		code = p.sticky
	}
	width := int32(0) // libregexp's name for code units of 8 bits; 1 is 16
	if len(text.wide) > 0 {
		width = 1
	}

	found := lib.Xlre_exec(m.tls, m.slots.start, m.load(code), m.subject.start, int32(from), int32(text.Len()), width, m.context)
	switch found {
	case 0:
		return nil, nil
	case 1:
		return m.places(p.Groups(), int(width)), nil
	case lib.MLRE_RET_TIMEOUT:
		return nil, ErrInterrupted
	}

	return nil, ErrMemory
}

// setText copies a text for libregexp, unless it is the one of the last call: a
// loop over the matches of a text copies it once.
func (m *Matcher) setText(text Text) {
	if m.subject.start != 0 && m.text.same(text) {
		return
	}

	data := Bytes(text.wide)
	if len(text.wide) == 0 {
		data = unsafe.Slice(unsafe.StringData(text.narrow), len(text.narrow))
	}
	m.subject.fill(m.tls, data)
	m.text = text
}

// places turns the addresses that libregexp found into offsets in code units.
func (m *Matcher) places(groups, width int) []int {
	m.found = m.found[:0]
	for _, at := range unsafe.Slice((*uintptr)(pointer(m.slots.start)), 2*groups) {
		if at == 0 {
			m.found = append(m.found, -1)
		} else {
			m.found = append(m.found, int(at-m.subject.start)>>width)
		}
	}

	return m.found
}
