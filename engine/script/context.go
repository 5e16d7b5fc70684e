package script

import (
	"errors"
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// newContext makes the ctx of map and combine. What only reduce has says so.
func (h *host) newContext(phase string, write engine.Emit) *goja.Object {
	ctx := h.rt.NewObject()
	ctx.Set("counter", h.counter)
	ctx.Set("write", func(call goja.FunctionCall) goja.Value {
		h.wantPair(call)
		if h.tables != nil {
			h.ThrowType("the script has tables (%s), so map adds to these: ctx.write belongs to a script with reduce", strings.Join(h.tables.Names(), ", "))
		}
		return h.written(write(h.EncodeKey(call.Argument(0)), h.EncodeValue(call.Argument(1))))
	})

	for _, name := range declare.Methods(declare.ReduceContext) {
		ctx.Set(name, func(goja.FunctionCall) goja.Value {
			h.ThrowType("ctx.%s is for reduce; in %s use ctx.write(key, value)", name, phase)
			return nil
		})
	}

	return ctx
}

// wantPair throws unless ctx.write was called with a key and a value.
func (h *host) wantPair(call goja.FunctionCall) {
	if len(call.Arguments) < 2 {
		h.ThrowType("ctx.write takes a key and a value")
	}
}

// written is what a function that writes returns. It throws what writing has failed
// with: the engine's error, or that of a combine that it has called.
func (h *host) written(err error) goja.Value {
	if err == nil {
		return goja.Undefined()
	}

	if _, ok := errors.AsType[*Error](err); ok {
		h.Throw(err)
	}

	h.ThrowEngine(err)
	return nil
}

// newReduceContext makes the ctx of setupReduce and reduce.
func (h *host) newReduceContext(out *engine.Output) *goja.Object {
	ctx := h.rt.NewObject()
	ctx.Set("counter", h.counter)
	ctx.Set("write", func(call goja.FunctionCall) goja.Value {
		h.wantPair(call)
		// A value may be an object, and so may a key that is only written, not sorted.
		return h.written(out.Row(h.EncodeCell(call.Argument(0)), h.EncodeValue(call.Argument(1))))
	})

	h.setAll(ctx, "writeLine", func(call goja.FunctionCall) goja.Value {
		return h.written(out.Line([]byte(call.Argument(0).String())))
	})

	// Both take an array of cells.
	writeCells := func(name string, record func([]byte) error) {
		h.setAll(ctx, name, func(call goja.FunctionCall) goja.Value {
			cells := h.EncodeValue(call.Argument(0))
			if len(cells) == 0 || datum.Kind(cells[0]) != datum.Array {
				h.ThrowType("ctx.%s takes an array", name)
			}
			return h.written(record(cells))
		})
	}
	writeCells("writeRow", out.Record)
	writeCells("writeCSV", out.CSVRecord)

	// The separators are properties, whose changes the output must know.
	field, record := "\t", "\n"
	apply := func() { h.written(out.Separators(field, record)) }
	h.accessor(ctx, "fieldSeparator", &field, apply)
	h.accessor(ctx, "recordSeparator", &record, apply)
	return ctx
}

// setAll sets a declared member of the ctx of reduce, by its name and its aliases.
func (h *host) setAll(ctx *goja.Object, name string, method func(goja.FunctionCall) goja.Value) {
	for _, name := range declare.MemberNames(declare.ReduceContext, name) {
		ctx.Set(name, method)
	}
}

// accessor defines a declared property of the ctx of reduce, by its name and its
// aliases: *value, after each change of which apply is called.
func (h *host) accessor(ctx *goja.Object, name string, value *string, apply func()) {
	get := h.rt.ToValue(func(goja.FunctionCall) goja.Value { return h.rt.ToValue(*value) })
	set := h.rt.ToValue(func(call goja.FunctionCall) goja.Value {
		*value = call.Argument(0).String()
		apply()
		return goja.Undefined()
	})

	for _, name := range declare.MemberNames(declare.ReduceContext, name) {
		ctx.DefineAccessorProperty(name, get, set, goja.FLAG_TRUE, goja.FLAG_TRUE)
	}
}
