package value

import (
	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// dims are the dimension values of a partition.
type dims struct {
	object *goja.Object
	datum  []byte
}

// maxDims bounds the partitions whose dims are cached.
const maxDims = 1000

// SetDims makes the dims that Dims returns: those of a partition. It throws if the
// script has replaced Object.freeze.
func (r *Runtime) SetDims(p schema.Dims) {
	if d, ok := r.madeDims[p]; ok {
		r.dims = d
		return
	}

	// As a key, dims are appended as these bytes.
	b := datum.AppendKind(nil, datum.Array)
	for _, value := range p {
		b = datum.AppendString(b, value)
	}

	r.dims = dims{r.frozenDims(p), datum.AppendKind(b, datum.End)}

	if len(r.madeDims) >= maxDims {
		clear(r.madeDims)
	}

	r.madeDims[p] = r.dims
}

// Dims returns the array of the dimension values.
func (r *Runtime) Dims() goja.Value { return r.dims.object }

// frozenDims makes the array of dimension values that all records of a task
// share, with the values as properties too. It is frozen: a script cannot
// change what the next record sees.
func (r *Runtime) frozenDims(p schema.Dims) *goja.Object {
	items := make([]any, len(p))
	for i, value := range p {
		items[i] = value
	}

	array := r.rt.NewArray(items...)
	for i, name := range schema.DimNames {
		array.DefineDataProperty(name, r.rt.ToValue(p[i]), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}

	return r.freeze(array)
}

// freeze returns o, which cannot be changed any more.
func (r *Runtime) freeze(o *goja.Object) *goja.Object {
	freeze := r.Method("Object", "freeze")
	if freeze == nil {
		r.throwReplaced("Object.freeze")
	}

	if _, err := freeze(goja.Undefined(), o); err != nil {
		panic(err)
	}

	return o
}
