package script

import (
	"embed"
	"path"
	"strings"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// libraryFiles are the modules that scripts import by a bare name: stats, csv,
// histogram.
//
//go:embed lib/*.js
var libraryFiles embed.FS

// library resolves the imports that the host itself has.
var library = api.Plugin{Name: "library", Setup: func(b api.PluginBuild) {
	var names []string
	entries, _ := libraryFiles.ReadDir("lib")
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".js"))
	}
	const namespace = "library"
	b.OnResolve(api.OnResolveOptions{Filter: "^(" + strings.Join(names, "|") + ")$"},
		func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: a.Path + ".js", Namespace: namespace}, nil
		})
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: namespace},
		func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := libraryFiles.ReadFile(path.Join("lib", a.Path))
			s := string(text)
			return api.OnLoadResult{Contents: &s, Loader: api.LoaderJS}, err
		})
}}

// installLibrary makes __host, the natively done part of the library.
func (h *host) installLibrary() {
	o := h.rt.NewObject()
	o.Set("sum", func(call goja.FunctionCall) goja.Value {
		var total float64
		h.eachDatum(call.Argument(0), func(_ int, d []byte) {
			if datum.Kind(d[0]) != datum.Number {
				h.throwType("sum: %s is no number", datum.AppendJSON(nil, d))
			}
			total += datum.Float(d)
		})
		return h.rt.ToValue(total)
	})
	o.Set("sumHistograms", func(call goja.FunctionCall) goja.Value {
		var sum []float64
		h.eachDatum(call.Argument(0), func(i int, d []byte) { sum = h.addHistogram(sum, i, d) })
		items := make([]any, len(sum))
		for i, f := range sum {
			items[i] = f
		}
		return h.rt.NewArray(items...)
	})
	o.Set("addHistogram", func(call goja.FunctionCall) goja.Value {
		d := h.encodeValue(call.Argument(1))
		total, ok := call.Argument(0).(*goja.Object)
		if !ok {
			return h.float64Array(h.addHistogram(nil, 0, d))
		}
		sum, ok := total.Export().([]float64) // shares the array's memory
		if !ok {
			h.throwType("histogram.add: the total is no Float64Array")
		}
		h.addHistogram(sum, 1, d)
		return total
	})
	h.rt.GlobalObject().DefineDataProperty("__host", o, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// float64Array returns a Float64Array with these numbers.
func (h *host) float64Array(numbers []float64) goja.Value {
	o, err := h.rt.New(h.rt.Get("Float64Array"), h.rt.ToValue(len(numbers)))
	if err != nil {
		panic(err)
	}
	copy(o.Export().([]float64), numbers)
	return o
}

// addHistogram adds the array d, value i of a list, to sum, and returns it.
func (h *host) addHistogram(sum []float64, i int, d []byte) []float64 {
	if datum.Kind(d[0]) != datum.Array {
		h.throwType("histogram: value %d is no array", i)
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
		h.throwType("histogram: value %d holds something that is no number", i)
	}
	if n != len(sum) {
		h.throwType("histogram: value %d has %d numbers, those before have %d: histograms of different layouts do not add up", i, n, len(sum))
	}
	return sum
}

// eachDatum calls do with each element of an array: that of the values of a key
// without a detour through JavaScript.
func (h *host) eachDatum(list goja.Value, do func(i int, d []byte)) {
	o, ok := list.(*goja.Object)
	if !ok || o.ClassName() != "Array" {
		h.throwType("not an array")
	}
	if a := valueArrayOf(o); a != nil && a.untouched() {
		a.alive()
		a.vs.Rewind()
		a.pos = 0
		for i := range a.n {
			d, err := a.vs.Next()
			if err != nil {
				h.throwEngine(err)
			}
			a.pos++
			do(i, d)
		}
		return
	}
	n := int(o.Get("length").ToInteger())
	var buf []byte
	for i := range n {
		buf = h.appendDatum(buf[:0], at(o, i), 0, false)
		do(i, buf)
	}
}
