package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// Parse parses the script without what it imports, and returns where the
// parsed code has its places in the script.
func Parse(name, text string) (*ast.Program, *sourcemap.Consumer, error) {
	res := api.Transform(text, api.TransformOptions{
		Sourcefile: "script", Loader: loaderOf(name), Format: api.FormatCommonJS, Target: api.ES2020,
		Sourcemap: api.SourceMapExternal, LogLevel: api.LogLevelSilent, TsconfigRaw: "{}",
	})
	prog, err := goja.Parse(name, string(res.Code), parser.WithDisableSourceMaps)
	if err != nil {
		return nil, nil, fmt.Errorf("check %s: %w", name, err)
	}
	places, err := sourcemap.Parse("", res.Map)
	if err != nil {
		return nil, nil, fmt.Errorf("check %s: %w", name, err)
	}
	return prog, places, nil
}

// globalExports returns a last line that exports the plain global functions of a
// script without exports, or "".
func globalExports(name, text string, loader api.Loader) (string, error) {
	res := api.Transform(text, api.TransformOptions{
		Sourcefile: name, Loader: loader, Format: api.FormatCommonJS, Target: api.ES2020,
		LogLevel: api.LogLevelSilent, TsconfigRaw: "{}",
	})
	if err := buildError(res.Errors, sourceNames{script: name, name: name}); err != nil {
		return "", err
	}
	code := string(res.Code)
	if strings.Contains(code, "module.exports") || strings.Contains(code, "exports.") {
		return "", nil
	}
	prog, err := goja.Parse(name, code, parser.WithDisableSourceMaps)
	if err != nil {
		return "", nil // the bundle will fail in the same way, with a better place
	}
	var names []string
	for _, st := range prog.Body {
		for _, n := range Declared(st) {
			if _, ok := declare.Find(n); ok && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return "\n;export { " + strings.Join(names, ", ") + " };", nil
}

// Declared returns the names that a top-level statement declares.
func Declared(st ast.Statement) (names []string) {
	bind := func(list []*ast.Binding) {
		for _, b := range list {
			if id, ok := b.Target.(*ast.Identifier); ok {
				names = append(names, id.Name.String())
			}
		}
	}
	switch st := st.(type) {
	case *ast.FunctionDeclaration:
		names = append(names, st.Function.Name.Name.String())
	case *ast.VariableStatement:
		bind(st.List)
	case *ast.LexicalDeclaration:
		bind(st.List)
	}
	return names
}
