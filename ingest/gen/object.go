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

func (o *object) key(name string) {
	if o.buf[len(o.buf)-1] != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

func (o *object) raw(name, json string) {
	o.key(name)
	o.buf = append(o.buf, json...)
}

func (o *object) str(name, value string) {
	o.key(name)
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, value...)
	o.buf = append(o.buf, '"')
}

func (o *object) int(name string, value int) {
	o.key(name)
	o.buf = strconv.AppendInt(o.buf, int64(value), 10)
}

func (o *object) bool(name string, value bool) {
	o.key(name)
	o.buf = strconv.AppendBool(o.buf, value)
}

func (o *object) float(value float64) { o.buf = strconv.AppendFloat(o.buf, value, 'f', -1, 64) }

// begin and end enclose an object that is the value of k.
func (o *object) begin(name string) { o.key(name); o.open() }
func (o *object) end()              { o.close() }

// ints appends a JSON array.
func (o *object) ints(values ...int) {
	o.buf = append(o.buf, '[')
	for i, n := range values {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = strconv.AppendInt(o.buf, int64(n), 10)
	}
	o.buf = append(o.buf, ']')
}

func pow(x, y float64) float64 { return math.Exp(y * math.Log(x)) }
