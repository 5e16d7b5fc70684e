package value

import (
	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// installLibrary makes __host, the natively done part of the library.
func (r *Runtime) installLibrary() {
	o := r.rt.NewObject()
	o.Set("sum", func(call goja.FunctionCall) goja.Value {
		var total float64
		r.eachDatum(call.Argument(0), func(_ int, d []byte) {
			if datum.Kind(d[0]) != datum.Number {
				r.ThrowType("sum: %s is no number", datum.AppendJSON(nil, d))
			}
			total += datum.Float(d)
		})
		return r.rt.ToValue(total)
	})
	o.Set("sumHistograms", func(call goja.FunctionCall) goja.Value {
		var sum []float64
		r.eachDatum(call.Argument(0), func(i int, d []byte) { sum = r.addHistogram(sum, i, d) })
		items := make([]any, len(sum))
		for i, f := range sum {
			items[i] = f
		}
		return r.rt.NewArray(items...)
	})
	o.Set("addHistogram", func(call goja.FunctionCall) goja.Value {
		d := r.EncodeValue(call.Argument(1))
		total, ok := call.Argument(0).(*goja.Object)
		if !ok {
			return r.float64Array(r.addHistogram(nil, 0, d))
		}
		sum, ok := total.Export().([]float64) // shares the array's memory
		if !ok {
			r.ThrowType("histogram.add: the total is no Float64Array")
		}
		r.addHistogram(sum, 1, d)
		return total
	})
	r.rt.GlobalObject().DefineDataProperty("__host", o, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// float64Array returns a Float64Array with these numbers.
func (r *Runtime) float64Array(numbers []float64) goja.Value {
	o, err := r.rt.New(r.rt.Get("Float64Array"), r.rt.ToValue(len(numbers)))
	if err != nil {
		panic(err)
	}
	copy(o.Export().([]float64), numbers)
	return o
}

// addHistogram adds the array d, value i of a list, to sum, and returns it.
func (r *Runtime) addHistogram(sum []float64, i int, d []byte) []float64 {
	if datum.Kind(d[0]) != datum.Array {
		r.ThrowType("histogram: value %d is no array", i)
	}
	n := 0
	b := d[1:]
	for len(b) >= 9 && datum.Kind(b[0]) == datum.Number {
		f := datum.Float(b)
		b = b[9:]
		switch {
		case i == 0:
			sum = append(sum, f)
		case n >= len(sum):
		case f >= 0 && sum[n] >= 0:
			sum[n] += f
		case f >= 0:
			sum[n] = f
		}
		n++
	}
	if datum.Kind(b[0]) != datum.End {
		r.ThrowType("histogram: value %d holds something that is no number", i)
	}
	if n != len(sum) {
		r.ThrowType("histogram: value %d has %d numbers, those before have %d: histograms of different layouts do not add up", i, n, len(sum))
	}
	return sum
}

// eachDatum calls do with each element of an array: that of the values of a key
// without a detour through JavaScript.
func (r *Runtime) eachDatum(list goja.Value, do func(i int, d []byte)) {
	o, ok := list.(*goja.Object)
	if !ok || o.ClassName() != "Array" {
		r.ThrowType("not an array")
	}
	if a := valueArrayOf(o); a != nil && a.untouched() {
		a.alive()
		a.vs.Rewind()
		a.pos = 0
		for i := range a.n {
			d, err := a.vs.Next()
			if err != nil {
				r.ThrowEngine(err)
			}
			a.pos++
			do(i, d)
		}
		return
	}
	n := int(o.Get("length").ToInteger())
	var buf []byte
	for i := range n {
		buf = r.appendDatum(buf[:0], at(o, i), 0, false)
		do(i, buf)
	}
}
