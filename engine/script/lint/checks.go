package lint

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"

	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/datafile"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// checks look at each node of the syntax tree.
var checks = []struct {
	name string
	look func(c *checker, node any)
}{
	{"clock", (*checker).clock},
	{"shared state", (*checker).sharedState},
	{"written", (*checker).written},
	{dimensionsCheck, (*checker).dimensions},
	{"members", (*checker).members},
	{"undefined names", (*checker).undefinedNames},
	{shapeCheck, (*checker).shape},
	{"fractions", (*checker).fractions},
	{"histograms", (*checker).histogramNames},
}

// clock finds the time of a clock that there is not.
func (c *checker) clock(node any) {
	switch expression := node.(type) {
	case *ast.NewExpression:
		if identifier(expression.Callee) == "Date" && len(expression.ArgumentList) == 0 {
			c.warn(expression.New, "new Date() is always 1970: there is no clock")
		}
	case *ast.CallExpression:
		dot, ok := expression.Callee.(*ast.DotExpression)
		if ok && identifier(dot.Left) == "Date" && dot.Identifier.Name == "now" {
			c.warn(dot.Idx0(), "Date.now() is always 0: there is no clock")
		}
	}
}

// mutators change what they are called on.
var mutators = []string{"push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "set", "add", "delete", "clear"}

// sharedState finds globals that functions change.
func (c *checker) sharedState(node any) {
	switch expression := node.(type) {
	case *ast.BinaryExpression:
		if expression.Operator == token.LOGICAL_OR || expression.Operator == token.COALESCE {
			c.cached(expression)
		}
	case *ast.AssignExpression:
		c.filling = expression == c.fill
		c.mutation(expression.Left, expression.Left.Idx0())
		c.filling = false
	case *ast.UnaryExpression:
		if expression.Operator == token.INCREMENT || expression.Operator == token.DECREMENT || expression.Operator == token.DELETE {
			c.mutation(expression.Operand, expression.Operand.Idx0())
		}
	case *ast.CallExpression:
		dot, ok := expression.Callee.(*ast.DotExpression)
		if ok && slices.Contains(mutators, dot.Identifier.Name.String()) {
			c.mutation(dot.Left, dot.Idx0())
		}
	}
}

// cached notes the assignment of cache[key] ||= value, which the bundle has as
// cache[key] || (cache[key] = value): what such a cache holds depends on the key only.
func (c *checker) cached(or *ast.BinaryExpression) {
	fill, ok := or.Right.(*ast.AssignExpression)
	if !ok {
		return
	}
	member, ok := fill.Left.(*ast.BracketExpression)
	read, isMember := or.Left.(*ast.BracketExpression)
	if ok && isMember && c.global(member) == c.global(read) {
		c.fill = fill
	}
}

// mutation warns of a change of e, once for each global.
func (c *checker) mutation(e ast.Expression, at file.Idx) {
	atTopLevel := len(c.locals) == 0
	name := c.global(e)
	frozen := datafile.Is(c.imports[name]) || strings.HasPrefix(c.imports[name], bundle.JobPrefix)
	if name == "" || !frozen && (atTopLevel || c.filling || c.gathers || c.gathersKeys()) || c.reported[name] {
		return
	}
	c.reported[name] = true

	// What is imported has a name here that stands nowhere in the script.
	if module := c.imports[name]; module != "" {
		if frozen {
			c.fail(at, "what is imported from %s is frozen: copy it before you change it", module)
			return
		}
		name = "what is imported from " + module
	}

	if c.function == declare.Reduce {
		c.warn(at, "%s is kept from one key to the next, but not for all keys: with a function reduceFinished, one reducer sees all of them", name)
		return
	}
	c.warn(at, "%s is kept from one call to the next, but not from one task to the next: what depends on it depends on how the records lie in segments; write it in mapFinished, or keep it in the function", name)
}

// gathersKeys reports whether the function is called with all keys, one after the other.
func (c *checker) gathersKeys() bool {
	return c.finishes && c.function != declare.Map && c.function != declare.Combine
}

// isWrite reports whether an expression is ctx.write.
func (c *checker) isWrite(dot *ast.DotExpression) bool {
	return c.ctx != "" && identifier(dot.Left) == c.ctx && dot.Identifier.Name == "write"
}

// written finds keys and values that ctx.write cannot take.
func (c *checker) written(node any) {
	call, ok := node.(*ast.CallExpression)
	if !ok {
		return
	}

	dot, ok := call.Callee.(*ast.DotExpression)
	if !ok || !c.isWrite(dot) {
		return
	}

	// Where reduce writes, a key is a cell: it is not sorted.
	if len(call.ArgumentList) > 0 {
		c.writable(call.ArgumentList[0], c.function != declare.Reduce)
	}
	if len(call.ArgumentList) > 1 {
		c.writable(call.ArgumentList[1], false)
	}
}

// unwritable are classes whose objects cannot be written.
var unwritable = []string{"Map", "Set", "WeakMap", "WeakSet", "Promise", "Error", "RegExp"}

// writable finds what cannot be written in an expression.
func (c *checker) writable(written ast.Expression, key bool) {
	// Only literals are sure: a name may be anything.
	what := ""
	switch literal := written.(type) {
	case *ast.ObjectLiteral:
		if key {
			c.fail(literal.Idx0(), "a key must be a string, number, boolean, null or an array of these, not an object")
		}
	case *ast.ArrayLiteral:
		for _, element := range literal.Value {
			c.writable(element, key)
		}
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral, *ast.ClassLiteral:
		what = "function"
	case *ast.RegExpLiteral:
		what = "RegExp"
	case *ast.NewExpression:
		if class := identifier(literal.Callee); slices.Contains(unwritable, class) {
			what = class
		}
	}

	if what != "" {
		c.fail(written.Idx0(), "cannot write a %s: write a plain object or an array", what)
	}
}

// dimsMembers are what scripts use of dims beside the names: of arrays.
var dimsMembers = []string{"length", "at", "concat", "entries", "every", "filter", "find", "findIndex", "flat", "flatMap", "forEach",
	"includes", "indexOf", "join", "keys", "lastIndexOf", "map", "reduce", "reduceRight", "slice", "some", "toString", "values"}

// dimensions finds dimensions that there are not. dims is an array with names.
func (c *checker) dimensions(node any) {
	dot, ok := node.(*ast.DotExpression)
	if !ok || c.dims == "" || identifier(dot.Left) != c.dims {
		return
	}

	// A member that is missing gives undefined, and so a wrong answer instead of an error.
	name := dot.Identifier.Name.String()
	if !slices.Contains(schema.DimNames[:], name) && !slices.Contains(dimsMembers, name) {
		c.fail(dot.Identifier.Idx, "dims has no member %s: it has %s", name, strings.Join(schema.DimNames[:], ", "))
	}
}

// members finds members that ctx does not have.
func (c *checker) members(node any) {
	dot, ok := node.(*ast.DotExpression)
	if !ok || c.ctx == "" {
		return
	}

	object, name := identifier(dot.Left), dot.Identifier.Name.String()
	all := declare.ContextMembers()
	if object == c.ctx && !slices.Contains(all, name) {
		hint := "it has " + strings.Join(all, ", ")
		if near := suggest.Nearest(name, all); near != "" {
			hint = "did you mean " + near + "?"
		}
		c.fail(dot.Identifier.Idx, "ctx has no member %s: %s", name, hint)
	}
}
