package ecma

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/unistring"
)

const (
	// hiddenSource is the global name of the function through which compiled
	// scripts send what they give to eval.
	hiddenSource = "%source%"
	// hiddenDirect is called just before a script calls eval by its name.
	hiddenDirect = "%direct%"
	// hiddenEval is eval that sees global names only.
	hiddenEval = "%eval%"
	// hiddenDate and hiddenCallRegExp are what Date and RegExp are when they are
	// called without new.
	hiddenDate       = "%Date%"
	hiddenCallRegExp = "%callRegExp%"
)

// PatternError is returned by Prepare for a literal that is no regular expression.
type PatternError struct {
	Idx file.Idx // of the literal
	Err error    // wraps pattern.ErrSyntax
}

func (e *PatternError) Error() string { return e.Err.Error() }
func (e *PatternError) Unwrap() error { return e.Err }

// Prepare changes a parsed script such that its regular expressions are those of
// this package: every literal becomes a call that makes the object, and eval gets
// its text through the same change. It must be called before goja compiles the
// script, and the script must run in a runtime where Install was called with what
// Prepare returns. text is what was parsed. The error is a *PatternError.
func Prepare(program *ast.Program, text string) (Features, error) {
	features := featuresOf(text)
	hasLiterals, err := rewriteCalls(program)
	features.regExp = features.regExp || hasLiterals
	if !iteratorWords.MatchString(text) {
		features.loops = true
		new(loops).rewrite(reflect.ValueOf(program))
		features.calculations = rewriteCalculations(program)
	}

	return features, err
}

// rewriteCalls changes the syntax tree as Prepare says, and returns whether there
// are regular expressions in it.
func rewriteCalls(program *ast.Program) (hasLiterals bool, firstErr error) {

	// goja cannot compile a direct eval in a field of a class, nor in a class without a
	// name of its own.
	everyNode(reflect.ValueOf(program), func(node any) {
		switch node := node.(type) {
		case *ast.FieldDefinition:
			globalEval(reflect.ValueOf(&node.Initializer).Elem())
		case *ast.ClassLiteral:
			if node.Name == nil {
				globalEval(reflect.ValueOf(node))
			}
		}
	})

	rewrite(reflect.ValueOf(program), func(node ast.Expression) ast.Expression {
		switch node := node.(type) {
		case *ast.RegExpLiteral:
			// A wrong pattern is an error of the script now, with its place.
			if _, err := compile(stringValue(node.Pattern), node.Flags); err != nil && firstErr == nil {
				firstErr = &PatternError{Idx: node.Idx, Err: err}
			}
			hasLiterals = true

			return hiddenCall(hiddenRegExp, node.Idx, node.Idx1(), literal(node.Idx, node.Pattern), literal(node.Idx, node.Flags))

		case *ast.CallExpression:
			// goja's constructors do not know whether they were called with new, and
			// direct eval is syntax: both show only here.
			callee, ok := node.Callee.(*ast.Identifier)
			if ok && callee.Name == "Date" {
				return hiddenCall(hiddenDate, node.Idx0(), node.Idx1())
			}
			if ok && callee.Name == "RegExp" {
				node.Callee = &ast.Identifier{Name: hiddenCallRegExp, Idx: callee.Idx}
			}
			if ok && callee.Name == "eval" && len(node.ArgumentList) > 0 {
				first := node.ArgumentList[0]
				node.ArgumentList[0] = hiddenCall(hiddenSource, first.Idx0(), first.Idx1(), first)

				return &ast.SequenceExpression{Sequence: []ast.Expression{hiddenCall(hiddenDirect, node.Idx0(), node.Idx1()), node}}
			}
		}

		return node
	})

	return hasLiterals, firstErr
}

// globalEval lets every eval below v see global names only.
func globalEval(v reflect.Value) {
	rewrite(v, func(node ast.Expression) ast.Expression {
		call, ok := node.(*ast.CallExpression)
		if !ok {
			return node
		}
		if callee, ok := call.Callee.(*ast.Identifier); ok && callee.Name == "eval" {
			call.Callee = &ast.Identifier{Name: hiddenEval, Idx: callee.Idx}
		}

		return node
	})
}

// stringValue returns a text that goja's parser has read as goja's string.
func stringValue(text string) goja.String {
	return goja.New().ToValue(text).(goja.String)
}

// hiddenCall is the syntax tree of a call of one of the hidden globals. Their names
// cannot be written in JavaScript.
func hiddenCall(name string, from, to file.Idx, arguments ...ast.Expression) *ast.CallExpression {
	return &ast.CallExpression{
		Callee:           &ast.Identifier{Name: unistring.NewFromString(name), Idx: from},
		LeftParenthesis:  from,
		ArgumentList:     arguments,
		RightParenthesis: to - 1,
	}
}

func literal(at file.Idx, text string) *ast.StringLiteral {
	return &ast.StringLiteral{Idx: at, Literal: strconv.Quote(text), Value: unistring.NewFromString(text)}
}

var (
	astPackage     = reflect.TypeFor[ast.Program]().PkgPath()
	expressionType = reflect.TypeFor[ast.Expression]()
)

// rewrite replaces every expression below v by what change returns for it.
func rewrite(v reflect.Value, change func(ast.Expression) ast.Expression) {
	switch v.Kind() {
	case reflect.Interface:
		// Expressions stand in fields and slices of an interface type, and only there
		// can one take another's place.
		if v.IsNil() {
			return
		}
		rewrite(v.Elem(), change)
		if node, ok := v.Interface().(ast.Expression); ok && v.CanSet() && v.Type() == expressionType {
			v.Set(reflect.ValueOf(change(node)))
		} else if ok {
			change(node)
		}

	case reflect.Slice:
		for i := range v.Len() {
			rewrite(v.Index(i), change)
		}

	case reflect.Pointer:
		if !v.IsNil() && v.Type().Elem().PkgPath() == astPackage {
			rewrite(v.Elem(), change)
		}

	case reflect.Struct:
		if v.Type().PkgPath() != astPackage {
			return
		}
		for i := range v.NumField() {
			// DeclarationList repeats what the body has.
			if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" {
				rewrite(v.Field(i), change)
			}
		}
	}
}

// everyNode calls found with every node below v, parents first.
func everyNode(v reflect.Value, found func(node any)) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			everyNode(v.Elem(), found)
		}

	case reflect.Slice:
		for i := range v.Len() {
			everyNode(v.Index(i), found)
		}

	case reflect.Pointer:
		if v.IsNil() || v.Type().Elem().PkgPath() != astPackage {
			return
		}
		found(v.Interface())
		everyNode(v.Elem(), found)

	case reflect.Struct:
		if v.Type().PkgPath() != astPackage {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" {
				everyNode(v.Field(i), found)
			}
		}
	}
}

// maxSource bounds what eval and Function compile, in bytes. goja's parser calls
// itself for everything that nests, and Go ends the process when its stack is full:
// the bound is far below what nests deep enough for that.
const maxSource = 32 << 10

// prepareText does for source text at run time what Prepare does for a script. Text
// that does not parse is returned as it is: compiling it will throw.
func (e *Environment) prepareText(text, wrapped string) string {
	if len(text) > maxSource {
		e.throw("RangeError", fmt.Sprintf("eval and Function compile at most %d bytes", maxSource))
	}
	if !strings.Contains(text, "/") {
		return text
	}

	// Text without a slash has no regular expression. Other text is parsed as it will
	// be compiled, in a function where it is the body of one.
	program, err := parser.ParseFile(nil, "", fmt.Sprintf(wrapped, text), 0, parser.WithDisableSourceMaps)
	if err != nil {
		return text
	}

	// Literals are replaced from the last to the first, so that places stay true.
	offset := strings.Index(wrapped, "%s") + 1
	var literals []*ast.RegExpLiteral
	rewrite(reflect.ValueOf(program), func(node ast.Expression) ast.Expression {
		if re, ok := node.(*ast.RegExpLiteral); ok {
			literals = append(literals, re)
		}

		return node
	})
	for i := len(literals) - 1; i >= 0; i-- {
		re := literals[i]
		at := int(re.Idx) - offset
		call := fmt.Sprintf("globalThis[%q](%s,%q)", hiddenRegExp, jsString(re.Pattern), re.Flags)
		text = text[:at] + call + text[at+len(re.Literal):]
	}

	return text
}

// jsString writes a text as a JavaScript literal.
func jsString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, char := range text {
		switch {
		case char == '"' || char == '\\':
			b.WriteRune('\\')
			b.WriteRune(char)
		case char < ' ' || char == 0x2028 || char == 0x2029:
			fmt.Fprintf(&b, `\u%04x`, char)
		default:
			b.WriteRune(char)
		}
	}
	b.WriteByte('"')

	return b.String()
}

// installSource guards eval and Function, which compile text at run time.
//
// A call by the name eval sees the local variables, and goja does that only for its
// own eval. So Prepare makes it "%direct%(), eval(%source%(text))": then the global
// accessor eval gives goja's own function once, and in all other cases a guarded
// one.
func (e *Environment) installSource() {
	global := e.rt.GlobalObject()
	own := global.Get("eval")
	indirect, _ := goja.AssertFunction(own)

	direct := false
	e.hide(hiddenDirect, func(goja.FunctionCall) goja.Value {
		direct = true
		return goja.Undefined()
	})
	e.hide(hiddenSource, func(call goja.FunctionCall) goja.Value { return e.prepareSource(call.Argument(0)) })
	guarded := e.function("eval", 1, func(call goja.FunctionCall) goja.Value {
		return e.must(indirect(goja.Undefined(), e.prepareSource(call.Argument(0))))
	})
	global.DefineDataProperty(hiddenEval, guarded, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	global.DefineAccessorProperty("eval", e.rt.ToValue(func(goja.FunctionCall) goja.Value {
		if direct {
			direct = false
			return own
		}

		return guarded
	}), nil, goja.FLAG_TRUE, goja.FLAG_FALSE)

	for _, example := range []string{"(function(){})", "(async function(){})", "(function*(){})"} {
		e.guardFunction(example)
	}
}

// prepareSource is prepareText for what is given to eval, which returns what is no
// text.
func (e *Environment) prepareSource(v goja.Value) goja.Value {
	text, ok := v.(goja.String)
	if !ok {
		return v
	}

	return e.rt.ToValue(e.prepareText(text.String(), "%s"))
}

// guardFunction replaces the constructor that makes functions such as the example
// of texts.
func (e *Environment) guardFunction(example string) {
	// The constructor has a global name only for plain functions; the prototype of an
	// example leads to the others.
	v, err := e.rt.RunString(example)
	if err != nil {
		return // goja does not have this kind of function
	}
	proto := v.(*goja.Object).Prototype()
	original, ok := proto.Get("constructor").(*goja.Object)
	if !ok {
		return
	}

	// The guarded constructor makes goja's functions, of texts that were looked at.
	guarded := e.rt.ToValue(func(call goja.ConstructorCall) *goja.Object {
		// The last argument is the body, the others are parameters.
		arguments := make([]goja.Value, len(call.Arguments))
		for i, v := range call.Arguments {
			wrapped := "(function(%s\n){})"
			if i == len(arguments)-1 {
				wrapped = "(function(){%s\n})"
			}
			arguments[i] = e.rt.ToValue(e.prepareText(toString(v).String(), wrapped))
		}

		return e.make(original, arguments...)
	}).(*goja.Object)
	guarded.DefineDataProperty("name", original.Get("name"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	guarded.DefineDataProperty("length", e.rt.ToValue(1), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	guarded.DefineDataProperty("prototype", proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	proto.DefineDataProperty("constructor", guarded, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	// Function itself is a global.
	if global := e.rt.GlobalObject(); global.Get(original.Get("name").String()) == original {
		global.DefineDataProperty(original.Get("name").String(), guarded, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
}
