package script

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
)

// TestHostPanicIsOneLine: a Go panic below a script is an internal
// error of one line; the stack is kept for those who ask.
func TestHostPanicIsOneLine(t *testing.T) {
	s, err := Compile("x.js", "export function map() {}")
	if err != nil {
		t.Fatal(err)
	}

	h, err := newHost(t.Context(), s, DefaultLimits(), nil, func(*host) error { return nil })
	if err != nil {
		t.Fatal(err)
	}

	defer h.close()
	err = s.wrap(h.guard(func() error { var v any = "x\ny"; return v.(error) }), "map", "record a in b:1")
	p, ok := errors.AsType[*engine.PanicError](err)
	if !ok || len(p.Stack) == 0 {
		t.Fatalf("%v has no PanicError with a stack", err)
	}

	if strings.ContainsRune(err.Error(), '\n') || !strings.Contains(err.Error(), "internal error: ") {
		t.Errorf("error %q", err)
	}
}

// TestInterruptedWhileStarting: a job that is cancelled while a task starts is
// cancelled, wherever that finds it, and leaves no goroutine (TestMain looks).
func TestInterruptedWhileStarting(t *testing.T) {
	s, err := Compile("x.js", "export function map() {}\nexport function combine() {}\nexport function match() {}\nexport function setupReduce() {}")
	if err != nil {
		t.Fatal(err)
	}

	f, err := NewFilterScript(t.Context(), s, DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}

	job := &Job{Script: s, Filter: f, Limits: DefaultLimits()}
	for i := range 600 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		var started interface{ Close() }
		if i%2 == 0 {
			started, err = job.NewMapper(ctx, engine.Task{}, nil)
		} else {
			started, err = job.NewReducer(ctx, 0, nil)
		}
		if err == nil {
			started.Close()
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// TestThrowingExports: a getter that throws is the script's mistake.
func TestThrowingExports(t *testing.T) {
	s, err := Compile("x.js", "module.exports = { get map() { throw new Error('no') } }")
	if err != nil {
		t.Fatal(err)
	}

	_, err = (&Job{Script: s, Limits: DefaultLimits()}).NewMapper(t.Context(), engine.Task{}, nil)
	if err == nil || err.Error() != "x.js:1:38: load: Error: no" {
		t.Errorf("error %v", err)
	}
}
