package value

import (
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// numberList is an array of numbers of a table's row: one that a script does not change,
// or only adds elements to, is written without its numbers becoming values.
type numberList struct {
	r     *Runtime
	data  []byte       // of the numbers, one behind the other; nobody else changes them
	added []goja.Value // behind these
	own   bool         // a script has changed it: added is all there is
}

const (
	// numberBytes are those of a number's datum.
	numberBytes = 9
	// minListNumbers is from how many numbers on an array is a list.
	minListNumbers = 8
)

var numberListType = reflect.TypeFor[*numberList]()

// decodeNumbers returns the array that begins d, which must not change any more, if it is
// one of many numbers.
func (r *Runtime) decodeNumbers(d []byte) (list goja.Value, rest []byte, ok bool) {
	at := 1
	for at+numberBytes <= len(d) && datum.Kind(d[at]) == datum.Number {
		at += numberBytes
	}
	if at < 1+minListNumbers*numberBytes || at == len(d) || datum.Kind(d[at]) != datum.End {
		return nil, nil, false
	}
	return r.rt.NewDynamicArray(&numberList{r: r, data: d[1:at]}), d[at+1:], true
}

// numberListOf returns the list behind o, nil if that is another array, or a script has
// changed its numbers.
func numberListOf(o *goja.Object) *numberList {
	if o.ExportType() != numberListType {
		return nil
	}
	if list := o.Export().(*numberList); !list.own {
		return list
	}
	return nil
}

// Len implements goja.DynamicArray.
func (l *numberList) Len() int { return len(l.data)/numberBytes + len(l.added) }

// Get implements goja.DynamicArray.
func (l *numberList) Get(i int) goja.Value {
	numbers := len(l.data) / numberBytes
	switch {
	case i < 0 || i >= l.Len():
		return nil
	case i >= numbers:
		return l.added[i-numbers]
	}
	return l.r.rt.ToValue(datum.Float(l.data[i*numberBytes:]))
}

// materialise makes every number a value, before a change.
func (l *numberList) materialise() {
	values := make([]goja.Value, l.Len())
	for i := range values {
		values[i] = l.Get(i)
	}
	l.data, l.added, l.own = nil, values, true
}

// Set implements goja.DynamicArray.
func (l *numberList) Set(i int, element goja.Value) bool {
	if i == l.Len() {
		l.added = append(l.added, element)
		return true
	}
	if i < 0 || i > l.Len()+maxGrowth {
		return false
	}

	l.materialise()
	for i >= len(l.added) {
		l.added = append(l.added, goja.Undefined())
	}
	l.added[i] = element
	return true
}

// SetLen implements goja.DynamicArray.
func (l *numberList) SetLen(n int) bool {
	if n == l.Len() {
		return true
	}
	if n < 0 || n > l.Len()+maxGrowth {
		return false
	}

	l.materialise()
	for n > len(l.added) {
		l.added = append(l.added, goja.Undefined())
	}
	l.added = l.added[:n]
	return true
}

// append appends the datum of the list.
func (l *numberList) append(dst []byte, depth int, key bool) []byte {
	dst = append(datum.AppendKind(dst, datum.Array), l.data...)
	for _, element := range l.added {
		dst = l.r.appendDatum(dst, element, depth+1, key)
	}
	return datum.AppendKind(dst, datum.End)
}
