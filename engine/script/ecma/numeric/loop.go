package numeric

import (
	"sync/atomic"

	"github.com/dop251/goja/ast"
)

// List is an array that a loop reads.
type List interface {
	// Len returns how many elements there are.
	Len() int
	// Number returns element i, which exists, and whether it is a number.
	Number(i int) (value float64, ok bool)
}

// Loop is a loop that only calculates. Several goroutines may use it at once.
type Loop struct {
	Inputs  []string // the variables from outside whose values Run needs
	Lists   []string // the arrays
	Outputs []string // the variables from outside that the loop assigns

	inputs, outputs []int // their registers
	registers       int
	run             statement
}

// Frame is what runs of loops work on, one after the other.
type Frame struct {
	Inputs  []float64 // by Loop.Inputs
	Lists   []List    // by Loop.Lists
	Outputs []float64 // by Loop.Outputs, after a run
	Steps   int       // of the last run

	registers   []float64
	interrupted *atomic.Bool
	failed      bool // something was no number
}

// interruptSteps is how often a loop looks whether it was interrupted, in steps.
const interruptSteps = 1 << 10

// goesOn counts a step of a loop and reports whether there may be one more.
func (f *Frame) goesOn() bool {
	f.Steps++
	if f.Steps%interruptSteps == 0 && f.interrupted.Load() {
		f.failed = true
	}

	return !f.failed
}

// Run runs the loop. It returns false if something was no number, or if the loop was
// interrupted: then the loop did nothing.
func (l *Loop) Run(f *Frame, interrupted *atomic.Bool) bool {
	f.Steps, f.failed, f.interrupted = 0, false, interrupted
	f.registers = append(f.registers[:0], make([]float64, l.registers)...)
	for i, register := range l.inputs {
		f.registers[register] = f.Inputs[i]
	}

	l.run(f)

	f.Outputs = f.Outputs[:0]
	for _, register := range l.outputs {
		f.Outputs = append(f.Outputs, f.registers[register])
	}

	return !f.failed
}

// Kind is how a variable was declared.
type Kind byte

// The kinds of variables.
const (
	Variable Kind = iota + 1
	Constant
)

// Compile returns the Loop for a for or while statement, or nil if it does anything
// but calculate. names are the variables that may be declared around it.
func Compile(node ast.Statement, names map[string]Kind) *Loop {
	c := &compiler{names: names, scopes: []map[string]local{{}}, outer: map[string]int{}, lists: map[string]int{}}
	c.loop.run = c.statement(node)
	if c.unknown {
		return nil
	}

	return &c.loop
}
