package script

import (
	"context"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// IngestFilter decides about records of any partition, one after the other, in a
// runtime of its own. It belongs to one goroutine.
type IngestFilter struct {
	filter   *FilterScript
	ctx      context.Context      // ends its calls; it is given for the filter's whole life
	r        *filterRuntime       // nil until needed, and after an interrupt
	at       schema.Dims          // the partition that r's dims are of
	accepted map[schema.Dims]bool // what accept has decided
}

// maxAccepted bounds the partitions whose acceptance is cached.
const maxAccepted = 10_000

// NewIngestFilter returns an IngestFilter that ctx ends. The caller closes it.
func (f *FilterScript) NewIngestFilter(ctx context.Context) *IngestFilter {
	return &IngestFilter{filter: f, ctx: ctx, accepted: map[schema.Dims]bool{}}
}

// Decide applies dimensions, accept, match and ingest, in this order, to a record
// of a partition, until one does not keep it. The reason of a Drop is the name of
// the one that dropped, unless ingest gave one. An error is ctx's, or says that
// the filter failed on this record; it wraps ErrTimeout if the filter took too
// long. The IngestFilter can be used again after all but ctx's. It keeps neither
// id nor text.
func (f *IngestFilter) Decide(partition schema.Dims, id, text []byte) (Decision, error) {
	if !f.filter.Selection.Selects(partition) {
		return Decision{Drop, "dimensions"}, nil
	}

	if f.filter.script == nil {
		return Decision{}, nil
	}

	decided, err := f.run(partition, id, text)
	if err == nil {
		return decided, nil
	}

	// The end of the conversion is no failure of the filter.
	if err := context.Cause(f.ctx); err != nil {
		f.Close()
		return Decision{}, err
	}

	// An interrupt may still be pending in the runtime.
	if fatal(err) {
		f.Close()
	}

	return Decision{}, err
}

// run applies the script's functions.
func (f *IngestFilter) run(partition schema.Dims, id, text []byte) (_ Decision, err error) {
	// A bug of the host must not end the conversion.
	defer func() {
		if partition := recover(); partition != nil {
			err = engine.NewPanicError(partition)
		}
	}()

	if f.r == nil {
		if f.r, err = f.filter.newRuntime(f.ctx, f.filter.limits, f.filter.console); err != nil {
			return Decision{}, err
		}
		f.at = schema.Dims{}
	}

	// Neighbouring records are often of one partition, so that dims need not change.
	if partition != f.at {
		if err := f.r.h.enter(partition); err != nil {
			return Decision{}, err
		}
		f.at = partition
	}

	if ok, err := f.accepts(partition); err != nil {
		return Decision{}, err
	} else if !ok {
		return Decision{Drop, "accept"}, nil
	}

	if !f.filter.decidesRecords() {
		return Decision{}, nil
	}

	ping := func() goja.Value { return f.r.h.Ping(text) }
	return f.r.decide(id, ping, func() string { return "" })
}

// accepts reports whether accept keeps the partition; it is called once for each.
func (f *IngestFilter) accepts(partition schema.Dims) (bool, error) {
	if f.r.accept == nil {
		return true, nil
	}

	if ok, known := f.accepted[partition]; known {
		return ok, nil
	}

	// Beyond the bound accept is called each time: slower, but the memory stays bounded.
	ok, err := f.r.accepts(partition)
	if err == nil && len(f.accepted) < maxAccepted {
		f.accepted[partition] = ok
	}

	return ok, err
}

// Close frees the runtime. It may be called again.
func (f *IngestFilter) Close() {
	f.r.close()
	f.r = nil
}
