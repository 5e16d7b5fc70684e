package revisions

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// maxExpressionBytes bounds the length of an expression, and so its nesting and
// the size of the numbers that it can make.
const maxExpressionBytes = 200

// evaluate computes an integer expression as definitions have them: decimal
// numbers, + - * / (towards zero) and parentheses, such as "80 + 1". A result
// beyond 64 bits and a division by zero are errors.
func evaluate(text string) (int64, error) {
	if len(text) > maxExpressionBytes {
		return 0, fmt.Errorf("expression of %d bytes, at most %d", len(text), maxExpressionBytes)
	}

	// Nearly all are plain numbers.
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return v, nil
	}

	// Go's constant expressions include ours. What they have beyond, such as names,
	// strings and comments, is made of other characters.
	if strings.Trim(text, "0123456789+-*/() ") != "" || strings.Contains(text, "//") || strings.Contains(text, "/*") {
		return 0, fmt.Errorf("expression %q: only integers, + - * / and parentheses are known", text)
	}

	tree, err := parser.ParseExpr(text)
	if err != nil {
		return 0, fmt.Errorf("expression %q: %w", text, err)
	}
	result, err := valueOf(tree)
	if err != nil {
		return 0, fmt.Errorf("expression %q: %w", text, err)
	}

	v, exact := constant.Int64Val(result)
	if !exact {
		return 0, fmt.Errorf("expression %q: out of range", text)
	}

	return v, nil
}

// valueOf computes an expression of integers, exactly, whatever its size.
func valueOf(tree ast.Expr) (constant.Value, error) {
	switch e := tree.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0), nil
	case *ast.ParenExpr:
		return valueOf(e.X)
	case *ast.UnaryExpr:
		x, err := valueOf(e.X)
		if err != nil {
			return nil, err
		}
		return constant.UnaryOp(e.Op, x, 0), nil
	case *ast.BinaryExpr:
		x, errX := valueOf(e.X)
		y, errY := valueOf(e.Y)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}

		op := e.Op
		if op == token.QUO {
			if constant.Sign(y) == 0 {
				return nil, errors.New("division by zero")
			}
			op = token.QUO_ASSIGN // package constant's name of integer division
		}
		return constant.BinaryOp(x, op, y), nil
	}
	return nil, errors.New("neither a number nor an operation")
}
