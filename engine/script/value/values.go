package value

import (
	"errors"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
)

// windowValues is how many decoded values of a key are cached; a key with more is
// decoded again when a script goes back.
const windowValues = 1 << 14

var errStaleValues = errors.New("these values are gone: the values of a key are valid during its own call only (copy what you keep)")

var valueArrayType = reflect.TypeFor[*valueArray]()

// valueArray is the array of a key's values. It decodes them as a script reads
// on, and caches a window of them, so that any number of values takes bounded
// memory as long as the script reads forward and does not change the array.
type valueArray struct {
	r     *Runtime
	vs    *engine.Values
	n     int
	pos   int          // of vs: the index of what Next returns
	base  int          // index of items[0]
	items []goja.Value // consecutive decoded values; all of them if own
	own   bool         // a script has changed it
	over  bool         // the call has ended
}

// ValuesOf returns the values as a JavaScript array, valid until end is called.
func (r *Runtime) ValuesOf(values *engine.Values) (list goja.Value, end func()) {
	array := &valueArray{r: r, vs: values, n: values.Len()}
	return r.rt.NewDynamicArray(array), array.end
}

// valueArrayOf returns the array of values behind o, or nil.
func valueArrayOf(o *goja.Object) *valueArray {
	if o.ExportType() != valueArrayType {
		return nil
	}
	return o.Export().(*valueArray)
}

// end makes the array stale: the engine reuses what is behind it.
func (a *valueArray) end() { a.over = true }

func (a *valueArray) untouched() bool { return !a.own }

// alive throws when the call is over.
func (a *valueArray) alive() {
	if a.over {
		a.r.Throw(errStaleValues)
	}
}

// Len implements goja.DynamicArray.
func (a *valueArray) Len() int { return a.n }

// Get implements goja.DynamicArray.
func (a *valueArray) Get(i int) goja.Value {
	a.alive()
	if i < 0 || i >= a.n {
		return nil
	}

	if inWindow := i - a.base; inWindow >= 0 && inWindow < len(a.items) {
		return a.items[inWindow]
	}

	// The script goes back, or a host function has read on. Who goes back goes on
	// with that, so the window ends at the value.
	if i < a.base || !a.atWindowEnd() {
		back := i < a.base
		a.rewind()
		a.base, a.items = 0, a.items[:0]
		if back {
			for a.pos < i-windowValues+1 {
				a.skip()
			}
			a.base = a.pos
		}
	}

	for a.pos < i {
		// Values behind a full window are skipped without decoding them.
		if a.atWindowEnd() && len(a.items) < windowValues {
			a.read()
			continue
		}
		a.skip()
	}

	// A full window is left behind: the next one begins at this value.
	if !a.atWindowEnd() || len(a.items) == windowValues {
		a.base, a.items = a.pos, a.items[:0]
	}

	return a.read()
}

// atWindowEnd reports whether the next value follows those in the window.
func (a *valueArray) atWindowEnd() bool { return a.base+len(a.items) == a.pos }

// read decodes the next value into the window.
func (a *valueArray) read() goja.Value {
	decoded := a.r.Decode(a.skip())
	a.items = append(a.items, decoded)
	return decoded
}

// skip returns the next value as the engine has it.
func (a *valueArray) skip() []byte {
	encoded, err := a.vs.Next()
	if err != nil {
		a.r.ThrowEngine(err)
	}
	a.pos++
	return encoded
}

// rewind goes back to the first value.
func (a *valueArray) rewind() {
	a.vs.Rewind()
	a.pos = 0
}

// materialise makes the array the script's own, before a change.
func (a *valueArray) materialise() {
	a.alive()
	if a.own {
		return
	}

	// From the first on, because the window may begin behind it.
	a.rewind()
	a.base = 0
	items := make([]goja.Value, a.n)
	for i := range items {
		items[i] = a.r.Decode(a.skip())
	}

	a.items, a.own = items, true
}

// Set implements goja.DynamicArray.
func (a *valueArray) Set(i int, value goja.Value) bool {
	a.materialise()
	if i < 0 || i >= a.n && !a.SetLen(i+1) {
		return false
	}
	a.items[i] = value
	return true
}

// SetLen implements goja.DynamicArray.
func (a *valueArray) SetLen(n int) bool {
	a.materialise()
	if n < 0 || n > a.n+maxGrowth {
		return false
	}

	for len(a.items) < n {
		a.items = append(a.items, goja.Undefined())
	}

	a.items, a.n = a.items[:n], n
	return true
}
