package value

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/datafile"
)

// The data files that a script imports are parsed once and shared by all runtimes. A
// script sees views of their nodes, which cannot be changed. A node has one view in a
// runtime, so that comparing works.

// dataObject is the view of an object in a data file.
type dataObject struct {
	r    *Runtime
	node *datafile.Node
}

// dataArray is the view of an array in a data file.
type dataArray dataObject

var (
	dataObjectType = reflect.TypeFor[*dataObject]()
	dataArrayType  = reflect.TypeFor[*dataArray]()
)

// dataNode returns the node behind a view, or nil.
func dataNode(v goja.Value) *datafile.Node {
	object, ok := v.(*goja.Object)
	if !ok {
		return nil
	}
	switch object.ExportType() {
	case dataObjectType:
		return object.Export().(*dataObject).node
	case dataArrayType:
		return object.Export().(*dataArray).node
	}
	return nil
}

// SetData makes the data files of a script reachable, by ID, and the results of other
// jobs, by name.
func (r *Runtime) SetData(files, results map[string]*datafile.File) {
	r.data = files
	r.results = results
	if len(files)+len(results) > 0 {
		r.dataViews = map[*datafile.Node]goja.Value{}
		r.freezeViews()
	}
}

// ErrNoResult is thrown in a job without the result of another one that it imports.
var ErrNoResult = errors.New("the result is not there: only tmrun runs the jobs that a script imports, and only for a whole job")

// jobResult is result(name) of the host: the rows of another job.
func (r *Runtime) jobResult(call goja.FunctionCall) goja.Value {
	name := call.Argument(0).String()
	result := r.results[name]
	if result == nil {
		r.Throw(fmt.Errorf("import of job %s: %w", name, ErrNoResult))
	}
	return r.dataItem(result.Root)
}

// dataFile is data(id, name) of the host: a file's value, or one of its members.
func (r *Runtime) dataFile(call goja.FunctionCall) goja.Value {
	file := r.data[call.Argument(0).String()]
	if file == nil {
		r.ThrowType("no such data file")
	}
	if len(call.Arguments) == 1 {
		return r.dataItem(file.Root)
	}

	member, _ := file.Root.Node.Member(call.Argument(1).String())
	return r.dataItem(member)
}

// dataItem returns a value of a data file.
func (r *Runtime) dataItem(item datafile.Item) goja.Value {
	switch {
	case item.Scalar != nil:
		return item.Scalar
	case item.Node.Histogram != nil:
		return r.mustDecodeHistogram([]byte(*item.Node.Histogram)).view() // a copy: add changes it
	}
	if view, ok := r.dataViews[item.Node]; ok {
		return view
	}

	var view goja.Value
	if item.Node.Shape == nil {
		view = r.rt.NewDynamicArray(&dataArray{r, item.Node})
	} else {
		view = r.rt.NewDynamicObject(&dataObject{r, item.Node})
	}
	r.dataViews[item.Node] = view
	return view
}

// refuseChange throws what assigning to a frozen object throws.
func (r *Runtime) refuseChange(what any, node *datafile.Node) {
	r.ThrowType("cannot change %v: what is imported from %s is frozen (copy it first: {...object} or [...array])", what, node.File.Name)
}

// Get implements goja.DynamicObject.
func (o *dataObject) Get(name string) goja.Value {
	member, ok := o.node.Member(name)
	if !ok {
		return nil
	}
	return o.r.dataItem(member)
}

// Has implements goja.DynamicObject.
func (o *dataObject) Has(name string) bool { return o.node.Shape.Index(name) >= 0 }

// Set implements goja.DynamicObject.
func (o *dataObject) Set(name string, _ goja.Value) bool {
	o.r.refuseChange(name, o.node)
	return false
}

// Delete implements goja.DynamicObject: what is not there can be deleted.
func (o *dataObject) Delete(name string) bool {
	if o.Has(name) {
		o.r.refuseChange(name, o.node)
	}
	return true
}

// Keys implements goja.DynamicObject.
func (o *dataObject) Keys() []string { return o.node.Shape.Names }

// Len implements goja.DynamicArray.
func (a *dataArray) Len() int { return len(a.node.Items) }

// Get implements goja.DynamicArray.
func (a *dataArray) Get(i int) goja.Value {
	if i < 0 || i >= len(a.node.Items) {
		return nil
	}
	return a.r.dataItem(a.node.Items[i])
}

// Set implements goja.DynamicArray.
func (a *dataArray) Set(i int, _ goja.Value) bool {
	a.r.refuseChange(fmt.Sprintf("element %d", i), a.node)
	return false
}

// SetLen implements goja.DynamicArray.
func (a *dataArray) SetLen(int) bool {
	a.r.refuseChange("the length", a.node)
	return false
}

// dataNamespace is namespace(value) of the host: what `import * as` makes of a data
// file, undefined for any other module.
func (r *Runtime) dataNamespace(call goja.FunctionCall) goja.Value {
	node := dataNode(call.Argument(0))
	if node == nil {
		return goja.Undefined()
	}
	return r.rt.NewDynamicObject(&dataModule{dataObject{r, node}})
}

// dataModule is the namespace object of a data file. It has the file's value as
// default, and the members of an object.
type dataModule struct{ dataObject }

const defaultExport = "default"

// Get implements goja.DynamicObject.
func (m *dataModule) Get(name string) goja.Value {
	switch {
	case name == defaultExport:
		return m.r.dataItem(datafile.Item{Node: m.node})
	case m.node.Shape == nil:
		return nil
	}
	return m.dataObject.Get(name)
}

// Has implements goja.DynamicObject.
func (m *dataModule) Has(name string) bool { return m.Get(name) != nil }

// Keys implements goja.DynamicObject.
func (m *dataModule) Keys() []string {
	keys := []string{defaultExport}
	if m.node.Shape == nil {
		return keys
	}
	for _, name := range m.node.Shape.Names {
		if name != defaultExport {
			keys = append(keys, name)
		}
	}
	return keys
}

// dataIndex is data.index(rows, ...columns).
func (r *Runtime) dataIndex(call goja.FunctionCall) goja.Value {
	node := dataNode(call.Argument(0))
	if node == nil || node.Shape != nil {
		r.ThrowType("index takes the array that a data file was imported as")
	}
	if len(call.Arguments) < 2 {
		r.ThrowType("index takes the name of a column, or several")
	}

	var columns []string
	for _, column := range call.Arguments[1:] {
		columns = append(columns, column.String())
	}

	made, err := node.Index(columns)
	if err != nil {
		r.Throw(err)
	}
	return r.dataItem(datafile.Item{Node: made})
}

// frozenAnswers are the functions of Object that goja answers for a view as for an
// object that can be changed, with the right answers. returned is goja's.
var frozenAnswers = map[string]func(r *Runtime, view, returned goja.Value) goja.Value{
	"isFrozen":          func(r *Runtime, _, _ goja.Value) goja.Value { return r.rt.ToValue(true) },
	"isSealed":          func(r *Runtime, _, _ goja.Value) goja.Value { return r.rt.ToValue(true) },
	"isExtensible":      func(r *Runtime, _, _ goja.Value) goja.Value { return r.rt.ToValue(false) },
	"freeze":            func(_ *Runtime, view, _ goja.Value) goja.Value { return view },
	"seal":              func(_ *Runtime, view, _ goja.Value) goja.Value { return view },
	"preventExtensions": func(_ *Runtime, view, _ goja.Value) goja.Value { return view },

	"getOwnPropertyDescriptor": func(r *Runtime, _, returned goja.Value) goja.Value {
		if descriptor, ok := returned.(*goja.Object); ok {
			descriptor.Set("writable", false)
			descriptor.Set("configurable", false)
		}
		return returned
	},
}

// freezeViews makes the functions of Object answer that a view is frozen.
func (r *Runtime) freezeViews() {
	object := r.rt.Get("Object").ToObject(r.rt)
	for name, answer := range frozenAnswers {
		original, ok := goja.AssertFunction(object.Get(name))
		if !ok {
			continue
		}

		object.DefineDataProperty(name, r.rt.ToValue(func(call goja.FunctionCall) goja.Value {
			// goja throws where it would have to freeze a view.
			returned, err := original(call.This, call.Arguments...)
			if view := call.Argument(0); dataNode(view) != nil {
				return answer(r, view, returned)
			}
			if err != nil {
				panic(err)
			}
			return returned
		}), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}
