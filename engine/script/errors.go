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

// wrap turns what goja returned into an *Error of this script.
func (s *Script) wrap(err error, phase, record string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Phase != "" && e.Record == record {
		return err
	}
	e := &Error{File: s.Name, Phase: phase, Record: record}
	var frames []goja.StackFrame
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	var exception *goja.Exception
	switch {
	case errors.As(err, &interrupted):
		frames = interrupted.Stack()
		e.Message = fmt.Sprint(interrupted.Value())
		cause, _ := interrupted.Value().(error)
		e.Cause = &interruption{cause}
	case errors.As(err, &overflow):
		frames = overflow.Stack()
		e.Cause, e.Message = ErrStack, "RangeError: "+ErrStack.Error()
	case errors.As(err, &exception):
		frames = exception.Stack()
		e.Message = thrown(exception)
		e.Cause = exception.Unwrap()
		if inner, ok := errors.AsType[*callError](e.Cause); ok { // a combine inside a map
			return inner
		}
	default:
		e.Cause, e.Message = err, err.Error()
	}
	for _, f := range frames {
		p := f.Position()
		file := s.Source(p.Filename)
		if file == "" {
			continue // native, or esbuild's
		}
		place := fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column)
		if e.Line == 0 {
			e.File, e.Line, e.Column = file, p.Line, p.Column
		}
		if name := f.FuncName(); name != "<anonymous>" && name != "" {
			place = name + " (" + place + ")"
		}
		if n := len(e.Stack); n < maxFrames && (n == 0 || e.Stack[n-1] != place) { // recursion: once
			e.Stack = append(e.Stack, place)
		}
	}
	e.Excerpt = s.Line(e.File, e.Line)
	e.Notes = append(e.Notes, advice(e)...)
	return e
}

// thrown describes a thrown value: an Error as "Name: message", anything else as
// a string. It never runs the script's code longer than String does.
func thrown(x *goja.Exception) (text string) {
	defer func() {
		if recover() != nil { // a throwing toString
			text = "threw a value that cannot be shown"
		}
	}()
	v := x.Value()
	if v == nil {
		return "threw nothing"
	}
	if o, ok := v.(*goja.Object); !ok || o.ClassName() != "Error" {
		text := v.String()
		if ok && text == "[object Object]" {
			if b, err := o.MarshalJSON(); err == nil {
				text = string(b[:min(len(b), maxThrown)])
			}
		}
		return "threw " + text
	}
	return strings.TrimPrefix(v.String(), "GoError: ")
}
