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

func walkValue(value reflect.Value, enter, leave func(node any)) {
	switch value.Kind() {
	case reflect.Interface:
		walkValue(value.Elem(), enter, leave)
	case reflect.Slice:
		for i := range value.Len() {
			walkValue(value.Index(i), enter, leave)
		}
	case reflect.Pointer: // a node
		if value.IsNil() || value.Type().Elem().PkgPath() != astPackage {
			return
		}

		enter(value.Interface())
		walkValue(value.Elem(), enter, leave)
		if leave != nil {
			leave(value.Interface())
		}
	case reflect.Struct:
		if value.Type().PkgPath() != astPackage {
			return
		}
		for i := range value.NumField() {
			// DeclarationList repeats what the body has.
			field := value.Type().Field(i)
			if field.IsExported() && field.Name != "DeclarationList" {
				walkValue(value.Field(i), enter, leave)
			}
		}
	}
}
