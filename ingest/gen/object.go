package gen

import (
	"math"
	"strconv"
)

// object writes minimal JSON members one after the other. Keys and plain strings
// are ours and need no escaping.
type object struct{ buf []byte }

func (o *object) open()  { o.buf = append(o.buf, '{') }
func (o *object) close() { o.buf = append(o.buf, '}') }

func (o *object) key(k string) {
	if c := o.buf[len(o.buf)-1]; c != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, k...)
	o.buf = append(o.buf, '"', ':')
}

func (o *object) raw(k, json string) {
	o.key(k)
	o.buf = append(o.buf, json...)
}

func (o *object) str(k, v string) {
	o.key(k)
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, v...)
	o.buf = append(o.buf, '"')
}

func (o *object) int(k string, v int) {
	o.key(k)
	o.buf = strconv.AppendInt(o.buf, int64(v), 10)
}

func (o *object) bool(k string, v bool) {
	o.key(k)
	o.buf = strconv.AppendBool(o.buf, v)
}

func (o *object) float(v float64) { o.buf = strconv.AppendFloat(o.buf, v, 'f', -1, 64) }

// begin and end enclose an object that is the value of k.
func (o *object) begin(k string) { o.key(k); o.open() }
func (o *object) end()           { o.close() }

// ints appends a JSON array.
func (o *object) ints(v ...int) {
	o.buf = append(o.buf, '[')
	for i, n := range v {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = strconv.AppendInt(o.buf, int64(n), 10)
	}
	o.buf = append(o.buf, ']')
}

func pow(x, y float64) float64 { return math.Exp(y * math.Log(x)) }
