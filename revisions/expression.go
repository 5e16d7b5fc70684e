package revisions

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
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

	result, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	if err != nil {
		return 0, fmt.Errorf("expression %q: %w", text, err)
	}

	v, exact := constant.Int64Val(result.Value)
	if !exact {
		return 0, fmt.Errorf("expression %q: out of range", text)
	}

	return v, nil
}
