package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"
)

// Error is a script's failure, in the script's own words and places. Error()
// is `job.js:12:7: map: TypeError: … (record <id> in <segment>:<n>)`.
type Error struct {
	File         string
	Line, Column int      // from 1; 0 unknown
	Phase        string   // compile, load, map, combine, reduce, …
	Message      string   // "TypeError: …"
	Record       string   // "record <id> in <segment>:<n>", "key …", or ""
	Stack        []string // JavaScript frames, innermost first: "f (job.js:12:7)"
	Excerpt      string   // the source line, or ""
	Notes        []string
	call         *Call // what failed, or nil
	Cause        error `json:"-"` // what a host function or an interrupt said, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: %s", e.Phase, e.Message)
	if e.Record != "" {
		fmt.Fprintf(&b, " (%s)", e.Record)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Detail is what stands below the error: excerpt with a caret, stack, notes.
// It is "" or ends in a newline.
func (e *Error) Detail() string {
	var b strings.Builder
	if e.Excerpt != "" && e.Column > 0 {
		prefix := fmt.Sprintf("%5d | ", e.Line)
		b.WriteString(prefix + e.Excerpt + "\n")
		b.WriteString(strings.Repeat(" ", len(prefix)-2) + "| ")
		for i, r := range e.Excerpt {
			if i >= e.Column-1 {
				break
			}
			if r != '\t' {
				r = ' '
			}
			b.WriteRune(r)
		}
		b.WriteString("^\n")
	}
	for _, f := range e.Stack {
		b.WriteString("    at " + f + "\n")
	}
	for _, n := range e.Notes {
		b.WriteString(n + "\n")
	}
	return b.String()
}

// Sentinels that an Error's chain may hold.
var (
	// ErrTimeout: a call took longer than Limits.Call.
	ErrTimeout = errors.New("call time limit exceeded")
	// ErrStack: the call stack exceeded its limit, usually endless recursion.
	ErrStack = errors.New("maximum call stack size exceeded")
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
		e.Cause, _ = interrupted.Value().(error)
	case errors.As(err, &overflow):
		frames = overflow.Stack()
		e.Cause, e.Message = ErrStack, "RangeError: "+ErrStack.Error()
	case errors.As(err, &exception):
		frames = exception.Stack()
		e.Message = thrown(exception)
		e.Cause = exception.Unwrap()
		if inner, ok := errors.AsType[*Error](e.Cause); ok { // a combine inside a map
			return inner
		}
	default:
		e.Cause, e.Message = err, err.Error()
	}
	for _, f := range frames {
		p := f.Position()
		if p.Filename == "" || p.Filename == bundleName {
			continue // native, or esbuild's
		}
		file := s.nameOf(p.Filename)
		place := fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column)
		if e.Line == 0 {
			e.File, e.Line, e.Column = file, p.Line, p.Column
		}
		if name := f.FuncName(); name != "<anonymous>" && name != "" {
			place = name + " (" + place + ")"
		}
		if len(e.Stack) < 20 {
			e.Stack = append(e.Stack, place)
		}
	}
	e.Excerpt = s.line(e.File, e.Line)
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
		return "threw " + v.String()
	}
	return strings.TrimPrefix(v.String(), "GoError: ")
}

// line returns line n of a source file, or "".
func (s *Script) line(file string, n int) string {
	lines := strings.SplitN(s.sources[file], "\n", n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
