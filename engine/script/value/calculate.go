package value

import (
	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// NumericArray is an array that a loop reads in Go: package ecma/numeric has the same.
type NumericArray interface {
	// Len returns how many elements there are.
	Len() int
	// Number returns element i, which exists, and whether it is a number.
	Number(i int) (value float64, ok bool)
}

// Numbers returns the numbers of an array of a ping, or of the values of a key, nil if v
// is another array or no array. They are read when a loop needs them.
func (r *Runtime) Numbers(v goja.Value) NumericArray {
	object, ok := v.(*goja.Object)
	if !ok {
		return nil
	}

	switch object.ExportType() {
	case lazyArrayType:
		if array := object.Export().(*lazyArray); array.readNumbers() {
			return flatNumbers(array.flat)
		}
	case valueArrayType:
		if array := object.Export().(*valueArray); !array.own {
			return array
		}
	}

	return nil
}

// flatNumbers are the elements of an array of the ping.
type flatNumbers []float64

// Len implements NumericArray.
func (n flatNumbers) Len() int { return len(n) }

// Number implements NumericArray.
func (n flatNumbers) Number(i int) (float64, bool) { return n[i], true }

// readNumbers reads all elements of an array, and reports whether they are numbers.
func (a *lazyArray) readNumbers() bool {
	a.alive()
	if a.own || a.flat != nil {
		return !a.own
	}

	var flat []float64
	it := jsonscan.ElementsTrusted(a.text, a.start)
	for it.Next() {
		element, ok := number(it.Value())
		if !ok {
			return false
		}
		flat = append(flat, element)
	}
	if it.Err() == nil {
		a.flat = flat
	}

	return a.flat != nil
}

// Number implements NumericArray. A loop that reads the values one after the other needs
// none of them as a value of JavaScript.
func (a *valueArray) Number(i int) (float64, bool) {
	a.alive()
	if a.own || i != a.pos {
		return 0, false
	}

	encoded := a.skip()
	if datum.Kind(encoded[0]) != datum.Number {
		return 0, false
	}

	return datum.Float(encoded), true
}
