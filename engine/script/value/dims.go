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
func (r *Runtime) SetDims(partition schema.Dims) {
	if made, ok := r.madeDims[partition]; ok {
		r.dims = made
		return
	}

	// As a key, dims are appended as these bytes.
	encoded := datum.AppendKind(nil, datum.Array)
	for _, value := range partition {
		encoded = datum.AppendString(encoded, value)
	}

	r.dims = dims{r.frozenDims(partition), datum.AppendKind(encoded, datum.End)}

	// A filter sees the records of many partitions, a job those of one a task.
	if len(r.madeDims) >= maxDims {
		clear(r.madeDims)
	}

	r.madeDims[partition] = r.dims
}

// Dims returns the array of the dimension values.
func (r *Runtime) Dims() goja.Value { return r.dims.object }

// frozenDims makes the array of dimension values that all records of a task
// share, with the values as properties too. It is frozen: a script cannot
// change what the next record sees.
func (r *Runtime) frozenDims(partition schema.Dims) *goja.Object {
	items := make([]any, len(partition))
	for i, value := range partition {
		items[i] = value
	}

	// Old scripts use positions, new ones names.
	array := r.rt.NewArray(items...)
	for i, name := range schema.DimNames {
		array.DefineDataProperty(name, r.rt.ToValue(partition[i]), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}

	return r.freeze(array)
}

// freeze returns the object, which cannot be changed any more.
func (r *Runtime) freeze(object *goja.Object) *goja.Object {
	freeze := r.Method("Object", "freeze")
	if freeze == nil {
		r.throwReplaced("Object.freeze")
	}

	if _, err := freeze(goja.Undefined(), object); err != nil {
		panic(err)
	}

	return object
}
