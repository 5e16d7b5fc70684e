package ecma

import (
	"reflect"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"

	"github.com/dop251/goja/token"

	"github.com/aitgithub/telemetry-server/engine/script/ecma/numeric"
)

// A loop that only calculates runs in Go, if what it reads are numbers:
//
//	for (let i = 0; i < h.length; i++) sum += h[i]
//
// becomes, with the loop's number among those of the script:
//
//	if (%calculate%(0, h, sum)) { sum = %result%(0) } else for (let i = 0; …) sum += h[i]
const (
	hiddenCalculate = "%calculate%"
	hiddenResult    = "%result%"
)

// calculations finds the loops of one script.
type calculations struct {
	names map[string]numeric.Kind
	found []*numeric.Loop
	seen  map[ast.Statement]bool // of bodies that stand twice in the tree
}

// rewriteCalculations changes the loops of a script that only calculate, and returns
// them in the order of their numbers.
func rewriteCalculations(program *ast.Program) []*numeric.Loop {
	c := &calculations{names: map[string]numeric.Kind{}, seen: map[ast.Statement]bool{}}
	c.declared(reflect.ValueOf(program))
	c.rewrite(reflect.ValueOf(program))

	return c.found
}

// declared notes every name that is declared anywhere below v. An assignment to a
// constant throws where the result is written back, as it would in the loop.
func (c *calculations) declared(v reflect.Value) {
	everyNode(v, func(node any) {
		switch node := node.(type) {
		case *ast.Binding:
			c.pattern(node.Target)
		case *ast.ForDeclaration:
			c.pattern(node.Target)
		case *ast.ParameterList:
			if node.Rest != nil {
				c.pattern(node.Rest)
			}
		case *ast.CatchStatement:
			c.pattern(node.Parameter)
		}
	})
}

// pattern notes the names of what is declared.
func (c *calculations) pattern(target any) {
	if name, ok := target.(*ast.Identifier); ok {
		c.names[name.Name.String()] = numeric.Variable
		return
	}

	everyNode(reflect.ValueOf(target), func(node any) {
		if name, ok := node.(*ast.Identifier); ok {
			c.names[name.Name.String()] = numeric.Variable
		}
	})
}

// rewrite changes all statements below v, outer loops first.
func (c *calculations) rewrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if statement, ok := v.Interface().(ast.Statement); ok && v.Type() == statementType && c.isLoop(statement) {
			if changed := c.calculated(statement); changed != nil {
				v.Set(reflect.ValueOf(changed))
				return
			}
		}
		c.rewrite(v.Elem())

	case reflect.Slice:
		for i := range v.Len() {
			c.rewrite(v.Index(i))
		}

	case reflect.Pointer:
		if v.IsNil() || v.Type().Elem().PkgPath() != astPackage {
			return
		}

		// A label may be named by a break inside, and a body that stands twice was changed
		// the first time.
		if labelled, ok := v.Interface().(*ast.LabelledStatement); ok {
			c.rewrite(reflect.ValueOf(labelled.Statement))
			return
		}
		if statement, ok := v.Interface().(ast.Statement); ok {
			if c.seen[statement] {
				return
			}
			c.seen[statement] = true
		}
		c.rewrite(v.Elem())

	case reflect.Struct:
		if v.Type().PkgPath() != astPackage {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" {
				c.rewrite(v.Field(i))
			}
		}
	}
}

func (c *calculations) isLoop(statement ast.Statement) bool {
	switch statement.(type) {
	case *ast.ForStatement, *ast.WhileStatement:
		return !c.seen[statement]
	}

	return false
}

// calculated returns what a loop becomes, or nil if it does more than calculate.
func (c *calculations) calculated(statement ast.Statement) ast.Statement {
	loop := numeric.Compile(statement, c.names)
	if loop == nil || len(loop.Outputs) == 0 {
		return nil
	}
	c.seen[statement] = true

	at := statement.Idx0()
	arguments := []ast.Expression{number(len(c.found), at)}
	for _, variable := range append(append([]string{}, loop.Lists...), loop.Inputs...) {
		arguments = append(arguments, name(variable, at))
	}
	c.found = append(c.found, loop)

	results := &ast.BlockStatement{LeftBrace: at, RightBrace: at}
	for i, variable := range loop.Outputs {
		results.List = append(results.List, &ast.ExpressionStatement{Expression: &ast.AssignExpression{
			Operator: token.ASSIGN, Left: name(variable, at), Right: hiddenCall(hiddenResult, at, at, number(i, at)),
		}})
	}

	return &ast.IfStatement{If: at, Test: hiddenCall(hiddenCalculate, at, at, arguments...), Consequent: results, Alternate: statement}
}

const (
	// After so many runs that met something else than numbers, a loop is the script's.
	maxFailedRuns = 16
	// A loop of fewer steps than these, in so many runs, is faster as the script's.
	minSteps, minRuns = 4, 64
)

// calculation is a loop in one runtime.
type calculation struct {
	*numeric.Loop
	runs, steps, failed int
	givenUp             bool
}

// installCalculations defines what changed loops call.
func (e *Environment) installCalculations(found []*numeric.Loop) {
	loops := make([]calculation, len(found))
	for i, loop := range found {
		loops[i].Loop = loop
	}

	var frame numeric.Frame
	e.hide(hiddenCalculate, func(call goja.FunctionCall) goja.Value {
		loop := &loops[call.Argument(0).ToInteger()]
		return e.rt.ToValue(!loop.givenUp && e.calculate(loop, &frame, call.Arguments[1:]))
	})
	e.hide(hiddenResult, func(call goja.FunctionCall) goja.Value {
		return e.rt.ToValue(frame.Outputs[call.Argument(0).ToInteger()])
	})
}

// calculate runs a loop with the arrays and variables of a script. It returns false if
// the script's own loop has to run.
func (e *Environment) calculate(loop *calculation, frame *numeric.Frame, arguments []goja.Value) bool {
	ok := e.arguments(loop.Loop, frame, arguments) && loop.Run(frame, &e.interrupted)
	if !ok {
		loop.failed++
		loop.givenUp = loop.failed >= maxFailedRuns && loop.failed > loop.runs
		return false
	}

	loop.runs++
	loop.steps += frame.Steps
	loop.givenUp = loop.runs >= minRuns && loop.steps < minSteps*loop.runs

	return true
}

// arguments sets what a loop reads. It returns false if that is no number or no array
// of the host's.
func (e *Environment) arguments(loop *numeric.Loop, frame *numeric.Frame, arguments []goja.Value) bool {
	frame.Lists, frame.Inputs = frame.Lists[:0], frame.Inputs[:0]
	for i, argument := range arguments {
		if i < len(loop.Lists) {
			if e.Numbers == nil {
				return false
			}
			list := e.Numbers(argument)
			if list == nil {
				return false
			}
			frame.Lists = append(frame.Lists, list)
			continue
		}

		of := argument.ExportType() // nil for undefined and null
		if of == nil || of.Kind() != reflect.Int64 && of.Kind() != reflect.Float64 {
			return false
		}
		frame.Inputs = append(frame.Inputs, argument.ToFloat())
	}

	return true
}
