package numeric

import (
	"math"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// number is an expression whose value is a number, condition one that is asked.
type (
	number    func(*Frame) float64
	condition func(*Frame) bool
)

// number compiles an expression whose value is a number.
func (c *compiler) number(node ast.Expression) number {
	switch node := node.(type) {
	case *ast.NumberLiteral:
		return c.literal(node)
	case *ast.Identifier:
		register := c.read(node)
		return func(f *Frame) float64 { return f.registers[register] }

	case *ast.DotExpression:
		if node.Identifier.Name == "length" {
			place := c.list(node.Left)
			return func(f *Frame) float64 { return float64(f.Lists[place].Len()) }
		}
	case *ast.BracketExpression:
		return c.element(node)
	case *ast.CallExpression:
		return c.call(node)

	case *ast.UnaryExpression:
		operand := c.number(node.Operand)
		switch node.Operator {
		case token.MINUS:
			return func(f *Frame) float64 { return -operand(f) }
		case token.PLUS:
			return operand
		case token.BITWISE_NOT:
			return func(f *Frame) float64 { return float64(^f.toInt32(operand(f))) }
		}

	case *ast.BinaryExpression:
		return c.calculation(node.Operator, c.number(node.Left), c.number(node.Right))
	case *ast.ConditionalExpression:
		test, then, otherwise := c.condition(node.Test), c.number(node.Consequent), c.number(node.Alternate)
		return func(f *Frame) float64 {
			if test(f) {
				return then(f)
			}
			return otherwise(f)
		}
	}

	c.fails()
	return nil
}

func (c *compiler) literal(node *ast.NumberLiteral) number {
	var value float64
	switch of := node.Value.(type) {
	case int64:
		value = float64(of)
	case float64:
		value = of
	default:
		c.fails()
	}

	return func(*Frame) float64 { return value }
}

// read returns the register of a variable.
func (c *compiler) read(name *ast.Identifier) int {
	text := name.Name.String()
	if variable, ok := c.local(text); ok {
		return variable.register
	}

	return c.input(text)
}

// element compiles an array's element.
func (c *compiler) element(node *ast.BracketExpression) number {
	place, index := c.list(node.Left), c.number(node.Member)

	return func(f *Frame) float64 {
		list, at := f.Lists[place], index(f)
		i := int(at)
		if float64(i) != at || i < 0 || i >= list.Len() {
			f.failed = true // undefined, or a member of another name
			return 0
		}

		value, ok := list.Number(i)
		if !ok {
			f.failed = true
		}
		return value
	}
}

// calculation compiles an operator with two operands.
func (c *compiler) calculation(operator token.Token, left, right number) number {
	switch operator {
	case token.PLUS:
		return func(f *Frame) float64 { return left(f) + right(f) }
	case token.MINUS:
		return func(f *Frame) float64 { return left(f) - right(f) }
	case token.MULTIPLY:
		return func(f *Frame) float64 { return product(left(f), right(f)) }
	case token.SLASH:
		return func(f *Frame) float64 { return left(f) / right(f) }
	case token.REMAINDER:
		return func(f *Frame) float64 { return math.Mod(left(f), right(f)) }
	case token.AND:
		return func(f *Frame) float64 { return float64(f.toInt32(left(f)) & f.toInt32(right(f))) }
	case token.OR:
		return func(f *Frame) float64 { return float64(f.toInt32(left(f)) | f.toInt32(right(f))) }
	case token.EXCLUSIVE_OR:
		return func(f *Frame) float64 { return float64(f.toInt32(left(f)) ^ f.toInt32(right(f))) }
	case token.SHIFT_LEFT:
		return func(f *Frame) float64 { return float64(f.toInt32(left(f)) << (uint32(f.toInt32(right(f))) & 31)) }
	case token.SHIFT_RIGHT:
		return func(f *Frame) float64 { return float64(f.toInt32(left(f)) >> (uint32(f.toInt32(right(f))) & 31)) }
	case token.UNSIGNED_SHIFT_RIGHT:
		return func(f *Frame) float64 {
			return float64(uint32(f.toInt32(left(f))) >> (uint32(f.toInt32(right(f))) & 31))
		}
	}

	c.fails()
	return nil
}

// product multiplies as goja does: of the integers 0 and -7 it makes 0 and not -0.
// Which zero a script sees must not depend on how its loop runs.
func product(left, right float64) float64 {
	of := left * right
	if of == 0 && isInteger(left) && isInteger(right) && left != -1 && right != -1 {
		return 0
	}

	return of
}

// isInteger reports whether goja has an integer for a number.
func isInteger(value float64) bool {
	return value == math.Trunc(value) && math.Abs(value) < 1<<53 && (value != 0 || !math.Signbit(value))
}

// condition compiles an expression of which only the truth counts.
func (c *compiler) condition(node ast.Expression) condition {
	switch node := node.(type) {
	case *ast.UnaryExpression:
		if node.Operator == token.NOT {
			operand := c.condition(node.Operand)
			return func(f *Frame) bool { return !operand(f) }
		}
	case *ast.BinaryExpression:
		switch node.Operator {
		case token.LOGICAL_AND:
			left, right := c.condition(node.Left), c.condition(node.Right)
			return func(f *Frame) bool { return left(f) && right(f) }
		case token.LOGICAL_OR:
			left, right := c.condition(node.Left), c.condition(node.Right)
			return func(f *Frame) bool { return left(f) || right(f) }
		}
		if node.Comparison {
			return c.comparison(node.Operator, c.number(node.Left), c.number(node.Right))
		}
	}

	// A number is true unless it is 0 or NaN.
	value := c.number(node)
	return func(f *Frame) bool {
		of := value(f)
		return of != 0 && !math.IsNaN(of)
	}
}

func (c *compiler) comparison(operator token.Token, left, right number) condition {
	switch operator {
	case token.LESS:
		return func(f *Frame) bool { return left(f) < right(f) }
	case token.LESS_OR_EQUAL:
		return func(f *Frame) bool { return left(f) <= right(f) }
	case token.GREATER:
		return func(f *Frame) bool { return left(f) > right(f) }
	case token.GREATER_OR_EQUAL:
		return func(f *Frame) bool { return left(f) >= right(f) }
	case token.EQUAL, token.STRICT_EQUAL:
		return func(f *Frame) bool { return left(f) == right(f) }
	case token.NOT_EQUAL, token.STRICT_NOT_EQUAL:
		return func(f *Frame) bool { return left(f) != right(f) }
	}

	c.fails()
	return nil
}

// mathFunctions are those of Math that give the same bits everywhere.
var mathFunctions = map[string]func(float64) float64{
	"abs": math.Abs, "ceil": math.Ceil, "floor": math.Floor, "sqrt": math.Sqrt, "trunc": math.Trunc,
}

// call compiles a call of a function of Math.
func (c *compiler) call(node *ast.CallExpression) number {
	callee, ok := node.Callee.(*ast.DotExpression)
	if !ok {
		c.fails()
		return nil
	}
	of, ok := callee.Left.(*ast.Identifier)
	_, isLocal := c.local("Math")
	if !ok || of.Name != "Math" || isLocal || c.names["Math"] != 0 {
		c.fails()
		return nil
	}

	var arguments []number
	for _, argument := range node.ArgumentList {
		arguments = append(arguments, c.number(argument))
	}
	name := callee.Identifier.Name.String()
	if function := mathFunctions[name]; function != nil && len(arguments) == 1 {
		return func(f *Frame) float64 { return function(arguments[0](f)) }
	}
	if (name == "min" || name == "max") && len(arguments) == 2 {
		choose := math.Min
		if name == "max" {
			choose = math.Max
		}
		return func(f *Frame) float64 {
			left, right := arguments[0](f), arguments[1](f)
			if math.IsNaN(left) || math.IsNaN(right) {
				return math.NaN() // Go's has an infinity beat it
			}
			return choose(left, right)
		}
	}

	c.fails()
	return nil
}

// toInt32 is ECMAScript's ToInt32. Numbers from 2^63 on are left to goja, which has
// another answer than ECMAScript: which of the two a script sees must not depend on how
// its loop runs.
func (f *Frame) toInt32(value float64) int32 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}
	if math.Abs(value) >= 1<<63 {
		f.failed = true
		return 0
	}

	return int32(int64(value))
}
