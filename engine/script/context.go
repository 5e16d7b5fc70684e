package script

import (
	"errors"

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
		if err := write(h.EncodeKey(call.Argument(0)), h.EncodeValue(call.Argument(1))); err != nil {
			h.throwWrite(err)
		}
		return goja.Undefined()
	})
	for _, name := range declare.Methods(declare.ReduceContext) {
		ctx.Set(name, func(goja.FunctionCall) goja.Value {
			h.ThrowType("ctx.%s is for reduce; in %s use ctx.write(key, value)", name, phase)
			return nil
		})
	}
	return ctx
}

func (h *host) wantPair(call goja.FunctionCall) {
	if len(call.Arguments) < 2 {
		h.ThrowType("ctx.write takes a key and a value")
	}
}

// throwWrite throws what writing has failed with: the engine's error, or that of
// a combine that it has called.
func (h *host) throwWrite(err error) {
	if _, ok := errors.AsType[*Error](err); ok {
		h.Throw(err)
	}
	h.ThrowEngine(err)
}

// newReduceContext makes the ctx of setupReduce and reduce.
func (h *host) newReduceContext(out *engine.Output) *goja.Object {
	ctx := h.rt.NewObject()
	ctx.Set("counter", h.counter)
	ctx.Set("write", func(call goja.FunctionCall) goja.Value {
		h.wantPair(call)
		// A value may be an object, and so may a key that is only written, not sorted.
		if err := out.Row(h.EncodeCell(call.Argument(0)), h.EncodeValue(call.Argument(1))); err != nil {
			h.throwWrite(err)
		}
		return goja.Undefined()
	})
	line := func(call goja.FunctionCall) goja.Value {
		if err := out.Line([]byte(call.Argument(0).String())); err != nil {
			h.throwWrite(err)
		}
		return goja.Undefined()
	}
	ctx.Set("writeLine", line)
	ctx.Set("writeline", line)
	csv := func(call goja.FunctionCall) goja.Value {
		v := h.EncodeValue(call.Argument(0))
		if len(v) == 0 || datum.Kind(v[0]) != datum.Array {
			h.ThrowType("ctx.writeCSV takes an array")
		}
		if err := out.Record(v); err != nil {
			h.throwWrite(err)
		}
		return goja.Undefined()
	}
	ctx.Set("writeCSV", csv)
	ctx.Set("writecsv", csv)
	field, record := "\t", "\n"
	for _, p := range []struct {
		names [2]string
		at    *string
	}{
		{[2]string{"fieldSeparator", "field_separator"}, &field},
		{[2]string{"recordSeparator", "record_separator"}, &record},
	} {
		get := h.rt.ToValue(func(goja.FunctionCall) goja.Value { return h.rt.ToValue(*p.at) })
		set := h.rt.ToValue(func(call goja.FunctionCall) goja.Value {
			*p.at = call.Argument(0).String()
			if err := out.Separators(field, record); err != nil {
				h.throwWrite(err)
			}
			return goja.Undefined()
		})
		for _, n := range p.names {
			ctx.DefineAccessorProperty(n, get, set, goja.FLAG_TRUE, goja.FLAG_TRUE)
		}
	}
	return ctx
}
