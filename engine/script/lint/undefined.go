package lint

import (
	"slices"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
)

// absent are globals of browsers and of Node that scripts look for, with what to say
// about them.
var absent = map[string]string{
	"Intl":                 "toLocaleString and localeCompare know American English",
	"Temporal":             "use Date, in UTC",
	"WeakRef":              "a task is short: keep the object",
	"FinalizationRegistry": "nothing is told when memory is freed",
	"Atomics":              "a task has one thread",
	"SharedArrayBuffer":    "a task has one thread",
	"setTimeout":           "there is no clock",
	"setInterval":          "there is no clock",
	"queueMicrotask":       "use a Promise",
	"URL":                  "take the text apart with a regular expression",
	"TextEncoder":          "use strings",
	"fetch":                "a script has no network",
	"job":                  "import rows from \"job:./first.js\" imports the rows of another job",
	"process":              "a script sees its records and nothing of the machine",
	"Buffer":               "use strings and arrays, or Uint8Array",
	"performance":          "there is no clock",
	"window":               "there is no browser; globalThis has the globals",
	"document":             "there is no browser",
	"print":                "use console.log",
}

// present are the globals that scripts have: those of the interpreter, of package
// ecma, and the host's.
var present = func() map[string]bool {
	names := map[string]bool{"undefined": true, "NaN": true, "Infinity": true, "arguments": true,
		"Iterator": true, "structuredClone": true, "console": true, "require": true, "module": true, "exports": true}
	for _, name := range goja.New().GlobalObject().GetOwnPropertyNames() {
		names[name] = true
	}

	return names
}()

// noteNames notes which identifiers are no use of a name: labels, names of functions
// and classes, new.target, and what typeof asks for, which may be missing.
func (c *checker) noteNames(node any) {
	skip := func(id *ast.Identifier) {
		if id != nil {
			c.noUse[id] = true
		}
	}

	switch n := node.(type) {
	case *ast.FunctionLiteral:
		skip(n.Name)
	case *ast.ClassLiteral:
		skip(n.Name)
	case *ast.LabelledStatement:
		skip(n.Label)
	case *ast.BranchStatement:
		skip(n.Label)
	case *ast.MetaProperty:
		skip(n.Meta)
		skip(n.Property)
	case *ast.UnaryExpression:
		if id, ok := n.Operand.(*ast.Identifier); ok && n.Operator == token.TYPEOF {
			skip(id)
		}
	}
}

// undefinedNames finds names that are defined nowhere: using one throws.
func (c *checker) undefinedNames(node any) {
	c.noteNames(node)
	id, ok := node.(*ast.Identifier)
	if !ok || c.noUse[id] {
		return
	}

	name := id.Name.String()
	if present[name] || c.defined[name] || c.reported["undefined "+name] {
		return
	}
	c.reported["undefined "+name] = true

	if why, ok := absent[name]; ok {
		c.warn(id.Idx, "%s is not there: %s", name, why)
		return
	}

	// A name that is nearly right is a slip of the finger.
	var known []string
	for other := range c.defined {
		known = append(known, other)
	}
	slices.Sort(known)

	if near := suggest.Nearest(name, known); near != "" {
		c.warn(id.Idx, "%s is not defined; did you mean %s?", name, near)
		return
	}
	c.warn(id.Idx, "%s is not defined", name)
}

// definedNames returns every name that is declared anywhere in a program. Where it
// is declared does not count: a name that is used outside of its block is rare, and
// a warning without reason is worse than none.
func definedNames(program *ast.Program) map[string]bool {
	names := map[string]bool{}
	target := func(node any) {
		walk(node, func(node any) {
			switch n := node.(type) {
			case *ast.Identifier:
				names[n.Name.String()] = true
			case *ast.PropertyShort:
				names[n.Name.Name.String()] = true
			}
		}, nil)
	}

	walk(program, func(node any) {
		switch n := node.(type) {
		case *ast.Binding:
			target(n.Target)
		case *ast.FunctionLiteral:
			if n.Name != nil {
				names[n.Name.Name.String()] = true
			}
		case *ast.ClassLiteral:
			if n.Name != nil {
				names[n.Name.Name.String()] = true
			}
		case *ast.CatchStatement:
			target(n.Parameter)
		case *ast.ForIntoVar:
			target(n.Binding.Target)
		case *ast.ForDeclaration:
			target(n.Target)
		case *ast.AssignExpression:
			// The implicit globals of old scripts.
			if id, ok := n.Left.(*ast.Identifier); ok {
				names[id.Name.String()] = true
			}
		}
	}, nil)

	return names
}

// shape finds functions of the job that are not what the host calls.
func (c *checker) shape(node any) {
	var parameters *ast.ParameterList
	async := false
	switch n := node.(type) {
	case *ast.FunctionLiteral:
		parameters, async = n.ParameterList, n.Async
	case *ast.ArrowFunctionLiteral:
		parameters, async = n.ParameterList, n.Async
	case *ast.ReturnStatement:
		c.returned(n)
		return
	default:
		return
	}

	// Functions inside of those are the script's own.
	declared, ok := declare.Find(c.function)
	if !ok || len(c.locals) != 1 {
		return
	}

	if async {
		c.fail(parameters.Opening, "%s cannot be async: nothing waits for it, and there is nothing to wait for", c.function)
	}
	for i, binding := range parameters.List {
		name := identifier(binding.Target)
		if at := declared.Position(name); name != "" && at >= 0 && at != i {
			c.warn(binding.Target.Idx0(), "%s is argument %d of %s, and stands here as argument %d", name, at+1, c.function, i+1)
			return
		}
	}
}

// returned finds values that map returns, which go nowhere.
func (c *checker) returned(n *ast.ReturnStatement) {
	// A call that is returned may be that of ctx.write.
	_, isCall := n.Argument.(*ast.CallExpression)
	if c.function != declare.Map || len(c.locals) != 1 || n.Argument == nil || isCall {
		return
	}
	c.warn(n.Return, "what map returns goes nowhere: write it with ctx.write")
}

// fractions finds quantiles that are given in percent.
func (c *checker) fractions(node any) {
	call, ok := node.(*ast.CallExpression)
	if !ok || len(call.ArgumentList) < 2 {
		return
	}

	callee := call.Callee
	if list, ok := callee.(*ast.SequenceExpression); ok { // as imports are called
		callee = list.Sequence[len(list.Sequence)-1]
	}
	dot, ok := callee.(*ast.DotExpression)
	if !ok && identifier(callee) != "quantile" || ok && dot.Identifier.Name != "quantile" {
		return
	}

	// A name may have any value, so only literals are looked at.
	number, ok := call.ArgumentList[1].(*ast.NumberLiteral)
	if !ok {
		return
	}
	if value, ok := number.Value.(int64); ok && value > 1 {
		c.warn(number.Idx, "quantile takes a share from 0 to 1: %d is read as it is, 0.%d is meant", value, value)
	}
}

// unexported finds functions of a job that a module with exports has forgotten to
// export.
func (c *checker) unexported(program *ast.Program, isExported func(name string) bool) {
	if !isExported(declare.Map) {
		return
	}

	c.check = "unexported"
	for _, statement := range program.Body {
		function, ok := statement.(*ast.FunctionDeclaration)
		if !ok {
			continue
		}
		name := function.Function.Name.Name.String()
		if declared, ok := declare.Find(name); ok && declared.Of == declare.Job && !isExported(name) {
			c.warn(function.Function.Function, "%s is not exported, so it is never called: write export before it", name)
		}
	}
}
