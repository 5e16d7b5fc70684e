package lint

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
	"github.com/go-sourcemap/sourcemap"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Finding is what Check has to say about a place of a script.
type Finding struct {
	Err    *script.Error // its Phase is "error" or "warning" if the script compiles and loads
	Severe bool          // the script cannot run, or will fail where it is called
}

// Check says what is wrong with a script or filter as far as that can be seen
// before it runs: syntax, a top level that throws, a missing map, dimensions that
// are no list of them, keys and values that cannot be written, members that ctx
// does not have, and state that records would share. Findings are in the order of
// the source. A name that ends in .json is that of a JSON filter.
func Check(ctx context.Context, name, text string, limits script.Limits) ([]Finding, error) {
	if filepath.Ext(name) == ".json" {
		if _, err := schema.ParseFilter([]byte(text)); err != nil {
			return severe(&script.Error{File: name, Phase: "error", Message: err.Error(), Cause: err})
		}
		return nil, nil
	}
	s, err := script.Compile(name, text)
	if err != nil {
		return severe(err)
	}
	exports, err := s.Exports(ctx, limits)
	if err != nil {
		return severe(err)
	}
	switch {
	case exports.Has(declare.Filter):
		if _, err := script.NewFilterScript(ctx, s, limits, nil); err != nil {
			return severe(err)
		}
	case !exports.Has(declare.Job):
		return severe(s.NoMap(exports.Names))
	}
	prog, places, err := bundle.Parse(name, text)
	if err != nil {
		return nil, err
	}
	c := &checker{
		s: s, file: prog.File, places: places,
		gathers: exports.Function(declare.MapFinished),
		state:   map[string]bool{}, told: map[string]bool{},
	}
	for _, st := range prog.Body {
		for _, n := range bundle.Declared(st) {
			c.state[n] = true
		}
	}
	for _, st := range prog.Body {
		c.top(st)
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(a.Err.Line-b.Err.Line, a.Err.Column-b.Err.Column)
	})
	return c.findings, nil
}

// severe makes a finding of an *script.Error; other errors stay errors.
func severe(err error) ([]Finding, error) {
	if e, ok := err.(*script.Error); ok {
		return []Finding{{e, true}}, nil
	}
	return nil, err
}

// checker walks a script's statements.
type checker struct {
	s       *script.Script
	file    *file.File
	places  *sourcemap.Consumer // lines from 1, columns from 0
	gathers bool                // mapFinished writes what globals gather
	state   map[string]bool     // names that the top level declares
	told    map[string]bool

	function string            // the top-level function that the walk is in
	ctx      string            // what that function calls its ctx
	dims     string            // and its dims
	locals   []map[string]bool // of the functions around
	findings []Finding
}

func (c *checker) add(at file.Idx, isSevere bool, format string, args ...any) {
	p := c.file.Position(int(at) - c.file.Base())
	_, _, line, column, _ := c.places.Source(p.Line, p.Column-1)
	e := &script.Error{File: c.s.Name, Line: line, Column: column + 1, Phase: "warning", Message: fmt.Sprintf(format, args...)}
	if isSevere {
		e.Phase = "error"
	}
	e.Excerpt = c.s.Line(e.File, e.Line)
	c.findings = append(c.findings, Finding{e, isSevere})
}

// top walks a top-level statement, function by function.
func (c *checker) top(st ast.Statement) {
	names := bundle.Declared(st)
	c.function, c.ctx, c.dims = "", "", ""
	if len(names) == 1 {
		c.function = names[0]
	}
	walk(st, c.enter, c.leave)
}

// parameterName returns what the script calls a function's parameter, "" if it
// has none at that position.
func parameterName(params *ast.ParameterList, at int) string {
	if at >= 0 && at < len(params.List) {
		if id, ok := params.List[at].Target.(*ast.Identifier); ok {
			return id.Name.String()
		}
	}
	return ""
}

func (c *checker) enter(n any) {
	switch n := n.(type) {
	case *ast.FunctionLiteral:
		c.into(n, n.ParameterList)
	case *ast.ArrowFunctionLiteral:
		c.into(n, n.ParameterList)
	case *ast.AssignExpression:
		c.mutation(n.Left, n.Left.Idx0())
	case *ast.UnaryExpression:
		if n.Operator == token.INCREMENT || n.Operator == token.DECREMENT || n.Operator == token.DELETE {
			c.mutation(n.Operand, n.Operand.Idx0())
		}
	case *ast.CallExpression:
		c.call(n)
	case *ast.NewExpression:
		if id, ok := n.Callee.(*ast.Identifier); ok && id.Name == "Date" && len(n.ArgumentList) == 0 {
			c.add(n.New, false, "new Date() is always 1970: there is no clock")
		}
	case *ast.DotExpression:
		c.member(n)
	}
}

func (c *checker) leave(n any) {
	switch n.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		c.locals = c.locals[:len(c.locals)-1]
	}
}

// into enters a function.
func (c *checker) into(fn any, params *ast.ParameterList) {
	if len(c.locals) == 0 {
		if declared, ok := declare.Find(c.function); ok {
			c.ctx = parameterName(params, declared.Position("ctx"))
			c.dims = parameterName(params, declared.Position("dims"))
		}
	}
	locals := map[string]bool{}
	walk(fn, func(n any) {
		if b, ok := n.(*ast.Binding); ok {
			walk(b.Target, func(n any) {
				if id, ok := n.(*ast.Identifier); ok {
					locals[id.Name.String()] = true
				}
			}, nil)
		}
	}, nil)
	c.locals = append(c.locals, locals)
}

// global returns the top-level name that e is, or is a part of, or "".
func (c *checker) global(e ast.Expression) string {
	for {
		switch n := e.(type) {
		case *ast.DotExpression:
			e = n.Left
		case *ast.BracketExpression:
			e = n.Left
		case *ast.Identifier:
			name := n.Name.String()
			if !c.state[name] || slices.ContainsFunc(c.locals, func(l map[string]bool) bool { return l[name] }) {
				return ""
			}
			return name
		default:
			return ""
		}
	}
}

func (c *checker) mutation(e ast.Expression, at file.Idx) {
	name := c.global(e)
	if name == "" || len(c.locals) == 0 || c.gathers || c.told[name] {
		return
	}
	c.told[name] = true
	c.add(at, false, "%s is kept from one call to the next, but not from one task to the next: what depends on it depends on how the records lie in segments; write it in mapFinished, or keep it in the function", name)
}

// mutators change what they are called on.
var mutators = []string{"push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "set", "add", "delete", "clear"}

func (c *checker) call(n *ast.CallExpression) {
	dot, ok := n.Callee.(*ast.DotExpression)
	if !ok {
		return
	}
	method := dot.Identifier.Name.String()
	object, _ := dot.Left.(*ast.Identifier)
	switch {
	case object != nil && object.Name == "Date" && method == "now":
		c.add(dot.Idx0(), false, "Date.now() is always 0: there is no clock")
	case object != nil && c.ctx != "" && object.Name.String() == c.ctx && method == "write":
		if len(n.ArgumentList) > 0 {
			c.written(n.ArgumentList[0], c.function != declare.Reduce)
		}
		if len(n.ArgumentList) > 1 {
			c.written(n.ArgumentList[1], false)
		}
	case slices.Contains(mutators, method):
		c.mutation(dot.Left, dot.Idx0())
	}
}

// written refuses an expression that ctx.write cannot take.
func (c *checker) written(e ast.Expression, key bool) {
	what := ""
	switch n := e.(type) {
	case *ast.ObjectLiteral:
		if key {
			c.add(n.Idx0(), true, "a key must be a string, number, boolean, null or an array of these, not an object")
		}
		return
	case *ast.ArrayLiteral:
		for _, v := range n.Value {
			c.written(v, key)
		}
		return
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral, *ast.ClassLiteral:
		what = "function"
	case *ast.RegExpLiteral:
		what = "RegExp"
	case *ast.NewExpression:
		id, ok := n.Callee.(*ast.Identifier)
		if !ok || !slices.Contains([]string{"Map", "Set", "WeakMap", "WeakSet", "Promise", "Error", "RegExp"}, id.Name.String()) {
			return
		}
		what = id.Name.String()
	default:
		return
	}
	c.add(e.Idx0(), true, "cannot write a %s: write a plain object or an array", what)
}

// dimsMembers are what scripts use of dims beside the names: of arrays.
var dimsMembers = []string{"length", "at", "concat", "entries", "every", "filter", "find", "findIndex", "flat", "flatMap", "forEach",
	"includes", "indexOf", "join", "keys", "lastIndexOf", "map", "reduce", "reduceRight", "slice", "some", "toString", "values"}

// member refuses members that ctx and dims do not have.
func (c *checker) member(n *ast.DotExpression) {
	id, ok := n.Left.(*ast.Identifier)
	if !ok {
		return
	}
	name := n.Identifier.Name.String()
	if c.dims != "" && id.Name.String() == c.dims && !slices.Contains(schema.DimNames[:], name) && !slices.Contains(dimsMembers, name) {
		c.add(n.Identifier.Idx, true, "dims has no member %s: it has %s", name, strings.Join(schema.DimNames[:], ", "))
	}
	if c.ctx == "" || id.Name.String() != c.ctx {
		return
	}
	if slices.Contains(declare.ContextMembers(), name) {
		return
	}
	hint := "it has " + strings.Join(declare.ContextMembers(), ", ")
	if near := suggest.Nearest(name, declare.ContextMembers()); near != "" {
		hint = "did you mean " + near + "?"
	}
	c.add(n.Identifier.Idx, true, "ctx has no member %s: %s", name, hint)
}
