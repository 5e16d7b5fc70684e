package value

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// errJSON is what a script sees, as a GoError, when it touches text that is not JSON.
var errJSON = errors.New("the record's JSON is malformed")

// errStale is what a script sees when it touches a ping after its call.
var errStale = errors.New("this ping is gone: a ping is valid during its own map call only (copy what you keep)")

func errBadJSON(text []byte) error { return fmt.Errorf("%w near %q", errJSON, clip(text)) }

// view is the common part of lazy values: a JSON object or array at text[start].
type view struct {
	r     *Runtime
	gen   uint64 // the ping's; text is reused when that is over
	text  []byte
	start int
}

// alive throws when the ping is over.
func (v *view) alive() {
	if v.gen != v.r.gen {
		v.r.Throw(errStale)
	}
}

// lazy returns the JSON value at text[at]: scalars as they are, objects and
// arrays as views.
func (r *Runtime) lazy(text []byte, at int, gen uint64) goja.Value {
	at = jsonscan.Space(text, at)
	if at >= len(text) {
		r.Throw(errBadJSON(nil))
	}

	switch text[at] {
	case '{':
		return r.rt.NewDynamicObject(r.object(text, at, gen, nil))
	case '[':
		return r.rt.NewDynamicArray(&lazyArray{view: view{r: r, gen: gen, text: text, start: at}})
	case '"':
		end := jsonscan.StringTrusted(text, at)
		return r.intern(jsonscan.Unquote(text[at+1 : max(at+1, end-1)]))
	case 't':
		return r.rt.ToValue(true)
	case 'f':
		return r.rt.ToValue(false)
	case 'n':
		return goja.Null()
	}

	// Everything else should be a number.
	end := jsonscan.SkipTrusted(text, at)
	float, ok := number(text[at:end])
	if !ok {
		r.Throw(errBadJSON(text[at:]))
	}

	return r.rt.ToValue(float)
}

// object returns the view of the object at text[at], which is that field of the pings.
func (r *Runtime) object(text []byte, at int, gen uint64, field *Field) *lazyObject {
	object := &lazyObject{view: view{r: r, gen: gen, text: text, start: at}, field: field}
	object.list, object.indexed = r.innerIndex(at)
	return object
}

// indexNames are the names of small array indexes, so that reading an array
// makes no garbage.
var indexNames = func() (names [1024]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}()

// at returns element i of an array.
func at(array *goja.Object, i int) goja.Value {
	if i < len(indexNames) {
		return array.Get(indexNames[i])
	}
	return array.Get(strconv.Itoa(i))
}
