package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/value"
)

// Error is a script's failure, in the script's own words and places.
type Error = bundle.Error

// Sentinels that an Error's chain may hold.
var (
	// ErrTimeout: a call took longer than Limits.Call.
	ErrTimeout = errors.New("call time limit exceeded")
	// ErrStack: the call stack exceeded its limit, usually endless recursion.
	ErrStack = errors.New("maximum call stack size exceeded")
	// ErrNoDefinitions: ping.histogram was called, but Limits has no Definitions.
	ErrNoDefinitions = value.ErrNoDefinitions
)

// interruption is why a call was interrupted: its time was over, or the job's is.
type interruption struct{ error }

func (i *interruption) Unwrap() error { return i.error }

const (
	maxFrames = 20  // of a stack that are shown
	maxThrown = 200 // bytes of a thrown object that are shown
)

// wrap turns what goja returned into an *Error of this script. record names what
// the function was called with.
func (s *Script) wrap(err error, phase, record string) error {
	if err == nil {
		return nil
	}

	if e, ok := errors.AsType[*Error](err); ok && e.Phase != "" && e.Record == record {
		return err
	}

	message, cause, frames := failure(err)
	if inner, ok := errors.AsType[*callError](cause); ok {
		return inner // of a combine that was called inside of map
	}

	e := &Error{File: s.Name, Phase: phase, Record: record, Message: message, Cause: cause}
	for _, f := range frames {
		s.addFrame(e, f)
	}

	e.Excerpt = s.Line(e.File, e.Line)
	e.Notes = append(e.Notes, advice(e)...)
	return e
}

// failure returns the parts of what goja returned.
func failure(err error) (message string, cause error, frames []goja.StackFrame) {
	if interrupted, ok := errors.AsType[*goja.InterruptedError](err); ok {
		cause, _ := interrupted.Value().(error)
		return fmt.Sprint(interrupted.Value()), &interruption{cause}, interrupted.Stack()
	}

	if overflow, ok := errors.AsType[*goja.StackOverflowError](err); ok {
		return "RangeError: " + ErrStack.Error(), ErrStack, overflow.Stack()
	}

	if exception, ok := errors.AsType[*goja.Exception](err); ok {
		return thrown(exception), exception.Unwrap(), exception.Stack()
	}

	return err.Error(), err, nil
}

// addFrame adds a frame of the script's own source to the stack. The innermost one
// is the error's place.
func (s *Script) addFrame(e *Error, f goja.StackFrame) {
	p := f.Position()
	file := s.Source(p.Filename)
	if file == "" {
		return // native, or esbuild's
	}

	if e.Line == 0 {
		e.File, e.Line, e.Column = file, p.Line, p.Column
	}

	place := fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column)
	if name := f.FuncName(); name != "<anonymous>" && name != "" {
		place = name + " (" + place + ")"
	}

	// A function that calls itself is shown once.
	n := len(e.Stack)
	if n < maxFrames && (n == 0 || e.Stack[n-1] != place) {
		e.Stack = append(e.Stack, place)
	}
}

// thrown describes a thrown value: an Error as "Name: message", anything else as
// a string. It never runs the script's code longer than String does.
func thrown(x *goja.Exception) (text string) {
	// The value may have a toString that throws.
	defer func() {
		if recover() != nil {
			text = "threw a value that cannot be shown"
		}
	}()

	v := x.Value()
	if v == nil {
		return "threw nothing"
	}

	o, isObject := v.(*goja.Object)
	if isObject && o.ClassName() == "Error" {
		return strings.TrimPrefix(v.String(), "GoError: ")
	}

	text = v.String()
	if isObject && text == "[object Object]" {
		if b, err := o.MarshalJSON(); err == nil {
			text = string(b[:min(len(b), maxThrown)])
		}
	}

	return "threw " + text
}
