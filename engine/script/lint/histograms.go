package lint

import (
	"slices"

	"github.com/dop251/goja/ast"
)

// Histograms knows the histogram definitions at hand.
type Histograms interface {
	// Known reports whether a definition has that name; if none has, near is a similar
	// name that one has, or "".
	Known(name string) (near string, ok bool)
}

// ofDefinitions are the methods of a ping whose argument is the name of a definition.
var ofDefinitions = []string{"histogram", "layout"}

// histogramNames finds names of histograms that no definition has.
func (c *checker) histogramNames(node any) {
	call, ok := node.(*ast.CallExpression)
	if !ok || c.histograms == nil || len(call.ArgumentList) != 1 {
		return
	}

	// Whatever the ping is called where it is used.
	callee := call.Callee
	if optional, ok := callee.(*ast.OptionalChain); ok {
		callee = optional.Expression
	}
	if optional, ok := callee.(*ast.Optional); ok {
		callee = optional.Expression
	}
	dot, ok := callee.(*ast.DotExpression)
	literal, isText := call.ArgumentList[0].(*ast.StringLiteral)
	if !ok || !isText || !slices.Contains(ofDefinitions, dot.Identifier.Name.String()) {
		return
	}

	name := literal.Value.String()
	near, known := c.histograms.Known(name)
	if known {
		return
	}
	hint := ""
	if near != "" {
		hint = "; did you mean " + near + "?"
	}
	c.warn(literal.Idx, "no histogram definition has the name %s%s", name, hint)
}
