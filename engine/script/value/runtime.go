package value

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/datafile"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Runtime is what Go adds to a goja runtime: the views of pings and values, the
// host's part of the library, and the crossing of values. It belongs to the
// runtime's goroutine.
type Runtime struct {
	rt      *goja.Runtime
	interns map[string]goja.Value // of short strings
	enc     encoder

	gen   uint64     // of the ping being mapped: older views are stale
	lent  [][]member // lists of the ping being mapped
	spare [][]member // for the next ones
	inner []inner
	early map[string]bool // names that do not stand near the end of a ping

	fields     *Fields // what the script reads of pings; nil: it is not noted
	pingBuffer []byte  // of the text of a ping that lies in columns

	ping       *lazyObject                                       // the last one that was made
	properties map[string]func(*Runtime, *lazyObject) goja.Value // pingProperties
	pingProto  *goja.Object                                      // of pings
	boundProto *goja.Object                                      // of ping.histogram(name); nil until a script calls that
	sparse     map[sparseBucketing]*revisions.Definition         // of histograms that say their own
	dims       dims
	madeDims   map[schema.Dims]dims

	data      map[string]*datafile.File // that the script imports, by ID
	results   map[string]*datafile.File // of other jobs, by name
	dataViews map[*datafile.Node]goja.Value
	tables    tableState

	definitions func(url string) (*revisions.Spec, error) // nil: there are none
	specs       map[string]*revisions.Spec                // by URL
	missed      bool                                      // definitions were not available
	bounds      map[*revisions.Definition]goja.Value
	layouts     map[layoutKey]goja.Value
	bucketings  map[datum.Bucketing]*revisions.Definition // of histograms that were emitted
}

// New adds to rt: JSON.parse that takes pings, and what the library imports.
// definitions finds those of a revision by its URL, for ping.histogram; nil: it throws
// ErrNoDefinitions.
func New(rt *goja.Runtime, definitions func(url string) (*revisions.Spec, error)) *Runtime {
	made := &Runtime{
		rt: rt, definitions: definitions,
		interns:  make(map[string]goja.Value),
		early:    make(map[string]bool),
		madeDims: make(map[schema.Dims]dims),
	}

	made.installPing()
	made.installJSON()
	made.installLibrary()
	return made
}

// NoteFields makes the runtime note in fields what the script reads of pings.
func (r *Runtime) NoteFields(fields *Fields) { r.fields = fields }

// ErrEngine marks an error of the engine that passed through the script: a full
// disk is not the record's fault.
var ErrEngine = errors.New("engine")

// ThrowEngine makes the calling script throw err, marked as ErrEngine.
func (r *Runtime) ThrowEngine(err error) { r.Throw(fmt.Errorf("%w: %w", ErrEngine, err)) }

// Throw makes the calling script throw err.
func (r *Runtime) Throw(err error) {
	panic(r.rt.NewGoError(err))
}

// ThrowType makes the calling script throw a TypeError.
func (r *Runtime) ThrowType(format string, args ...any) {
	panic(r.rt.NewTypeError(append([]any{format}, args...)...))
}

// Method returns a method of one of JavaScript's own objects, such as
// JSON.stringify; nil if the script has replaced it.
func (r *Runtime) Method(object, method string) goja.Callable {
	holder, ok := r.rt.Get(object).(*goja.Object)
	if !ok {
		return nil
	}
	callable, _ := goja.AssertFunction(holder.Get(method))
	return callable
}

// prototype returns the prototype of one of JavaScript's own classes. It throws if
// the script has replaced the class.
func (r *Runtime) prototype(class string) *goja.Object {
	if c, ok := r.rt.Get(class).(*goja.Object); ok {
		if p, ok := c.Get("prototype").(*goja.Object); ok {
			return p
		}
	}
	r.throwReplaced(class)
	return nil
}

// throwReplaced throws because the script has replaced something of JavaScript.
func (r *Runtime) throwReplaced(what string) {
	r.ThrowType("the script has replaced %s, which the host needs", what)
}

const (
	maxInternBytes = 48   // of a string that is made once
	maxInterns     = 4096 // strings
)

// intern returns bytes as a JavaScript string; short ones are made once.
func (r *Runtime) intern(bytes []byte) goja.Value {
	if len(bytes) > maxInternBytes {
		return r.rt.ToValue(string(bytes))
	}

	// The map finds bytes without making a string of them.
	if value, ok := r.interns[string(bytes)]; ok {
		return value
	}

	// A task with many different strings starts again.
	if len(r.interns) >= maxInterns {
		clear(r.interns)
	}

	text := string(bytes)
	value := r.rt.ToValue(text)
	r.interns[text] = value
	return value
}
