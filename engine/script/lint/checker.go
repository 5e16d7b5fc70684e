package lint

import (
	"fmt"
	"slices"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/go-sourcemap/sourcemap"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// checker walks a script's statements, and knows for the checks where it is.
type checker struct {
	script   *script.Script
	file     *file.File
	places   *sourcemap.Consumer // lines from 1, columns from 0
	gathers  bool                // mapFinished writes what globals gather
	finishes bool                // reduceFinished does
	state    map[string]bool     // names that the top level declares
	imports  map[string]string   // of these, those of imports: the module

	function string            // the top-level function that the walk is in
	ctx      string            // what that function calls its ctx
	dims     string            // and its dims
	locals   []map[string]bool // names in the functions around, the outermost first

	defined map[string]bool          // every name that the script declares
	noUse   map[*ast.Identifier]bool // identifiers that are no use of a name

	fill    *ast.AssignExpression // of a cache, by its key
	filling bool                  // the change is that one

	histograms Histograms // nil: names of histograms are not checked

	check    string          // the one that looks
	reported map[string]bool // names of state that have a finding
	findings []Finding
}

func newChecker(s *script.Script, program *ast.Program, places *sourcemap.Consumer, exports script.Exports) *checker {
	made := &checker{
		script: s, file: program.File, places: places,
		gathers: exports.Function(declare.MapFinished), finishes: exports.Function(declare.ReduceFinished),
		state: map[string]bool{}, imports: map[string]string{}, reported: map[string]bool{},
		defined: definedNames(program), noUse: map[*ast.Identifier]bool{},
	}

	for _, statement := range program.Body {
		for _, name := range bundle.Declared(statement) {
			// A table is no state: what is added to it comes together over all tasks.
			made.state[name] = !slices.Contains(exports.Tables, name)
			if module := required(statement); module != "" {
				made.imports[name] = module
			}
		}
	}

	return made
}

// required returns the module that a statement of the parsed script imports, or "".
func required(statement ast.Statement) (module string) {
	if _, ok := statement.(*ast.FunctionDeclaration); ok {
		return ""
	}
	walk(statement, func(node any) {
		call, ok := node.(*ast.CallExpression)
		if !ok || identifier(call.Callee) != "require" || len(call.ArgumentList) != 1 {
			return
		}
		if literal, ok := call.ArgumentList[0].(*ast.StringLiteral); ok {
			module = literal.Value.String()
		}
	}, nil)
	return module
}

// warn adds a finding that the script may run with.
func (c *checker) warn(at file.Idx, format string, args ...any) {
	c.add(at, "warning", fmt.Sprintf(format, args...))
}

// fail adds a finding that the script will fail at.
func (c *checker) fail(at file.Idx, format string, args ...any) {
	c.add(at, "error", fmt.Sprintf(format, args...))
}

func (c *checker) add(at file.Idx, phase, message string) {
	position := c.file.Position(int(at) - c.file.Base())
	_, _, line, column, _ := c.places.Source(position.Line, position.Column-1)
	found := &script.Error{File: c.script.Name, Line: line, Column: column + 1, Phase: phase, Message: message}
	found.Excerpt = c.script.Line(found.File, found.Line)
	c.findings = append(c.findings, Finding{Err: found, Severe: phase == "error", check: c.check})
}

// top walks a top-level statement.
func (c *checker) top(statement ast.Statement) {
	c.function, c.ctx, c.dims = "", "", ""
	if names := bundle.Declared(statement); len(names) == 1 {
		c.function = names[0]
	}
	walk(statement, c.enter, c.leave)
}

// enter shows a node to every check.
func (c *checker) enter(node any) {
	switch n := node.(type) {
	case *ast.FunctionLiteral:
		c.into(n, n.ParameterList)
	case *ast.ArrowFunctionLiteral:
		c.into(n, n.ParameterList)
	}

	for _, check := range checks {
		c.check = check.name
		check.look(c, node)
	}
}

func (c *checker) leave(node any) {
	switch node.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		c.locals = c.locals[:len(c.locals)-1]
	}
}

// into enters a function.
func (c *checker) into(function any, parameters *ast.ParameterList) {
	// The outermost one may be one that the host calls.
	if len(c.locals) == 0 {
		if declared, ok := declare.Find(c.function); ok {
			c.ctx = parameterName(parameters, declared.Position("ctx"))
			c.dims = parameterName(parameters, declared.Position("dims"))
		}
	}

	locals := map[string]bool{}
	walk(function, func(node any) {
		if binding, ok := node.(*ast.Binding); ok {
			walk(binding.Target, func(node any) {
				if id, ok := node.(*ast.Identifier); ok {
					locals[id.Name.String()] = true
				}
			}, nil)
		}
	}, nil)
	c.locals = append(c.locals, locals)
}

// parameterName returns what the script calls a function's parameter, "" if it
// has none at that position.
func parameterName(parameters *ast.ParameterList, at int) string {
	if at < 0 || at >= len(parameters.List) {
		return ""
	}
	return identifier(parameters.List[at].Target)
}

// identifier returns the name that an expression is, or "".
func identifier(e any) string {
	if id, ok := e.(*ast.Identifier); ok {
		return id.Name.String()
	}
	return ""
}

// global returns the top-level name that e is, or is a part of, or "".
func (c *checker) global(e ast.Expression) string {
	for {
		switch n := e.(type) {
		case *ast.DotExpression:
			e = n.Left
		case *ast.BracketExpression:
			e = n.Left
		default:
			name := identifier(e)
			isLocal := slices.ContainsFunc(c.locals, func(names map[string]bool) bool { return names[name] })
			if !c.state[name] || isLocal {
				return ""
			}
			return name
		}
	}
}
