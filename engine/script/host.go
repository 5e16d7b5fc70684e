package script

import (
	"context"
	"errors"
	"math/rand"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/ecma"
	"github.com/aitgithub/telemetry-server/engine/script/ecma/numeric"
	"github.com/aitgithub/telemetry-server/engine/script/value"
	"github.com/aitgithub/telemetry-server/engine/tables"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// host is one runtime with its script loaded: it belongs to one task and one
// goroutine, and is never used again. It has no files, no network, no clock and
// no real random numbers.
type host struct {
	*value.Runtime
	rt      *goja.Runtime
	script  *Script
	ecma    *ecma.Environment
	exports *goja.Object
	tables  tables.Set // that the script exports; nil: none

	calls    atomic.Uint64 // odd while a call runs; the watchdog compares it
	stop     func()
	logged   bool          // the script has used console
	rejected *goja.Promise // that no code has handled; nil: none
	counts   taskCounts
}

// newHost makes a runtime, runs the script's top level in it, then begin, which
// reads the exports. ctx ends what runs in the runtime until close. Errors are
// *Error, also where ctx ended it.
func newHost(ctx context.Context, s *Script, limits Limits, console func(level, text string), begin func(*host) error) (*host, error) {
	// The limits come first, and what makes every run the same.
	made := &host{rt: goja.New(), script: s}
	made.rt.SetMaxCallStackSize(limits.Stack)
	made.rt.SetFieldNameMapper(goja.TagFieldNameMapper("json", true))
	made.rt.SetRandSource(sequence())
	made.rt.SetTimeSource(func() time.Time { return time.Unix(0, 0).UTC() })
	made.rt.SetPromiseRejectionTracker(made.trackRejection)
	made.ecma = ecma.Install(made.rt, s.Features)

	// From here on a call can be interrupted, by its age or by ctx.
	unwatch := made.watch(limits)
	unhook := context.AfterFunc(ctx, func() { made.interrupt(context.Cause(ctx)) })
	made.stop = func() {
		unhook()
		unwatch()
		made.ecma.Close()
	}

	// What the script sees of the host.
	made.Runtime = value.New(made.rt, limits.definitions(ctx))
	made.ecma.Numbers = func(v goja.Value) numeric.List { return made.Runtime.Numbers(v) }
	made.Runtime.SetData(s.Data, s.results)
	made.installConsole(console)
	if s.setup != nil {
		s.setup(made)
	}

	err := made.guard(func() error {
		if err := made.load(); err != nil {
			return err
		}
		if err := made.findTables(); err != nil {
			return err
		}
		return begin(made)
	})
	if err != nil {
		made.close()
		return nil, s.wrap(err, "load", "")
	}

	return made, nil
}

// load runs the script's top level and finds its exports.
func (h *host) load() error {
	// The bundle assigns its exports to this variable, which scripts cannot list.
	h.rt.GlobalObject().DefineDataProperty(bundle.ResultName, goja.Undefined(), goja.FLAG_TRUE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	if _, err := h.rt.RunProgram(h.script.Program); err != nil {
		return err
	}

	// A script may export nothing; then its exports are empty.
	h.exports, _ = h.rt.Get(bundle.ResultName).(*goja.Object)
	if h.exports == nil {
		h.exports = h.rt.NewObject()
	}

	// CommonJS transpiled from ES modules, or `export default {map, …}`.
	inner, ok := h.exports.Get("default").(*goja.Object)
	if ok && h.exports.Get(declare.Map) == nil && inner.Get(declare.Map) != nil {
		h.exports = inner
	}

	// Deleting the variable would take longer than the script.
	return h.rt.Set(bundle.ResultName, goja.Undefined())
}

// sequence returns the source of Math.random: the same numbers in every runtime.
// Seeding takes longer than the rest of a runtime, and few scripts need it.
func sequence() func() float64 {
	var rng *rand.Rand
	return func() float64 {
		if rng == nil {
			rng = rand.New(rand.NewSource(1))
		}
		return rng.Float64()
	}
}

func (h *host) close() { h.stop() }

// interrupt ends what runs in the runtime. It may be called from any goroutine.
func (h *host) interrupt(cause error) {
	h.rt.Interrupt(cause)
	h.ecma.Interrupt()
}

// enter makes d the partition whose dims the script sees. Errors are *Error: the
// script may have replaced what the host needs for that.
func (h *host) enter(d schema.Dims) error {
	err := h.guard(func() error {
		h.SetDims(d)
		return nil
	})
	return h.script.wrap(err, "load", "")
}

// guard runs do as one call: timed, and with a Go panic turned into an error.
func (h *host) guard(do func() error) (err error) {
	// combine is called inside of map, whose guard is at work then.
	nested := h.calls.Load()%2 == 1
	if !nested {
		h.ecma.Resume()
		h.calls.Add(1)
		defer h.calls.Add(1)
	}

	// A panic inside of combine is the business of the call around it.
	defer func() {
		thrown := recover()
		switch {
		case thrown == nil:
		case nested:
			panic(thrown)
		default:
			err = thrownFromGo(thrown)
			if err == nil {
				err = engine.NewPanicError(thrown)
			}
		}
	}()

	return do()
}

// thrownFromGo returns what a script threw, or was interrupted by, below a getter
// or method that Go has called, and what the host throws outside of a script's
// call; nil for a panic of Go.
func thrownFromGo(thrown any) error {
	switch thrown := thrown.(type) {
	case *goja.Exception:
		return thrown
	case *goja.InterruptedError:
		return thrown
	case *goja.StackOverflowError:
		return thrown
	case *Error:
		return thrown
	case goja.Value:
		return errors.New(thrown.String())
	}

	return nil
}

// trackRejection notes a rejected promise until the script handles it.
func (h *host) trackRejection(promise *goja.Promise, op goja.PromiseRejectionOperation) {
	switch {
	case op == goja.PromiseRejectionReject && h.rejected == nil:
		h.rejected = promise
	case op == goja.PromiseRejectionHandle && h.rejected == promise:
		h.rejected = nil
	}
}
