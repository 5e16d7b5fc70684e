package value

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// maxGrowth bounds how many elements a script adds to an array at once, so that
// a[1e9] = 0 does not fill the memory.
const maxGrowth = 1 << 20

// lazyArray is a JSON array whose elements are found when a script first reads one.
type lazyArray struct {
	view
	starts  []int32 // of the elements
	values  []goja.Value
	ready   bool // starts and values are there
	own     bool // a script has changed it: values are all there is
	length  int  // if counted
	counted bool
	end     int       // of the closing bracket of a flat array, if counted
	flat    []float64 // the elements, if a loop has read them as numbers
}

var lazyArrayType = reflect.TypeFor[*lazyArray]()

// lazyArrayOf returns the lazy array behind o, or nil.
func lazyArrayOf(o *goja.Object) *lazyArray {
	if o.ExportType() != lazyArrayType {
		return nil
	}
	return o.Export().(*lazyArray)
}

func (a *lazyArray) untouched() bool { return !a.own }

// index finds the elements.
func (a *lazyArray) index() {
	a.alive()
	if a.ready {
		return
	}

	it := jsonscan.ElementsTrusted(a.text, a.start)
	for it.Next() {
		a.starts = append(a.starts, int32(it.Start))
	}

	if it.Err() != nil {
		a.r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}

	// The values themselves are made when a script reads them.
	a.values = make([]goja.Value, len(a.starts))
	a.ready = true
}

// Len implements goja.DynamicArray. That of a flat list of numbers, such as a
// histogram, is found without parsing the numbers.
func (a *lazyArray) Len() int {
	if !a.ready {
		a.alive()
		if a.counted {
			return a.length
		}
		if a.count() {
			return a.length
		}
		a.index()
	}

	return len(a.values)
}

// count counts the elements of a flat array: one without strings, arrays and objects
// in it. It returns false for other arrays.
func (a *lazyArray) count() bool {
	begin := a.start + 1
	length := bytes.IndexByte(a.text[begin:], ']')
	if length < 0 {
		return false
	}

	// In a flat array every comma stands between two elements.
	flat := a.text[begin : begin+length]
	for _, c := range []byte(`"[{`) {
		if bytes.IndexByte(flat, c) >= 0 {
			return false
		}
	}

	if jsonscan.Space(flat, 0) < length {
		a.length = bytes.Count(flat, []byte(",")) + 1
	}
	a.end, a.counted = begin+length, true
	return true
}

// nearEnd bounds how far from the end of an array an element is read without an index
// of all: the sums of a histogram are its last five numbers.
const nearEnd = 8

// fromEnd returns element i of a flat array whose length a script has read, if it is one
// of the last: h[h.length - 5] needs none of the elements before it. It returns nil for
// other elements, and for other arrays. The element is a scalar, so that it may be made
// anew each time.
func (a *lazyArray) fromEnd(i int) goja.Value {
	if !a.counted || i < 0 || i >= a.length || a.length-i > nearEnd {
		return nil
	}

	// Back over the elements behind it, then to the comma or the bracket before it.
	end := a.end
	for range a.length - 1 - i {
		end = bytes.LastIndexByte(a.text[:end], ',')
	}
	begin := end
	for a.text[begin-1] != ',' && a.text[begin-1] != '[' {
		begin--
	}
	return a.r.lazy(a.text, begin, a.gen)
}

// Get implements goja.DynamicArray.
func (a *lazyArray) Get(i int) goja.Value {
	a.alive()
	if !a.ready {
		if element := a.fromEnd(i); element != nil {
			return element
		}
	}

	a.index()
	if i < 0 || i >= len(a.values) {
		return nil
	}

	// An element is the same value each time.
	if a.values[i] == nil {
		if a.own {
			return goja.Undefined()
		}
		a.values[i] = a.r.lazy(a.text, int(a.starts[i]), a.gen)
	}

	return a.values[i]
}

// materialise makes every element a value of its own, before a change.
func (a *lazyArray) materialise() {
	a.index()
	if a.own {
		return
	}

	for i := range a.values {
		a.Get(i)
	}

	a.own = true
}

// Set implements goja.DynamicArray.
func (a *lazyArray) Set(i int, element goja.Value) bool {
	a.materialise()
	if i < 0 || i > len(a.values)+maxGrowth {
		return false
	}

	for i >= len(a.values) {
		a.values = append(a.values, goja.Undefined())
	}

	a.values[i] = element
	return true
}

// SetLen implements goja.DynamicArray.
func (a *lazyArray) SetLen(n int) bool {
	a.materialise()
	if n < 0 || n > len(a.values)+maxGrowth {
		return false
	}

	for n > len(a.values) {
		a.values = append(a.values, goja.Undefined())
	}

	a.values = a.values[:n]
	return true
}

// numbers returns the elements of an array of numbers, or throws.
func (a *lazyArray) numbers() []float64 {
	a.alive()
	var numbers []float64
	it := jsonscan.ElementsTrusted(a.text, a.start)
	for it.Next() {
		element, ok := number(it.Value())
		if !ok {
			a.r.Throw(errBadJSON(it.Value()))
		}
		numbers = append(numbers, element)
	}

	if it.Err() != nil {
		a.r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}

	return numbers
}
