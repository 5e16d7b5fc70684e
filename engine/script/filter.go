package script

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout"
)

// Filter selects partitions, segments and records. It is immutable and safe for
// concurrent use.
type Filter struct {
	Layout    layout.Filter // prunes folders
	script    *Script       // nil for a JSON filter
	hasAccept bool
	hasMatch  bool
	limits    Limits
	console   func(level, text string)
}

// NewFilter returns the filter of a JSON document's selection.
func NewFilter(f layout.Filter) *Filter { return &Filter{Layout: f} }

// NewScriptFilter reads a compiled script's dimensions, and whether it has accept
// and match.
func NewScriptFilter(ctx context.Context, s *Script, limits Limits, console func(level, text string)) (*Filter, error) {
	h, err := newHost(ctx, s, limits, console)
	if err != nil {
		return nil, err
	}
	defer h.close()
	f := &Filter{
		Layout: layout.All(), script: s, limits: limits, console: console,
		hasAccept: h.function("accept") != nil, hasMatch: h.function("match") != nil,
	}
	dims := h.exports.Get("dimensions")
	if dims == nil && !f.hasAccept && !f.hasMatch {
		return nil, &Error{
			File: s.Name, Phase: "load", Message: "the filter exports none of dimensions, accept and match",
			Notes: []string{fmt.Sprintf("It exports %v.", h.exports.Keys())},
		}
	}
	doc := map[string]any{"version": 1}
	if dims != nil {
		doc["dimensions"] = dims.Export()
	}
	for _, n := range []string{"include_invalid", "includeInvalid"} {
		if v := h.exports.Get(n); v != nil {
			doc["include_invalid"] = v.ToBoolean()
		}
	}
	text, err := json.Marshal(doc)
	if err == nil {
		f.Layout, err = layout.ParseFilter(text)
	}
	if err != nil {
		return nil, &Error{File: s.Name, Phase: "load", Message: "dimensions: " + err.Error(), Cause: err}
	}
	return f, nil
}

// Accept returns the segment test for engine.NewPlan, nil if there is none, and
// a function that frees it.
func (f *Filter) Accept(ctx context.Context) (accept func(layout.Dims) (bool, error), free func(), err error) {
	if !f.hasAccept {
		return nil, func() {}, nil
	}
	h, err := newHost(ctx, f.script, f.limits, f.console)
	if err != nil {
		return nil, nil, err
	}
	fn := h.function("accept")
	return func(d layout.Dims) (ok bool, err error) {
		h.SetDims(d)
		err = h.guard(func() error {
			v, err := fn(goja.Undefined(), h.Dims())
			if err == nil {
				ok = v.ToBoolean()
			}
			return err
		})
		return ok, f.script.wrap(err, "accept", "partition "+d.String())
	}, h.close, nil
}

// matcher runs match for one task, in a runtime of its own.
type matcher struct {
	h  *host
	fn goja.Callable
}

func (f *Filter) newMatcher(ctx context.Context, t engine.Task, limits Limits, console func(level, text string)) (*matcher, error) {
	h, err := newHost(ctx, f.script, limits, console)
	if err != nil {
		return nil, err
	}
	h.SetDims(t.Segment.Dims)
	return &matcher{h: h, fn: h.function("match")}, nil
}

func (m *matcher) match(id, text []byte) (ok bool, err error) {
	h := m.h
	h.NextPing()
	err = h.guard(func() error {
		v, err := m.fn(goja.Undefined(), h.rt.ToValue(string(id)), h.Dims(), h.Ping(text))
		if err == nil {
			ok = v.ToBoolean()
		}
		return err
	})
	return ok, err
}
