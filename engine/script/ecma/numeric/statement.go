package numeric

import (
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// statement runs a statement and returns how it ended.
type statement func(*Frame) ending

type ending byte

const (
	done ending = iota
	breaks
	continues
)

// local is a variable that is declared in the loop.
type local struct {
	register int
	constant bool
}

// compiler makes closures of a syntax tree.
type compiler struct {
	loop    Loop
	names   map[string]Kind
	scopes  []map[string]local // of blocks, the innermost last
	outer   map[string]int     // the registers of variables from outside
	lists   map[string]int     // the arrays' places in loop.Lists
	unknown bool               // the loop does something that is no calculation
}

// fails says that the loop is none for this package.
func (c *compiler) fails() { c.unknown = true }

func (c *compiler) register() int {
	c.loop.registers++
	return c.loop.registers - 1
}

// scope compiles what stands in a block of its own.
func (c *compiler) scope(compile func()) {
	c.scopes = append(c.scopes, map[string]local{})
	compile()
	c.scopes = c.scopes[:len(c.scopes)-1]
}

// statement compiles one statement. What it returns may be used only if the loop is
// known to the end.
func (c *compiler) statement(node ast.Statement) (run statement) {
	switch node := node.(type) {
	case *ast.EmptyStatement:
		return func(*Frame) ending { return done }
	case *ast.BlockStatement:
		c.scope(func() { run = c.block(node.List) })
		return run
	case *ast.ExpressionStatement:
		return c.effect(node.Expression)
	case *ast.LexicalDeclaration:
		return c.declaration(node)
	case *ast.IfStatement:
		return c.choice(node)
	case *ast.ForStatement:
		c.scope(func() { run = c.forLoop(node) })
		return run
	case *ast.WhileStatement:
		return c.repeat(nil, c.condition(node.Test), nil, c.statement(node.Body))
	case *ast.BranchStatement:
		end := breaks
		if node.Token == token.CONTINUE {
			end = continues
		}
		if node.Label != nil {
			c.fails()
		}
		return func(*Frame) ending { return end }
	}

	c.fails()
	return nil
}

func (c *compiler) block(list []ast.Statement) statement {
	var steps []statement
	for _, node := range list {
		steps = append(steps, c.statement(node))
	}
	if len(steps) == 1 {
		return steps[0]
	}

	return func(f *Frame) ending {
		for _, step := range steps {
			if end := step(f); end != done {
				return end
			}
		}
		return done
	}
}

func (c *compiler) choice(node *ast.IfStatement) statement {
	test, then := c.condition(node.Test), c.statement(node.Consequent)
	otherwise := func(*Frame) ending { return done }
	if node.Alternate != nil {
		otherwise = c.statement(node.Alternate)
	}

	return func(f *Frame) ending {
		if test(f) {
			return then(f)
		}
		return otherwise(f)
	}
}

// declaration compiles let and const.
func (c *compiler) declaration(node *ast.LexicalDeclaration) statement {
	var steps []statement
	for _, binding := range node.List {
		name, ok := binding.Target.(*ast.Identifier)
		if !ok || binding.Initializer == nil {
			c.fails()
			return nil
		}

		value := c.number(binding.Initializer)
		register := c.register()
		c.scopes[len(c.scopes)-1][name.Name.String()] = local{register, node.Token == token.CONST}
		steps = append(steps, func(f *Frame) ending {
			f.registers[register] = value(f)
			return done
		})
	}
	if len(steps) == 1 {
		return steps[0]
	}

	return func(f *Frame) ending {
		for _, step := range steps {
			step(f)
		}
		return done
	}
}

func (c *compiler) forLoop(node *ast.ForStatement) statement {
	var start, update statement
	switch first := node.Initializer.(type) {
	case nil:
	case *ast.ForLoopInitializerLexicalDecl:
		start = c.declaration(&first.LexicalDeclaration)
	case *ast.ForLoopInitializerVarDeclList:
		for _, binding := range first.List {
			name, ok := binding.Target.(*ast.Identifier)
			if !ok || binding.Initializer == nil || len(first.List) > 1 {
				c.fails()
				return nil
			}
			start = c.first(name, binding.Initializer)
		}
	case *ast.ForLoopInitializerExpression:
		start = c.effect(first.Expression)
		if assign, ok := first.Expression.(*ast.AssignExpression); ok && assign.Operator == token.ASSIGN {
			if name, ok := assign.Left.(*ast.Identifier); ok {
				start = c.first(name, assign.Right)
			}
		}
	}

	test := func(*Frame) bool { return true }
	if node.Test != nil {
		test = c.condition(node.Test)
	}
	if node.Update != nil {
		update = c.effect(node.Update)
	}

	return c.repeat(start, test, update, c.statement(node.Body))
}

// repeat is a loop. start and update may be nil.
func (c *compiler) repeat(start statement, test condition, update, body statement) statement {
	nothing := func(*Frame) ending { return done }
	if start == nil {
		start = nothing
	}
	if update == nil {
		update = nothing
	}

	return func(f *Frame) ending {
		for start(f); test(f) && f.goesOn(); update(f) {
			if body(f) == breaks {
				break
			}
		}
		return done
	}
}
