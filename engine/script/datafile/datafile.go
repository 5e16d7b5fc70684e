package datafile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// File is a parsed data file. It is immutable and safe for concurrent use.
type File struct {
	ID       string   // a hash of the content and the kind: equal files have the same
	Name     string   // as in messages
	Root     Item     // what a script imports
	Warnings []*Error // what is odd in a file that is right

	indexes indexes
}

// Item is a value in a file: a scalar, or the node of an object or an array.
type Item struct {
	Scalar goja.Value // string, number, boolean or null (of a job, undefined), fit for every runtime; or nil
	Node   *Node      // or nil
}

// Node is an object, an array, or a histogram. A file may have millions of them, so that
// what few need is behind a pointer, or in the File.
type Node struct {
	File  *File
	Shape *Shape // the names of an object's members; nil: an array
	Items []Item // of an object in the order of Shape.Names
	// Histogram is a datum of that kind, in the result of a job; nil for all others.
	Histogram *string
}

// Shape is the names that some objects have, in the order of the document.
type Shape struct {
	Names []string
	at    map[string]int // where in Names; nil if there are few
}

// fewNames is up to how many names are compared one by one.
const fewNames = 8

func newShape(names []string) *Shape {
	shape := &Shape{Names: names}
	if len(names) > fewNames {
		shape.at = make(map[string]int, len(names))
		for i, name := range names {
			shape.at[name] = i
		}
	}
	return shape
}

// Index returns where in Names a name stands, -1 if it does not.
func (s *Shape) Index(name string) int {
	if s.at == nil {
		return slices.Index(s.Names, name)
	}
	if at, ok := s.at[name]; ok {
		return at
	}
	return -1
}

// Member returns the member of an object with that name; ok is false if it has none.
func (n *Node) Member(name string) (item Item, ok bool) {
	at := n.Shape.Index(name)
	if at < 0 {
		return Item{}, false
	}
	return n.Items[at], true
}

// Error is why a file cannot be imported, and where.
type Error struct {
	Line, Column int // from 1, in characters
	Message      string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// kinds are the endings of data files with their parsers.
var kinds = map[string]func(*parser) (Item, error){
	".json":   (*parser).json,
	".jsonl":  (*parser).jsonLines,
	".ndjson": (*parser).jsonLines,
	".csv":    (*parser).csv,
	".tsv":    (*parser).tsv,
}

// Is reports whether a path is that of a data file.
func Is(path string) bool { return kinds[filepath.Ext(path)] != nil }

// parser parses one file.
type parser struct {
	file    *File
	text    []byte
	skipped int // bytes before text: a mark of UTF-8
	shapes  map[string]*Shape
	latest  *Shape                // of the objects
	scalars *goja.Runtime         // makes numbers, which belong to no runtime
	strings map[string]goja.Value // short ones, once each

	// Many small pieces of memory would cost as much as what is in them.
	spareNodes []Node
	spareItems []Item
}

// Parse parses the text of the file at a path, which decides the kind. name is what
// messages call it. The error is an *Error.
func Parse(path, name string, text []byte) (*File, error) {
	ext := filepath.Ext(path)
	hash := sha256.New()
	hash.Write([]byte(ext + "\x00"))
	hash.Write(text)
	file := &File{ID: hex.EncodeToString(hash.Sum(nil)), Name: name}

	parsed := newParser(file, text)
	if err := parsed.checkEncoding(); err != nil {
		return nil, err
	}

	root, err := kinds[ext](parsed)
	if err != nil {
		return nil, err
	}
	file.Root = root

	return file, nil
}

func newParser(file *File, text []byte) *parser {
	return &parser{file: file, text: text, shapes: map[string]*Shape{}, scalars: goja.New(), strings: map[string]goja.Value{}}
}

// checkEncoding leaves out a mark of UTF-8, and refuses other encodings: a table of a
// spreadsheet is often in one.
func (p *parser) checkEncoding() error {
	const mark = "\xEF\xBB\xBF"
	if text, ok := bytes.CutPrefix(p.text, []byte(mark)); ok {
		p.text = text
		p.skipped = len(mark)
	}

	if bytes.HasPrefix(p.text, []byte("\xFF\xFE")) || bytes.HasPrefix(p.text, []byte("\xFE\xFF")) {
		return &Error{1, 1, "the file is UTF-16: save it as UTF-8"}
	}
	for at := 0; at < len(p.text); {
		char, size := utf8.DecodeRune(p.text[at:])
		if char == utf8.RuneError && size == 1 {
			return p.errorAt(at, "byte 0x%02X is no UTF-8: save the file as UTF-8", p.text[at])
		}
		at += size
	}
	return nil
}

// errorAt returns an error at an offset of the text.
func (p *parser) errorAt(at int, format string, args ...any) *Error {
	before := p.text[:min(at, len(p.text))]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return &Error{
		Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(before[lineStart:]) + 1,
		Message: fmt.Sprintf(format, args...),
	}
}

const (
	// maxSharedBytes is how long a string may be that is made once however often it occurs,
	// and maxShared how many of these there are: columns of IDs have no end of them.
	maxSharedBytes = 32
	maxShared      = 1 << 16
)

// string returns a string's value.
func (p *parser) string(text string) Item {
	if shared, ok := p.strings[text]; ok {
		return Item{Scalar: shared}
	}

	// goja looks at the characters of a long string when they are first needed. Several
	// runtimes must not do that at the same time.
	text = strings.Clone(text)
	made := p.scalars.ToValue(text)
	made.(goja.String).Length()

	if len(text) <= maxSharedBytes && len(p.strings) < maxShared {
		p.strings[text] = made
	}
	return Item{Scalar: made}
}

// slab is how many nodes or items are allocated together.
const slab = 1024

// node returns a new node.
func (p *parser) node(made Node) *Node {
	if len(p.spareNodes) == 0 {
		p.spareNodes = make([]Node, slab)
	}
	node := &p.spareNodes[0]
	p.spareNodes = p.spareNodes[1:]
	*node = made
	return node
}

// items returns a copy of a list that will not grow.
func (p *parser) items(list []Item) []Item {
	if len(list) > slab/8 {
		return slices.Clone(list)
	}
	if len(p.spareItems) < len(list) {
		p.spareItems = make([]Item, slab)
	}
	items := p.spareItems[:len(list):len(list)]
	p.spareItems = p.spareItems[len(list):]
	copy(items, list)
	return items
}

// object returns an object with these names, which must all be different.
func (p *parser) object(names []string, items []Item) Item {
	// Objects often follow others of their kind.
	if p.latest != nil && slices.Equal(p.latest.Names, names) {
		return p.objectOf(p.latest, items)
	}

	var key strings.Builder
	for _, name := range names {
		fmt.Fprintf(&key, "%d:%s", len(name), name)
	}

	shape, ok := p.shapes[key.String()]
	if !ok {
		shape = newShape(names)
		p.shapes[key.String()] = shape
	}
	p.latest = shape
	return p.objectOf(shape, items)
}

func (p *parser) objectOf(shape *Shape, items []Item) Item {
	return Item{Node: p.node(Node{File: p.file, Shape: shape, Items: p.items(items)})}
}

// array returns an array.
func (p *parser) array(items []Item) Item {
	return Item{Node: p.node(Node{File: p.file, Items: p.items(items)})}
}
