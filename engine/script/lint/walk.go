package lint

import (
	"reflect"

	"github.com/dop251/goja/ast"
)

// walk calls enter for a node and every node below it, in the order of the source,
// and leave (unless it is nil) after those below. Nodes are pointers to structs of
// package ast, which has no walk of its own.
func walk(node any, enter, leave func(node any)) {
	walkValue(reflect.ValueOf(node), enter, leave)
}

var astPackage = reflect.TypeFor[ast.Program]().PkgPath()

func walkValue(v reflect.Value, enter, leave func(node any)) {
	switch v.Kind() {
	case reflect.Interface:
		walkValue(v.Elem(), enter, leave)
	case reflect.Slice:
		for i := range v.Len() {
			walkValue(v.Index(i), enter, leave)
		}
	case reflect.Pointer: // a node
		if v.IsNil() || v.Type().Elem().PkgPath() != astPackage {
			return
		}
		enter(v.Interface())
		walkValue(v.Elem(), enter, leave)
		if leave != nil {
			leave(v.Interface())
		}
	case reflect.Struct:
		if v.Type().PkgPath() != astPackage {
			return
		}
		for i := range v.NumField() {
			// DeclarationList repeats what the body has.
			f := v.Type().Field(i)
			if f.IsExported() && f.Name != "DeclarationList" {
				walkValue(v.Field(i), enter, leave)
			}
		}
	}
}
