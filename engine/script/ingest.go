package script

import (
	"cmp"
	"context"
	"time"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Decision is what a filter says of a record that is about to be published.
type Decision struct {
	Action Action
	Reason string // of Drop and Quarantine
}

// Action is what becomes of a record.
type Action int

// The actions.
const (
	Keep       Action = iota // it is published
	Drop                     // it is counted under the reason, and gone
	Quarantine               // it is kept aside with the reason
)

// IngestLimits are those of DefaultLimits, but a call may take 1 s: a filter that
// is slower than that for one record cannot keep up with a server.
func IngestLimits() Limits {
	l := DefaultLimits()
	l.Call = time.Second
	return l
}

// IngestFilter decides about records of any partition, one after the other, in a
// runtime of its own. It belongs to one goroutine.
type IngestFilter struct {
	f        *FilterScript
	ctx      context.Context
	m        *matcher             // nil until needed, and after an interrupt
	part     schema.Dims          // that the runtime's dims are of
	accepted map[schema.Dims]bool // what accept said
}

// maxAccepted bounds the partitions whose acceptance is remembered.
const maxAccepted = 10_000

// NewIngestFilter returns an IngestFilter that ctx ends. The caller closes it.
func (f *FilterScript) NewIngestFilter(ctx context.Context) *IngestFilter {
	return &IngestFilter{f: f, ctx: ctx, accepted: map[schema.Dims]bool{}}
}

// Decide asks dimensions, accept, match and ingest, in this order, about a record
// of partition p, until one does not keep it. The reason of a Drop is the name of
// the one that dropped, unless ingest gave one. An error is ctx's, or says that
// the filter failed on this record; it wraps ErrTimeout if the filter took too
// long. The IngestFilter can be used again after all but ctx's. It keeps neither id nor
// text.
func (d *IngestFilter) Decide(p schema.Dims, id, text []byte) (Decision, error) {
	if !d.f.Selection.Selects(p) {
		return Decision{Drop, "dimensions"}, nil
	}
	if d.f.script == nil {
		return Decision{}, nil
	}
	dec, err := d.ask(p, id, text)
	if err == nil {
		return dec, nil
	}
	if err := context.Cause(d.ctx); err != nil {
		d.Close()
		return Decision{}, err
	}
	if fatal(err) {
		d.Close() // an interrupt may be pending still
	}
	return Decision{}, err
}

func (d *IngestFilter) ask(p schema.Dims, id, text []byte) (_ Decision, err error) {
	// A script may have replaced what the host itself calls, such as Object.freeze.
	defer func() {
		if p := recover(); p != nil {
			err = engine.NewPanicError(p)
		}
	}()
	if d.m == nil {
		m, err := d.f.newMatcher(d.ctx, d.f.limits, d.f.console)
		if err != nil {
			return Decision{}, err
		}
		d.m, d.part = m, schema.Dims{}
	}
	if p != d.part {
		d.m.h.SetDims(p)
		d.part = p
	}
	if d.m.accept != nil {
		ok, known := d.accepted[p]
		if !known {
			var err error
			if ok, err = d.m.h.accepts(d.m.accept, p); err != nil {
				return Decision{}, err
			}
			if len(d.accepted) < maxAccepted {
				d.accepted[p] = ok
			}
		}
		if !ok {
			return Decision{Drop, "accept"}, nil
		}
	}
	if !d.f.judges() {
		return Decision{}, nil
	}
	return d.m.judge(id, text, "")
}

// Close frees the runtime.
func (d *IngestFilter) Close() {
	if d.m != nil {
		d.m.h.close()
		d.m = nil
	}
}

// decision reads what ingest returned. It runs inside a JavaScript call: reading
// a member may run code of the script, and throw.
func (h *host) decision(v goja.Value) Decision {
	switch {
	case goja.IsUndefined(v):
		return Decision{}
	case goja.IsString(v):
		switch v.String() {
		case "keep":
			return Decision{}
		case "drop":
			return Decision{Drop, "ingest"}
		}
	default:
		if o, ok := v.(*goja.Object); ok {
			drop, aside := o.Get("drop"), o.Get("quarantine")
			switch {
			case aside == nil && drop != nil && goja.IsString(drop):
				return Decision{Drop, cmp.Or(drop.String(), "ingest")}
			case drop == nil && aside != nil && goja.IsString(aside):
				return Decision{Quarantine, cmp.Or(aside.String(), "ingest")}
			}
		}
	}
	h.ThrowType(`ingest returned %s: want "keep", "drop", {drop: "reason"} or {quarantine: "reason"}`, h.show(v))
	return Decision{}
}
