package script

import (
	"context"
	"fmt"
	"math/rand"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/ecma"
	"github.com/aitgithub/telemetry-server/engine/script/value"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Limits bound what a script may do in one call.
type Limits struct {
	Call  time.Duration // of one call of a script's function; 0 is no limit
	Stack int           // JavaScript frames
	// Definitions are what ping.histogram is bound to; nil: there are none.
	Definitions Definitions
	// Stuck is called, once, when a call goes on for stuckTime after it was
	// interrupted: native code, such as a backtracking regular expression, does
	// not listen. Nothing but the end of the process helps. Nil: wait for it.
	Stuck func(err error)
}

// Definitions finds the histogram definitions of a revision. It is safe for
// concurrent use.
type Definitions interface {
	Spec(ctx context.Context, ref revisions.Ref) (*revisions.Spec, error)
}

var _ Definitions = (*revisions.Cache)(nil)

// definitions returns how to find those of a revision while ctx lives, or nil.
func (l Limits) definitions(ctx context.Context) func(revisions.Ref) (*revisions.Spec, error) {
	if l.Definitions == nil {
		return nil
	}
	return func(ref revisions.Ref) (*revisions.Spec, error) { return l.Definitions.Spec(ctx, ref) }
}

// stuckTime is what an interrupted call has to end.
const stuckTime = time.Second

// DefaultLimits allow 30 s and 2048 frames.
func DefaultLimits() Limits { return Limits{Call: 30 * time.Second, Stack: 2048} }

// watchTick is how often a call's age is looked at.
const watchTick = 20 * time.Millisecond

// host is one runtime with its script loaded: it belongs to one task and one
// goroutine, and is never used again. It has no files, no network, no clock and
// no real random numbers.
type host struct {
	*value.Runtime
	rt      *goja.Runtime
	script  *Script
	ecma    *ecma.Environment
	exports *goja.Object

	calls    atomic.Uint64 // odd while a call runs; the watchdog compares it
	stop     func()
	logged   bool          // the script has used console
	rejected *goja.Promise // that nobody has caught; nil: none
	counts   taskCounts
}

// newHost makes a runtime, runs the script's top level in it, then begin, which
// looks at the exports. ctx ends what runs in the runtime until close. Errors are
// *Error, also where ctx ended it.
func newHost(ctx context.Context, s *Script, limits Limits, console func(level, text string), begin func(*host) error) (*host, error) {
	h := &host{rt: goja.New(), script: s}
	h.rt.SetMaxCallStackSize(limits.Stack)
	h.rt.SetFieldNameMapper(goja.TagFieldNameMapper("json", true))
	h.rt.SetRandSource(sequence())
	h.rt.SetTimeSource(func() time.Time { return time.Unix(0, 0).UTC() })
	h.rt.SetPromiseRejectionTracker(h.trackRejection)
	h.ecma = ecma.Install(h.rt, s.Features)
	unwatch := h.watch(limits)
	unhook := context.AfterFunc(ctx, func() { h.interrupt(context.Cause(ctx)) })
	h.stop = func() { unhook(); unwatch(); h.ecma.Close() }
	h.Runtime = value.New(h.rt, limits.definitions(ctx))
	h.installConsole(console)
	if s.setup != nil {
		s.setup(h)
	}
	h.rt.GlobalObject().DefineDataProperty(bundle.ResultName, goja.Undefined(), goja.FLAG_TRUE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	err := h.guard(func() error {
		if _, err := h.rt.RunProgram(s.Program); err != nil {
			return err
		}
		if h.exports, _ = h.rt.Get(bundle.ResultName).(*goja.Object); h.exports == nil {
			h.exports = h.rt.NewObject()
		}
		// CommonJS transpiled from ES modules, or `export default {map, …}`.
		if d, ok := h.exports.Get("default").(*goja.Object); ok && h.exports.Get("map") == nil && d.Get("map") != nil {
			h.exports = d
		}
		h.rt.Set(bundle.ResultName, goja.Undefined()) // deleting it would take longer than the script
		return begin(h)
	})
	if err != nil {
		h.close()
		return nil, s.wrap(err, "load", "")
	}
	return h, nil
}

// sequence returns the source of Math.random: the same numbers in every runtime.
// Seeding takes longer than the rest of a runtime, and few scripts want it.
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

// watch interrupts a call that is older than its limit.
func (h *host) watch(limits Limits) (stop func()) {
	if limits.Call <= 0 {
		return func() {}
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	err := fmt.Errorf("%w: %s", ErrTimeout, limits.Call)
	go func() {
		defer close(ended)
		tick := time.NewTicker(min(watchTick, limits.Call))
		defer tick.Stop()
		var seen uint64
		var age time.Duration
		interrupted := false
		last := time.Now()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				n := h.calls.Load()
				switch age += now.Sub(last); {
				case n%2 == 0 || n != seen:
					seen, age, interrupted = n, 0, false
				case age > limits.Call && !interrupted:
					h.interrupt(err)
					interrupted = true
				case age > limits.Call+stuckTime && limits.Stuck != nil:
					limits.Stuck(err)
					return
				}
				last = now
			}
		}
	}()
	return func() { close(done); <-ended }
}

// guard runs do as one call: timed, and with a Go panic turned into an error.
func (h *host) guard(do func() error) (err error) {
	nested := h.calls.Load()%2 == 1
	if !nested {
		h.ecma.Resume()
		h.calls.Add(1)
		defer h.calls.Add(1)
	}
	defer func() {
		if p := recover(); p != nil {
			if nested {
				panic(p)
			}
			if err = thrownFromGo(p); err == nil {
				err = engine.NewPanicError(p)
			}
		}
	}()
	return do()
}

// thrownFromGo returns what a script threw, or was interrupted by, below a getter
// or method that Go has called; nil for a panic of Go.
func thrownFromGo(p any) error {
	switch p := p.(type) {
	case *goja.Exception:
		return p
	case *goja.InterruptedError:
		return p
	case *goja.StackOverflowError:
		return p
	case *Error:
		return p
	}
	return nil
}

var promiseType = reflect.TypeFor[*goja.Promise]()

// export returns what the script exports by a declared name or one of its
// aliases, and the name that it has there; nil if there is none.
func (h *host) export(declared string) (v goja.Value, name string) {
	for _, name := range declare.Names(declared) {
		if v := h.exports.Get(name); v != nil && !goja.IsUndefined(v) {
			return v, name
		}
	}
	return nil, ""
}

// function returns the exported function of a declared name; nil if there is
// none. It panics with an *Error where the export is no function. The function
// fails if it returns a promise or a generator, or leaves a rejected promise.
func (h *host) function(declared string) goja.Callable {
	v, name := h.export(declared)
	if v == nil {
		return nil
	}
	f, ok := goja.AssertFunction(v)
	if !ok {
		panic(&Error{File: h.script.Name, Phase: "load", Message: fmt.Sprintf("%s is exported, but is no function: %s", name, h.show(v))})
	}

	return func(this goja.Value, args ...goja.Value) (goja.Value, error) {
		v, err := f(this, args...)
		rejected := h.rejected
		h.rejected = nil
		if err != nil {
			return v, err
		}

		if o, ok := v.(*goja.Object); ok {
			switch {
			case o.ExportType() == promiseType:
				return nil, fmt.Errorf("%s returned a promise: it must not be async", name)
			case isGenerator(o):
				return nil, fmt.Errorf("%s returned a generator, which nobody runs: write function, not function*", name)
			}
		}
		if rejected != nil {
			return nil, fmt.Errorf("a promise was rejected, and nobody caught it: %s", h.show(rejected.Result()))
		}
		return v, nil
	}
}

func isGenerator(o *goja.Object) bool {
	tag := o.GetSymbol(goja.SymToStringTag)
	return tag != nil && tag.String() == "Generator"
}

// trackRejection keeps a promise that was rejected until somebody catches it.
func (h *host) trackRejection(p *goja.Promise, op goja.PromiseRejectionOperation) {
	switch {
	case op == goja.PromiseRejectionReject && h.rejected == nil:
		h.rejected = p
	case op == goja.PromiseRejectionHandle && h.rejected == p:
		h.rejected = nil
	}
}
