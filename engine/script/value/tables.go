package value

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/tables"
)

// scriptTable is a table that a script has declared, with what adding to it needs.
type scriptTable struct {
	r       *Runtime
	table   *tables.Table
	number  int
	object  *goja.Object
	members map[string]*memberInfo // of addEach, by name
	last    *memberInfo            // that was looked up last
	each    bool                   // the script has said which key column the names are

	write goja.Callable // what writes the rows; nil: they are written as they are

	key, value []byte // reused
	inEach     bool   // addEach is at work
	suffix     []byte // of a key of addEach: what follows the member's name

	// Of addEach: keys before the name, by number, so that members need not look up
	// theirs.
	prefixes              map[string]int
	prefix                int
	prefixText, enterText []byte // of the prefix; of the one that is looked up
	round, taskRound      uint64 // the prefixes hold in this round, and this one of the task
}

// tableState is the part of a Runtime that concerns tables.
type tableState struct {
	declared []*scriptTable
	sealed   bool                   // the script's top level has run
	task     *tables.Task           // what map adds to; nil elsewhere
	document []byte                 // the ID of the record
	numbers  []float64              // of a histogram, reused
	each     uint64                 // counts the calls of addEach
	filters  map[string]*nameFilter // of regular expressions, by their texts
	list     *listFilter            // the last array of names
	spec     pingSpec
}

// declareTable is what every function of the module tables calls: table(kind, columns).
func (r *Runtime) declareTable(call goja.FunctionCall) goja.Value {
	made := &scriptTable{r: r, number: len(r.tables.declared), members: map[string]*memberInfo{}}
	made.table = &tables.Table{Kind: call.Argument(0).String(), Header: true, Bounds: boundsOf}
	if r.tables.sealed {
		r.ThrowType("%s: declare tables at the top level of the script, not in a function", made.table.Kind)
	}

	// The names of columns, then options.
	columns := call.Argument(1).ToObject(r.rt)
	count := int(columns.Get("length").ToInteger())
	for i := range count {
		column := at(columns, i)
		options, isObject := column.(*goja.Object)
		switch {
		case goja.IsString(column):
			made.table.Keys = append(made.table.Keys, column.String())
		case isObject && i == count-1:
			r.tableOptions(made, options)
		default:
			r.ThrowType("%s: column %d is no string: the names of the columns come first, then options", made.table.Kind, i)
		}
	}

	if err := made.table.Complete(); err != nil {
		r.ThrowType("%s: %s", made.table.Kind, err)
	}
	r.tables.declared = append(r.tables.declared, made)
	made.object = made.newObject()
	return made.object
}

// tableOptions reads the options of a table. One that there is not throws.
func (r *Runtime) tableOptions(made *scriptTable, options *goja.Object) {
	t := made.table
	each := ""
	targets := map[string]any{
		"of": &t.Of, "size": &t.Size, "percentiles": &t.Percentiles, "mode": &t.Mode, "show": &t.Show, "header": &t.Header,
		"each": &each, "group": &t.Group,
	}
	for _, name := range options.Keys() {
		if name == "write" {
			if made.write, t.Written = goja.AssertFunction(options.Get(name)); !t.Written {
				r.ThrowType("%s: option write is no function", t.Kind)
			}
			continue
		}

		target := targets[name]
		if target == nil {
			r.ThrowType("%s has no option %s: there are of, size, percentiles, mode, show, header, each, group and write", t.Kind, name)
		}
		if err := r.rt.ExportTo(options.Get(name), target); err != nil {
			r.ThrowType("%s: option %s: %s", t.Kind, name, err)
		}
	}

	// Which key column holds the names of members.
	if each != "" {
		t.Each = slices.Index(t.Keys, each)
		if t.Each < 0 {
			r.ThrowType("%s: option each: there is no key column %q", t.Kind, each)
		}
		made.each = true
	}
}

// newObject makes what the script sees of the table.
func (t *scriptTable) newObject() *goja.Object {
	object := t.r.rt.NewObject()
	method := func(name string, call func(goja.FunctionCall)) {
		function := t.r.rt.ToValue(func(arguments goja.FunctionCall) goja.Value {
			if t.r.tables.task == nil {
				t.r.ThrowType("%s.%s: only map adds to tables", t.name(), name)
			}
			if t.inEach {
				t.r.ThrowType("%s.%s: the filter of addEach must not add to the table", t.name(), name)
			}
			call(arguments)
			return goja.Undefined()
		})
		object.DefineDataProperty(name, function, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	method("add", t.add)
	method("addEach", t.addEach)
	return object
}

// name returns the name for messages: before the script has exported it, that of its
// kind.
func (t *scriptTable) name() string {
	if t.table.Name == "" {
		return t.table.Kind
	}
	return t.table.Name
}

// Tables returns the tables that the script's top level has declared, by the names that it
// exports. The error says which table it does not export, or exports twice. After that no
// table can be declared.
func (r *Runtime) Tables(exports *goja.Object) (tables.Set, error) {
	r.tables.sealed = true
	if len(r.tables.declared) == 0 {
		return nil, nil
	}

	for _, name := range exports.Keys() {
		exported := exports.Get(name)
		for _, declared := range r.tables.declared {
			if exported != declared.object {
				continue
			}
			if declared.table.Name != "" {
				return nil, fmt.Errorf("a table is exported as %s and as %s: export it once", declared.table.Name, name)
			}
			declared.table.Name = name
		}
	}

	var set tables.Set
	for _, declared := range r.tables.declared {
		if declared.table.Name == "" {
			return nil, fmt.Errorf("a table of kind %s with the columns %s is not exported: export const name = %[1]s(…)",
				declared.table.Kind, strings.Join(declared.table.Columns(), ", "))
		}
		set = append(set, declared.table)
	}

	for _, table := range set {
		if table.Written != set.Written() {
			return nil, fmt.Errorf("of the tables %s some have write and some have not: all of a script go one way", strings.Join(set.Names(), ", "))
		}
	}
	return set, nil
}

// WriteGroup calls the function that writes the rows of a table, with those of one group,
// an array of arrays. It keeps the rows.
func (r *Runtime) WriteGroup(number int, group, rows []byte, ctx *goja.Object) error {
	write := r.tables.declared[number].write
	list, err := r.decodeRows(rows)
	if err == nil {
		_, err = write(goja.Undefined(), r.Decode(group), list, ctx)
	}
	return err
}

// decodeRows decodes an array of arrays, whose numbers stay where they are.
func (r *Runtime) decodeRows(rows []byte) (goja.Value, error) {
	var list []any
	for rows = rows[1:]; !atEnd(rows); rows = rows[1:] {
		var cells []any
		for rows = rows[1:]; !atEnd(rows); {
			cell, rest, ok := r.decodeNumbers(rows)
			if !ok {
				var err error
				if cell, rest, err = r.decodeNext(rows); err != nil {
					return nil, err
				}
			}
			cells = append(cells, cell)
			rows = rest
		}
		list = append(list, r.rt.NewArray(cells...))
	}
	return r.rt.NewArray(list...), nil
}

// CollectInto makes what the script adds to its tables go to a task; nil: adding throws.
func (r *Runtime) CollectInto(task *tables.Task) { r.tables.task = task }

// EnterDocument notes the ID of the record that is mapped.
func (r *Runtime) EnterDocument(id []byte) { r.tables.document = id }

// add is table.add(key…, value).
func (t *scriptTable) add(call goja.FunctionCall) {
	arguments := call.Arguments
	if t.table.Takes() == tables.RowCells {
		t.addRow(arguments)
		return
	}

	want := len(t.table.Keys)
	if t.table.Takes() != tables.Nothing {
		want++
	}
	if len(arguments) != want {
		t.r.ThrowType("%s.add takes %s, not %d arguments", t.name(), t.signature(), len(arguments))
	}

	key := t.keyOf(arguments[:len(t.table.Keys)])
	added := goja.Undefined()
	if want > len(t.table.Keys) {
		added = arguments[want-1]
	}
	t.addValue(tables.CloseKey(key), added)
}

// signature names what add takes.
func (t *scriptTable) signature() string {
	names := slices.Clone(t.table.Keys)
	if t.table.Takes() != tables.Nothing {
		names = append(names, "a value")
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// keyOf returns the start of a key with these columns, or throws. It is valid until the
// next call.
func (t *scriptTable) keyOf(columns []goja.Value) []byte {
	const usual = 256 // bytes: then members are appended without growing
	t.key = t.appendColumns(tables.AppendKey(slices.Grow(t.key[:0], usual), t.number), columns, 0)
	return t.key
}

// appendColumns appends key columns, the first of which has a number.
func (t *scriptTable) appendColumns(key []byte, columns []goja.Value, first int) []byte {
	for i, column := range columns {
		key = t.endGroup(t.r.appendDatum(key, column, 0, true), first+i)
	}
	return key
}

// endGroup ends the group's columns behind the last one of them.
func (t *scriptTable) endGroup(key []byte, column int) []byte {
	if t.table.Written && column == t.table.Group-1 {
		return tables.EndGroup(key)
	}
	return key
}

// closeMember ends a key of addEach, behind the member's name.
func (t *scriptTable) closeMember(key []byte) []byte {
	return tables.CloseKey(append(key, t.suffix...))
}

// addRow adds a row: a cell for each column.
func (t *scriptTable) addRow(cells []goja.Value) {
	if len(cells) != len(t.table.Keys) {
		t.r.ThrowType("%s.add takes %s, not %d arguments", t.name(), strings.Join(t.table.Keys, ", "), len(cells))
	}

	t.value = t.value[:0]
	for _, cell := range cells {
		t.value = t.r.appendDatum(t.value, cell, 0, false)
	}
	t.r.tables.task.Add(t.number, tables.CloseKey(t.keyOf(nil)), t.value)
}

// addValue adds a JavaScript value to a key, or throws.
func (t *scriptTable) addValue(key []byte, added goja.Value) {
	switch t.table.Takes() {
	case tables.Nothing:
		t.r.tables.task.Add(t.number, key, tables.AppendOne(t.value[:0]))
	case tables.HistogramValue:
		t.addHistogram(key, added)
	case tables.Number:
		// Most values are numbers, and need no datum.
		if goja.IsNumber(added) {
			t.addNumber(key, added.ToFloat())
			return
		}
		t.addDatum(key, t.r.EncodeValue(added))
	default:
		t.addDatum(key, t.r.EncodeValue(added))
	}
}

// addNumber adds a number, or skips what is not finite.
func (t *scriptTable) addNumber(key []byte, number float64) {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		t.r.tables.task.Skip(t.number)
		return
	}
	t.value = tables.AppendFinite(t.value[:0], t.table, number)
	t.r.tables.task.Add(t.number, key, t.value)
}

// addDatum adds a value as a datum. What is missing is skipped; what is of another type
// than the table takes throws.
func (t *scriptTable) addDatum(key, added []byte) {
	kind := datum.Kind(added[0])
	switch {
	case kind == datum.Undefined || kind == datum.Null:
		t.r.tables.task.Skip(t.number)
		return
	case kind == datum.Number:
		number := datum.Float(added)
		if math.IsNaN(number) || math.IsInf(number, 0) || t.table.Takes() == tables.Number {
			t.addNumber(key, number)
			return
		}
	case t.table.Takes() == tables.Number:
		t.r.ThrowType("%s.add: %s is no number", t.name(), clip(datum.AppendMessage(nil, added)))
	case (kind == datum.Object || kind == datum.Histogram) && t.table.Takes() == tables.Scalar:
		t.r.ThrowType("%s.add: a value must be a string, number, boolean or an array of these, not an object", t.name())
	}

	task := t.r.tables.task
	switch t.table.Kind {
	case "top":
		task.Add(t.number, append(key, added...), tables.AppendOne(t.value[:0]))
	case "distinct":
		t.value = tables.AppendDistinct(t.value[:0], added)
		task.Add(t.number, key, t.value)
	default:
		t.value = tables.AppendSample(t.value[:0], t.r.tables.document, added)
		task.Add(t.number, key, t.value)
	}
}
