package script

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
)

// TestHostPanicIsOneLine: a Go panic below a script is this program's bug, and
// says so in one line; the stack is kept for those who ask.
func TestHostPanicIsOneLine(t *testing.T) {
	s, err := Compile("x.js", "export function map() {}")
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(t.Context(), s, DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	err = s.wrap(h.guard(func() error { var v any = "x\ny"; return v.(error) }), "map", "record a in b:1")
	p, ok := errors.AsType[*engine.PanicError](err)
	if !ok || len(p.Stack) == 0 {
		t.Fatalf("%v has no PanicError with a stack", err)
	}
	if strings.ContainsRune(err.Error(), '\n') || !strings.Contains(err.Error(), "bug of tmrun") {
		t.Errorf("error %q", err)
	}
}

// TestInterruptedWhileStarting: a job that is cancelled while a task starts is
// cancelled, wherever that finds it, and leaves no goroutine (TestMain looks).
func TestInterruptedWhileStarting(t *testing.T) {
	s, err := Compile("x.js", "export function map() {}\nexport function combine() {}")
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		job := &Job{Script: s, Limits: DefaultLimits()}
		m, err := job.NewMapper(ctx, engine.Task{}, nil)
		if err == nil {
			m.Close()
		}
	}
}
