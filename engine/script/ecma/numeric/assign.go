package numeric

import (
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// effect compiles an expression that stands for its effect: an assignment, ++ or --,
// or several with commas between them.
func (c *compiler) effect(node ast.Expression) statement {
	switch node := node.(type) {
	case *ast.SequenceExpression:
		var steps []statement
		for _, part := range node.Sequence {
			steps = append(steps, c.effect(part))
		}
		return func(f *Frame) ending {
			for _, step := range steps {
				step(f)
			}
			return done
		}

	case *ast.AssignExpression:
		if name, ok := node.Left.(*ast.Identifier); ok {
			return c.assign(name, node)
		}

	case *ast.UnaryExpression:
		name, ok := node.Operand.(*ast.Identifier)
		if ok && (node.Operator == token.INCREMENT || node.Operator == token.DECREMENT) {
			register, step := c.assigned(name), 1.0
			if node.Operator == token.DECREMENT {
				step = -1
			}
			return func(f *Frame) ending {
				f.registers[register] += step
				return done
			}
		}
	}

	c.fails()
	return nil
}

func (c *compiler) assign(name *ast.Identifier, node *ast.AssignExpression) statement {
	register := c.assigned(name)
	value := c.number(node.Right)
	if node.Operator == token.PLUS {
		return func(f *Frame) ending {
			sum := f.registers[register] // before the value, as JavaScript reads it
			f.registers[register] = sum + value(f)
			return done
		}
	}
	if node.Operator != token.ASSIGN {
		value = c.calculation(node.Operator, func(f *Frame) float64 { return f.registers[register] }, value)
	}

	return func(f *Frame) ending {
		f.registers[register] = value(f)
		return done
	}
}

// first compiles an assignment that is made before anything else, so that the
// variable needs no value from outside.
func (c *compiler) first(name *ast.Identifier, initializer ast.Expression) statement {
	value := c.number(initializer)
	text := name.Name.String()
	if _, ok := c.outer[text]; ok || len(c.scopes) > 2 || c.names[text] != Variable {
		c.fails()
		return nil
	}

	register := c.register()
	c.outer[text] = register
	c.output(text, register)
	return func(f *Frame) ending {
		f.registers[register] = value(f)
		return done
	}
}

// assigned returns the register of a variable that the loop assigns.
func (c *compiler) assigned(name *ast.Identifier) int {
	text := name.Name.String()
	variable, ok := c.local(text)
	if ok {
		if variable.constant {
			c.fails()
		}
		return variable.register
	}

	if c.names[text] != Variable {
		c.fails()
		return 0
	}
	register := c.input(text)
	c.output(text, register)

	return register
}

// output notes that the loop assigns a variable from outside.
func (c *compiler) output(name string, register int) {
	for _, known := range c.loop.outputs {
		if known == register {
			return
		}
	}
	c.loop.Outputs = append(c.loop.Outputs, name)
	c.loop.outputs = append(c.loop.outputs, register)
}

// input returns the register of a variable from outside.
func (c *compiler) input(name string) int {
	if register, ok := c.outer[name]; ok {
		return register
	}
	if _, isList := c.lists[name]; isList || c.names[name] == 0 {
		c.fails()
		return 0
	}

	register := c.register()
	c.outer[name] = register
	c.loop.Inputs = append(c.loop.Inputs, name)
	c.loop.inputs = append(c.loop.inputs, register)

	return register
}

// list returns the place of an array.
func (c *compiler) list(node ast.Expression) int {
	name, ok := node.(*ast.Identifier)
	if !ok {
		c.fails()
		return 0
	}

	text := name.Name.String()
	place, known := c.lists[text]
	if known {
		return place
	}
	_, isLocal := c.local(text)
	if _, isNumber := c.outer[text]; isNumber || isLocal || c.names[text] == 0 {
		c.fails()
		return 0
	}

	c.lists[text] = len(c.loop.Lists)
	c.loop.Lists = append(c.loop.Lists, text)

	return c.lists[text]
}

// local finds a variable that is declared in the loop.
func (c *compiler) local(name string) (variable local, ok bool) {
	for i := len(c.scopes) - 1; i >= 0; i-- {
		if variable, ok = c.scopes[i][name]; ok {
			return variable, true
		}
	}

	return local{}, false
}
