package script

import (
	"maps"
	"sync"

	"github.com/dop251/goja"
)

// Counters are what scripts count with ctx.counter(name).add(n), over all tasks
// of a job. What a rejected record counted is dropped. Safe for concurrent use.
type Counters struct {
	mu sync.Mutex // protects n
	n  map[string]int64
}

// All returns the counts by name.
func (c *Counters) All() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

// Add adds counts by name; a nil Counters drops them.
func (c *Counters) Add(counts map[string]int64) {
	if c == nil || len(counts) == 0 {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}

	for name, n := range counts {
		c.n[name] += n
	}
}

// taskCounts are those of one runtime. Not safe for concurrent use.
type taskCounts struct {
	all    map[string]int64
	record []count                 // of the record being mapped
	made   map[string]*goja.Object // counters by name
}

type count struct {
	name string
	n    int64
}

// keep adds the record's counts to all.
func (c *taskCounts) keep() {
	for _, counted := range c.record {
		if c.all == nil {
			c.all = map[string]int64{}
		}
		c.all[counted.name] += counted.n
	}
	c.record = c.record[:0]
}

// drop drops the record's counts.
func (c *taskCounts) drop() { c.record = c.record[:0] }

// flush adds what the task has counted to the job's counters.
func (c *taskCounts) flush(to *Counters) {
	c.keep()
	to.Add(c.all)
	clear(c.all)
}

// counter is ctx.counter(name): an object with add(n = 1), the same one each time.
func (h *host) counter(call goja.FunctionCall) goja.Value {
	if !goja.IsString(call.Argument(0)) {
		h.ThrowType("ctx.counter takes a name")
	}

	name := call.Argument(0).String()
	// The same object each time, so that scripts may ask for it for each record.
	if counter := h.counts.made[name]; counter != nil {
		return counter
	}

	// What a record counts is kept apart until it is known that the record was mapped.
	counter := h.rt.NewObject()
	counter.Set("add", func(call goja.FunctionCall) goja.Value {
		amount := int64(1)
		if len(call.Arguments) > 0 {
			// A missing field is not 1, and NaN is not 0.
			argument := call.Argument(0)
			if !goja.IsNumber(argument) || argument.ToFloat() != argument.ToFloat() {
				h.ThrowType("counter.add takes a number, not %s", argument)
			}
			amount = argument.ToInteger()
		}
		h.counts.record = append(h.counts.record, count{name, amount})
		return goja.Undefined()
	})

	if h.counts.made == nil {
		h.counts.made = map[string]*goja.Object{}
	}

	h.counts.made[name] = counter
	return counter
}
