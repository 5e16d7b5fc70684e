package value

import (
	"math"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// hostName is the hidden global that library modules (bundle/lib) call Go through.
const hostName = "__host"

// hostFunctions are the parts of the library that Go does, over the bytes of the
// values of a key, and what a bundle reads data files with.
var hostFunctions = []struct {
	name string
	call func(*Runtime, goja.FunctionCall) goja.Value
}{
	{"sum", (*Runtime).sum},
	{"numbers", (*Runtime).numbers},
	{"sumHistograms", (*Runtime).sumHistograms},
	{"addHistogram", (*Runtime).addHistogramTo},
	{"compareVersions", (*Runtime).compareVersions},
	{"data", (*Runtime).dataFile},
	{"result", (*Runtime).jobResult},
	{"namespace", (*Runtime).dataNamespace},
	{"index", (*Runtime).dataIndex},
	{"table", (*Runtime).declareTable},
}

// installLibrary makes hostFunctions reachable.
func (r *Runtime) installLibrary() {
	host := r.rt.NewObject()
	for _, function := range hostFunctions {
		host.Set(function.name, func(call goja.FunctionCall) goja.Value { return function.call(r, call) })
	}
	r.rt.GlobalObject().DefineDataProperty(hostName, host, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// compareVersions is firefox.compareVersions(a, b). A number is refused: 28.10 would be
// 28.1.
func (r *Runtime) compareVersions(call goja.FunctionCall) goja.Value {
	for i := range 2 {
		if version := call.Argument(i); !goja.IsString(version) {
			r.ThrowType("compareVersions: %v is not a string", version)
		}
	}
	return r.rt.ToValue(schema.CompareVersions(call.Argument(0).String(), call.Argument(1).String()))
}

// sum is stats.sum(values).
func (r *Runtime) sum(call goja.FunctionCall) goja.Value {
	var total float64
	r.eachDatum(call.Argument(0), func(i int, element []byte) { total += r.statistic("sum", i, element) })
	return r.rt.ToValue(total)
}

// numbers is numbers(values, name) of the module stats: a Float64Array of the values, for
// the function of that name.
func (r *Runtime) numbers(call goja.FunctionCall) goja.Value {
	name := call.Argument(1).String()
	var all []float64
	r.eachDatum(call.Argument(0), func(i int, d []byte) { all = append(all, r.statistic(name, i, d)) })
	return r.float64Array(all)
}

// statistic returns value i of a list as a number. Every other kind of value throws, in each
// function of the module stats alike: a missing value must not count as 0.
func (r *Runtime) statistic(name string, i int, d []byte) float64 {
	switch datum.Kind(d[0]) {
	case datum.Number:
		return datum.Float(d)
	case datum.Undefined, datum.Null:
		r.ThrowType("%s: value %d is %s, not a number: write a value only where there is one, or filter the values first", name, i, datum.AppendMessage(nil, d))
	}
	r.ThrowType("%s: value %d, %s, is no number", name, i, clip(datum.AppendMessage(nil, d)))
	return 0
}

// sumHistograms is histogram.sum(histograms).
func (r *Runtime) sumHistograms(call goja.FunctionCall) goja.Value {
	sum := histogramSum{r: r}
	r.eachDatum(call.Argument(0), sum.add)
	if sum.bound != nil {
		return sum.bound.view()
	}
	return r.numberArray(sum.numbers)
}

// addHistogramTo is histogram.add(total, h).
func (r *Runtime) addHistogramTo(call goja.FunctionCall) goja.Value {
	added := r.EncodeValue(call.Argument(1))
	isBound := datum.Kind(added[0]) == datum.Histogram
	total, ok := call.Argument(0).(*goja.Object)
	switch {
	case !ok && isBound:
		return r.mustDecodeHistogram(added).view() // a copy
	case !ok:
		return r.float64Array(r.addHistogram(nil, 0, added))
	case isBound && total.ExportType() == boundType:
		total.Export().(*bound).add(r.mustDecodeHistogram(added))
		return total
	case isBound || total.ExportType() == boundType:
		r.ThrowType("histogram.add: of the total and what is added, one is an array, which does not say which bucketing it has")
	}

	// The export shares the array's memory, so that adding to it changes the total.
	sum, ok := total.Export().([]float64)
	if !ok {
		r.ThrowType("histogram.add: the total is no Float64Array")
	}

	r.addHistogram(sum, 1, added)
	return total
}

// float64Array returns a Float64Array with these numbers.
func (r *Runtime) float64Array(numbers []float64) goja.Value {
	const class = "Float64Array"
	constructor, ok := r.rt.Get(class).(*goja.Object)
	if !ok {
		r.throwReplaced(class)
	}

	// goja has no constructor for it, so JavaScript's is called.
	array, err := r.rt.New(constructor, r.rt.ToValue(len(numbers)))
	if err != nil {
		panic(err)
	}

	// The export is the array's own memory.
	memory, ok := array.Export().([]float64)
	if !ok {
		r.throwReplaced(class)
	}

	copy(memory, numbers)
	return array
}

// addHistogram adds an array, the value at a position of a list, to sum, and returns it. The
// first value decides how many numbers there are.
func (r *Runtime) addHistogram(sum []float64, position int, added []byte) []float64 {
	if datum.Kind(added[0]) != datum.Array {
		r.ThrowType("histogram: value %d, %s, is no array", position, clip(datum.AppendMessage(nil, added)))
	}

	const numberBytes = 9 // of a number's datum: its kind and a float64
	count := 0
	rest := added[1:]
	for len(rest) >= numberBytes && datum.Kind(rest[0]) == datum.Number {
		number := datum.Float(rest)
		if math.IsNaN(number) {
			break // adding takes what is not above 0 as not sent
		}
		rest = rest[numberBytes:]
		switch {
		case position == 0:
			sum = append(sum, number)
		case count < len(sum):
			sum[count] = addNumber(sum[count], number, false)
		}
		count++
	}

	if datum.Kind(rest[0]) != datum.End {
		r.ThrowType("histogram: value %d holds something that is no number", position)
	}

	if count != len(sum) {
		r.ThrowType("histogram: value %d has %d numbers, those before have %d: histograms of different layouts do not add up", position, count, len(sum))
	}

	return sum
}

// eachDatum calls do with each element of an array: of the values of a key
// without making JavaScript values of them.
func (r *Runtime) eachDatum(list goja.Value, do func(i int, d []byte)) {
	object, ok := list.(*goja.Object)
	if !ok || object.ClassName() != "Array" {
		r.ThrowType("not an array")
	}

	// The values of a key, as the engine has them.
	if values := valueArrayOf(object); values != nil && values.untouched() {
		values.alive()
		values.rewind()
		for i := range values.n {
			do(i, values.skip())
		}
		return
	}

	// Any other array.
	length := int(object.Get("length").ToInteger())
	var buf []byte
	for i := range length {
		buf = r.appendDatum(buf[:0], at(object, i), 0, false)
		do(i, buf)
	}
}
