package script

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Filter selects partitions, segments and records. It is immutable and safe for
// concurrent use.
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
// match and ingest.
func NewFilterScript(ctx context.Context, s *Script, limits Limits, console func(level, text string)) (*FilterScript, error) {
	f := &FilterScript{Selection: schema.All(), script: s, limits: limits, console: console}
	h, err := newHost(ctx, s, limits, console, f.read)
	if err != nil {
		return nil, err
	}
	h.close()
	return f, nil
}

// read takes from a script what it exports.
func (f *FilterScript) read(h *host) error {
	f.hasAccept = h.function(declare.Accept) != nil
	f.hasMatch = h.function(declare.Match) != nil
	f.hasIngest = h.function(declare.Ingest) != nil
	dims := h.exports.Get(declare.Dimensions)
	if dims == nil && !f.hasAccept && !f.judges() {
		return &Error{
			File: h.script.Name, Phase: "load", Message: "the filter exports none of dimensions, accept, match and ingest",
			Notes: []string{"It exports " + strings.Join(h.exports.Keys(), ", ") + "."},
		}
	}
	doc := map[string]any{"version": 1}
	if dims != nil {
		doc["dimensions"] = dims.Export()
	}
	if v, _ := h.export(declare.IncludeInvalid); v != nil {
		doc["include_invalid"] = v.ToBoolean()
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

// Accept returns the segment test for engine.NewPlan, nil if there is none, and
// a function that frees it.
func (f *FilterScript) Accept(ctx context.Context) (accept func(schema.Dims) (bool, error), free func(), err error) {
	if !f.hasAccept {
		return nil, func() {}, nil
	}
	var fn goja.Callable
	h, err := newHost(ctx, f.script, f.limits, f.console, func(h *host) error {
		fn = h.function(declare.Accept)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return func(d schema.Dims) (bool, error) {
		h.SetDims(d)
		return h.accepts(fn, d)
	}, h.close, nil
}

// accepts asks accept about the partition d, which SetDims has named. Errors are
// *Error.
func (h *host) accepts(accept goja.Callable, d schema.Dims) (ok bool, err error) {
	err = h.guard(func() error {
		v, err := accept(goja.Undefined(), h.Dims())
		if err == nil {
			ok = v.ToBoolean()
		}
		return err
	})
	return ok, h.script.wrap(err, declare.Accept, "partition "+d.String())
}

// judges says whether the filter looks at records.
func (f *FilterScript) judges() bool { return f.hasMatch || f.hasIngest }

// matcher runs match, and ingest, for one task, in a runtime of its own.
type matcher struct {
	h        *host
	accept   goja.Callable // or nil
	match    goja.Callable // or nil
	ingest   goja.Callable // or nil
	decide   goja.Callable // sets decision to what its argument says
	decision Decision
}

func (f *FilterScript) newMatcher(ctx context.Context, limits Limits, console func(level, text string)) (*matcher, error) {
	m := &matcher{}
	var err error
	m.h, err = newHost(ctx, f.script, limits, console, func(h *host) error {
		m.accept = h.function(declare.Accept)
		m.match = h.function(declare.Match)
		m.ingest = h.function(declare.Ingest)
		m.decide, _ = goja.AssertFunction(h.rt.ToValue(func(call goja.FunctionCall) goja.Value {
			m.decision = h.decision(call.Argument(0))
			return nil
		}))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// judge asks match, and then ingest, about a record of the partition that
// SetDims has named. Errors are *Error.
func (m *matcher) judge(id, text []byte, record string) (d Decision, err error) {
	h, phase := m.h, declare.Match
	h.NextPing()
	err = h.guard(func() error {
		args := []goja.Value{h.rt.ToValue(string(id)), h.Dims(), h.Ping(text)}
		if m.match != nil {
			v, err := m.match(goja.Undefined(), args...)
			if err != nil {
				return err
			}
			if !v.ToBoolean() {
				d = Decision{Drop, phase}
				return nil
			}
		}
		if m.ingest == nil {
			return nil
		}
		phase = declare.Ingest
		v, err := m.ingest(goja.Undefined(), args...)
		if err == nil && !goja.IsUndefined(v) {
			_, err = m.decide(goja.Undefined(), v)
			d = m.decision
		}
		return err
	})
	if err != nil {
		d = Decision{}
	}
	return d, m.h.script.wrap(err, phase, record)
}

// close frees the matcher, which may be nil.
func (m *matcher) close() {
	if m != nil {
		m.h.close()
	}
}
