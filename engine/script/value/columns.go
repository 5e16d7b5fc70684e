package value

import (
	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/layout/columns"
)

// inColumns is where a lazy object lies whose members are in columns: a node of a row of
// a row group. Only the columns of the members that a script reads are fetched.
type inColumns struct {
	group *columns.Group
	row   int
	node  int32
}

// PingInColumns returns the lazy view of a row, as Ping does of a text.
func (r *Runtime) PingInColumns(group *columns.Group, row int) goja.Value {
	ping := &lazyObject{view: view{r: r, gen: r.gen}, columns: &inColumns{group, row, 0}, asText: true}
	if r.fields != nil {
		ping.field = &r.fields.root
	}
	r.ping = ping
	object := r.rt.NewDynamicObject(ping)
	object.SetPrototype(r.pingProto)
	return object
}

// member returns the value of a member, nil if the object has none of that name.
func (c *inColumns) member(o *lazyObject, name string, field *Field) goja.Value {
	child := c.group.Child(c.node, name)
	if child < 0 {
		return nil
	}

	// The same object each time: a script may compare or change it.
	if value := o.made(child); value != nil {
		return value
	}

	kind, text, err := c.group.Kind(c.row, child)
	if err != nil {
		o.r.ThrowEngine(err)
	}
	switch kind {
	case columns.Absent:
		return nil
	case columns.Text:
		if field != nil && text[0] == '{' {
			return o.keep(child, o.r.rt.NewDynamicObject(o.r.object(text, 0, o.gen, field)))
		}
		return o.keep(child, o.r.lazy(text, 0, o.gen))
	}
	inner := &lazyObject{view: view{r: o.r, gen: o.gen}, columns: &inColumns{c.group, c.row, child}, field: field}
	return o.keep(child, o.r.rt.NewDynamicObject(inner))
}

// has says whether the object has a member of that name.
func (c *inColumns) has(r *Runtime, name string) bool {
	child := c.group.Child(c.node, name)
	if child < 0 {
		return false
	}
	kind, _, err := c.group.Kind(c.row, child)
	if err != nil {
		r.ThrowEngine(err)
	}
	return kind != columns.Absent
}

// names returns the names of the members, in the order of the record. The names are the
// row group's own strings, and no text is parsed.
func (c *inColumns) names(r *Runtime) []string {
	nodes, err := c.group.Members(nil, c.row, c.node, c.group.Children(c.node))
	if err != nil {
		r.ThrowEngine(err)
	}

	names := make([]string, len(nodes))
	for i, node := range nodes {
		names[i] = c.group.Name(node)
	}
	return names
}

// materialise makes the object's text, which reads the columns of all its members, for
// what works on texts. The members that a script has read already stay the same objects.
func (o *lazyObject) materialise() {
	if o.columns == nil || o.text != nil {
		return
	}

	// The ping's own text lies in memory that serves the next ping, too.
	var buffer []byte
	if o.columns.node == 0 {
		buffer = o.r.pingBuffer[:0]
	}
	text, err := o.columns.group.AppendObject(buffer, o.columns.row, o.columns.node)
	if err != nil {
		o.r.ThrowEngine(err)
	}
	if o.columns.node == 0 {
		o.r.pingBuffer = text
	}
	o.text = text
}
