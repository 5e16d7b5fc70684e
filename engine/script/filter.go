package script

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// FilterScript selects partitions, segments and records. It is immutable and safe
// for concurrent use.
type FilterScript struct {
	Selection schema.Filter // prunes folders
	script    *Script       // nil for a JSON filter
	hasAccept bool
	hasMatch  bool
	hasIngest bool
	limits    Limits
	console   func(level, text string)
}

// NewDocumentFilter returns the filter of a JSON document's selection.
func NewDocumentFilter(f schema.Filter) *FilterScript { return &FilterScript{Selection: f} }

// NewFilterScript reads a compiled script's dimensions, and whether it has accept,
// match and ingest. Errors are *Error.
func NewFilterScript(ctx context.Context, s *Script, limits Limits, console func(level, text string)) (*FilterScript, error) {
	filter := &FilterScript{Selection: schema.All(), script: s, limits: limits, console: console}
	started, err := newHost(ctx, s, limits, console, filter.read)
	if err != nil {
		return nil, err
	}
	started.close()
	return filter, nil
}

// read reads what the script exports.
func (f *FilterScript) read(h *host) error {
	f.hasAccept = h.function(declare.Accept) != nil
	f.hasMatch = h.function(declare.Match) != nil
	f.hasIngest = h.function(declare.Ingest) != nil

	// Something must decide, or the file is no filter.
	dimensions, _ := h.export(declare.Dimensions)
	if dimensions == nil && !f.hasAccept && !f.decidesRecords() {
		return f.noExports(h)
	}

	// The selection of a script is checked as that of a JSON document.
	doc := map[string]any{"version": 1}
	if dimensions != nil {
		doc["dimensions"] = dimensions.Export()
	}

	if included, _ := h.export(declare.IncludeInvalid); included != nil {
		doc["include_invalid"] = included.ToBoolean()
	}

	text, err := json.Marshal(doc)
	if err == nil {
		f.Selection, err = schema.ParseFilter(text)
	}

	if err != nil {
		return &Error{File: h.script.Name, Phase: "load", Message: "dimensions: " + err.Error(), Cause: err}
	}

	return nil
}

// noExports is the error of a script that is no filter.
func (f *FilterScript) noExports(h *host) error {
	names := declare.Making(declare.Filter)
	last := len(names) - 1
	return &Error{
		File: h.script.Name, Phase: "load",
		Message: "the filter exports none of " + strings.Join(names[:last], ", ") + " and " + names[last],
		Notes:   []string{"It exports " + strings.Join(h.exports.Keys(), ", ") + "."},
	}
}

// Imports reports whether the filter is a script that imports data files.
func (f *FilterScript) Imports() bool { return f.script != nil && len(f.script.Data) > 0 }

// decidesRecords reports whether the filter reads records.
func (f *FilterScript) decidesRecords() bool { return f.hasMatch || f.hasIngest }

// Accept returns the segment test for engine.NewPlan, nil if the script has no
// accept, and a function that frees it.
func (f *FilterScript) Accept(ctx context.Context) (accept func(schema.Dims) (bool, error), free func(), err error) {
	if !f.hasAccept {
		return nil, func() {}, nil
	}

	running, err := f.newRuntime(ctx, f.limits, f.console)
	if err != nil {
		return nil, nil, err
	}

	return func(dims schema.Dims) (bool, error) {
		if err := running.h.enter(dims); err != nil {
			return false, err
		}
		return running.accepts(dims)
	}, running.close, nil
}

// filterRuntime runs a filter's functions for one task, in a runtime of its own.
type filterRuntime struct {
	h        *host
	accept   goja.Callable // or nil
	match    goja.Callable // or nil
	ingest   goja.Callable // or nil
	read     goja.Callable // sets decision to what its argument says
	decision Decision
}

func (f *FilterScript) newRuntime(ctx context.Context, limits Limits, console func(level, text string)) (*filterRuntime, error) {
	made := &filterRuntime{}
	var err error
	made.h, err = newHost(ctx, f.script, limits, console, func(h *host) error {
		made.accept = h.function(declare.Accept)
		made.match = h.function(declare.Match)
		made.ingest = h.function(declare.Ingest)

		// A JavaScript function, because reading a decision may run the script's code.
		made.read, _ = goja.AssertFunction(h.rt.ToValue(func(call goja.FunctionCall) goja.Value {
			made.decision = h.decision(call.Argument(0))
			return nil
		}))
		return nil
	})
	if err != nil {
		return nil, err
	}

	return made, nil
}

// accepts calls accept about a partition, which enter has named. Errors are
// *Error.
func (r *filterRuntime) accepts(dims schema.Dims) (ok bool, err error) {
	err = r.h.guard(func() error {
		returned, err := r.accept(goja.Undefined(), r.h.Dims())
		if err == nil {
			ok = returned.ToBoolean()
		}
		return err
	})

	return ok, r.h.script.wrap(err, declare.Accept, "partition "+dims.String())
}

// decide calls match, and then ingest, about a record of the partition that
// enter has named. ping makes its view; place names the record in errors, which are *Error.
func (r *filterRuntime) decide(id []byte, ping func() goja.Value, place func() string) (decided Decision, err error) {
	phase := declare.Match
	r.h.NextPing()
	err = r.h.guard(func() error {
		// match first: what it drops needs no decision.
		args := []goja.Value{r.h.rt.ToValue(string(id)), r.h.Dims(), ping()}
		if r.match != nil {
			returned, err := r.match(goja.Undefined(), args...)
			if err != nil {
				return err
			}
			if !returned.ToBoolean() {
				decided = Decision{Drop, phase}
				return nil
			}
		}

		// In a job, ingest decides like match.
		if r.ingest == nil {
			return nil
		}
		phase = declare.Ingest
		returned, err := r.ingest(goja.Undefined(), args...)
		if err == nil && !goja.IsUndefined(returned) {
			_, err = r.read(goja.Undefined(), returned)
			decided = r.decision
		}
		return err
	})
	if err != nil {
		return Decision{}, r.h.script.wrap(err, phase, place())
	}

	return decided, nil
}

// close frees the runtime, which may be nil.
func (r *filterRuntime) close() {
	if r != nil {
		r.h.close()
	}
}
