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
	// ErrNoResult: the script imports the result of a job, and WithResults has not been
	// called.
	ErrNoResult = value.ErrNoResult
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

	if failed, ok := errors.AsType[*Error](err); ok && failed.Phase != "" && failed.Record == record {
		return err
	}

	message, frames, cause := failure(err)
	if inner, ok := errors.AsType[*callError](cause); ok {
		return inner // of a combine that was called inside of map
	}

	failed := &Error{File: s.Name, Phase: phase, Record: record, Message: message, Cause: cause}
	for _, frame := range frames {
		s.addFrame(failed, frame)
	}

	// The frames have said where; now show the line, and what may be done.
	failed.Excerpt = s.Line(failed.File, failed.Line)
	failed.Notes = append(failed.Notes, advice(failed)...)
	return failed
}

// failure returns the parts of what goja returned.
func failure(err error) (message string, frames []goja.StackFrame, cause error) {
	if interrupted, ok := errors.AsType[*goja.InterruptedError](err); ok {
		cause, _ := interrupted.Value().(error)
		return fmt.Sprint(interrupted.Value()), interrupted.Stack(), &interruption{cause}
	}

	if overflow, ok := errors.AsType[*goja.StackOverflowError](err); ok {
		return "RangeError: " + ErrStack.Error(), overflow.Stack(), ErrStack
	}

	if exception, ok := errors.AsType[*goja.Exception](err); ok {
		return thrown(exception), exception.Stack(), exception.Unwrap()
	}

	return err.Error(), nil, err
}

// addFrame adds a frame of the script's own source to the stack. The innermost one
// is the error's place.
func (s *Script) addFrame(failed *Error, frame goja.StackFrame) {
	position := frame.Position()
	file := s.Source(position.Filename)
	if file == "" {
		return // native, or esbuild's
	}

	// The first frame of the script is the innermost, the place to show.
	if failed.Line == 0 {
		failed.File, failed.Line, failed.Column = file, position.Line, position.Column
	}

	place := fmt.Sprintf("%s:%d:%d", file, position.Line, position.Column)
	if name := frame.FuncName(); name != "<anonymous>" && name != "" {
		place = name + " (" + place + ")"
	}

	// A function that calls itself is shown once.
	depth := len(failed.Stack)
	if depth < maxFrames && (depth == 0 || failed.Stack[depth-1] != place) {
		failed.Stack = append(failed.Stack, place)
	}
}

// thrown describes a thrown value: an Error as "Name: message", anything else as
// a string. It never runs the script's code longer than String does.
func thrown(exception *goja.Exception) (text string) {
	// The value may have a toString that throws.
	defer func() {
		if recover() != nil {
			text = "threw a value that cannot be shown"
		}
	}()

	thrownValue := exception.Value()
	if thrownValue == nil {
		return "threw nothing"
	}

	object, isObject := thrownValue.(*goja.Object)
	if isObject && object.ClassName() == "Error" {
		return strings.TrimPrefix(thrownValue.String(), "GoError: ")
	}

	// A plain object says nothing as a string; its JSON does.
	text = thrownValue.String()
	if isObject && text == "[object Object]" {
		if b, err := object.MarshalJSON(); err == nil {
			text = string(b[:min(len(b), maxThrown)])
		}
	}

	return "threw " + text
}
