package ecma

import (
	"fmt"
	"reflect"
	"regexp"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

// goja makes an object for each step of an iterator, and catches what the step may
// throw: for…of over an array takes four times as long as a loop over its indexes.
// So Prepare lets arrays take such a loop, and destructuring read elements:
//
//	for (const x of list) body     const %elements% = list
//	                               if (%isArray%(%elements%)) for (let %i% = 0; …) { const x = %elements%[%i%]; body }
//	                               else for (const x of %elements%) body
//	const [a, b] = pair            const %list% = %list%(pair, 2), a = %list%[0], b = %list%[1]
//
// A script cannot tell the difference unless it changes how arrays are iterated.
// TestLoopsAreIterators compares both; BenchmarkForOf pays for it.
const (
	// hiddenIsArray says whether a value's elements are those that its iterator has.
	hiddenIsArray = "%isArray%"
	// hiddenList returns an array as it is, of another iterable the first elements.
	hiddenList = "%list%"

	hiddenElements = "%elements%"
	hiddenIndex    = "%i%"
)

// maxLoopNesting bounds how deep loops are changed that stand inside each other: the
// body of each stands twice in what is compiled. Of more loops the innermost count.
const maxLoopNesting = 2

// iteratorWords are those without which a script cannot change how arrays are iterated.
var iteratorWords = regexp.MustCompile(`\b(Symbol|getOwnPropertySymbols|__proto__|getPrototypeOf|setPrototypeOf|Reflect|Proxy|eval|Function|constructor)\b`)

// loops changes the loops and declarations of one script.
type loops struct {
	lists int // declarations that were changed: each has a name of its own
}

var statementType = reflect.TypeFor[ast.Statement]()

// rewrite changes all statements below v and returns how many changed loops stand
// inside each other there, at most.
func (l *loops) rewrite(v reflect.Value) (nesting int) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}

		// A label names a loop, so that the loop must stay behind it.
		nesting = l.rewrite(v.Elem())
		if loop, ok := v.Interface().(*ast.ForOfStatement); ok && v.Type() == statementType && nesting < maxLoopNesting {
			if changed := l.overIndexes(loop); changed != nil {
				v.Set(reflect.ValueOf(changed))
				nesting++
			}
		}

	case reflect.Slice:
		for i := range v.Len() {
			nesting = max(nesting, l.rewrite(v.Index(i)))
		}

	case reflect.Pointer:
		if v.IsNil() || v.Type().Elem().PkgPath() != astPackage {
			return 0
		}
		switch node := v.Interface().(type) {
		case *ast.LabelledStatement:
			return l.rewrite(reflect.ValueOf(node.Statement))
		case *ast.LexicalDeclaration:
			l.declaration(node)
		}
		nesting = l.rewrite(v.Elem())

	case reflect.Struct:
		if v.Type().PkgPath() != astPackage {
			return 0
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" {
				nesting = max(nesting, l.rewrite(v.Field(i)))
			}
		}
	}

	return nesting
}

// overIndexes returns what a loop becomes, or nil if it stays: one that assigns to
// what is no new variable.
func (l *loops) overIndexes(loop *ast.ForOfStatement) ast.Statement {
	into, ok := loop.Into.(*ast.ForDeclaration)
	if !ok {
		return nil
	}
	kind := token.LET
	if into.IsConst {
		kind = token.CONST
	}

	// The errors of the changed loop have the places of what they come from.
	at := loop.Source.Idx0()
	elements := func() ast.Expression { return name(hiddenElements, at) }
	index := func() ast.Expression { return name(hiddenIndex, at) }
	element := &ast.LexicalDeclaration{Idx: into.Idx, Token: kind, List: []*ast.Binding{{
		Target:      into.Target,
		Initializer: &ast.BracketExpression{Left: elements(), Member: index(), LeftBracket: at, RightBracket: at},
	}}}
	l.declaration(element)

	array := &ast.ForStatement{
		For: loop.For,
		Initializer: &ast.ForLoopInitializerLexicalDecl{LexicalDeclaration: *declare(token.LET, hiddenIndex, at,
			&ast.NumberLiteral{Idx: at, Literal: "0", Value: int64(0)})},
		Test: &ast.BinaryExpression{
			Operator: token.LESS, Comparison: true, Left: index(),
			Right: &ast.DotExpression{Left: elements(), Identifier: ast.Identifier{Name: "length", Idx: at}},
		},
		Update: &ast.UnaryExpression{Operator: token.INCREMENT, Idx: at, Operand: index(), Postfix: true},
		Body:   &ast.BlockStatement{LeftBrace: loop.Body.Idx0(), List: []ast.Statement{element, loop.Body}, RightBrace: loop.Body.Idx1()},
	}
	other := &ast.ForOfStatement{For: loop.For, Into: loop.Into, Source: elements(), Body: loop.Body}

	return &ast.BlockStatement{LeftBrace: loop.For, RightBrace: loop.Body.Idx1(), List: []ast.Statement{
		declare(token.CONST, hiddenElements, at, loop.Source),
		&ast.IfStatement{If: loop.For, Test: hiddenCall(hiddenIsArray, at, at, elements()), Consequent: array, Alternate: other},
	}}
}

// declaration lets destructured arrays be read by index.
func (l *loops) declaration(node *ast.LexicalDeclaration) {
	var list []*ast.Binding
	for _, binding := range node.List {
		pattern, ok := binding.Target.(*ast.ArrayPattern)
		if !ok || binding.Initializer == nil || !plainNames(pattern) {
			list = append(list, binding)
			continue
		}

		at := binding.Initializer.Idx0()
		hidden := fmt.Sprintf("%%list%d%%", l.lists)
		l.lists++
		length := len(pattern.Elements)
		list = append(list, declare(node.Token, hidden, at, hiddenCall(hiddenList, at, binding.Initializer.Idx1(), binding.Initializer, number(length, at))).List[0])
		for i, target := range pattern.Elements {
			if target != nil {
				element := &ast.BracketExpression{Left: name(hidden, at), Member: number(i, at), LeftBracket: at, RightBracket: at}
				list = append(list, &ast.Binding{Target: target.(*ast.Identifier), Initializer: element})
			}
		}
	}
	node.List = list
}

// plainNames reports whether a pattern is a list of names, without defaults, rest and
// patterns inside it.
func plainNames(pattern *ast.ArrayPattern) bool {
	for _, element := range pattern.Elements {
		if _, ok := element.(*ast.Identifier); !ok && element != nil {
			return false
		}
	}

	return pattern.Rest == nil
}

func declare(kind token.Token, hidden string, at file.Idx, value ast.Expression) *ast.LexicalDeclaration {
	return &ast.LexicalDeclaration{Idx: at, Token: kind, List: []*ast.Binding{{Target: name(hidden, at), Initializer: value}}}
}

func name(hidden string, at file.Idx) *ast.Identifier {
	return &ast.Identifier{Name: unistring.NewFromString(hidden), Idx: at}
}

func number(n int, at file.Idx) ast.Expression {
	return &ast.NumberLiteral{Idx: at, Literal: fmt.Sprint(n), Value: int64(n)}
}

// installLoops defines what changed loops and declarations call.
func (e *Environment) installLoops() {
	isArray := func(v goja.Value) bool {
		object, ok := v.(*goja.Object)
		return ok && object.ClassName() == "Array"
	}
	e.hide(hiddenIsArray, func(call goja.FunctionCall) goja.Value { return e.rt.ToValue(isArray(call.Argument(0))) })
	e.hide(hiddenList, func(call goja.FunctionCall) goja.Value {
		iterable := call.Argument(0)
		if isArray(iterable) {
			return iterable
		}

		// Destructuring takes no more steps than it has names, then closes the iterator.
		length := int(call.Argument(1).ToInteger())
		var list []any
		if length == 0 {
			return e.rt.NewArray()
		}
		e.rt.ForOf(iterable, func(element goja.Value) bool {
			list = append(list, element)
			return len(list) < length
		})

		return e.rt.NewArray(list...)
	})
}
