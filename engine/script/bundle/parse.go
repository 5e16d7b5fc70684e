package bundle

import (
	"fmt"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
)

// Parse parses the script without what it imports, and returns where the
// parsed code has its places in the script: lines from 1, columns from 0.
func Parse(name, text string) (*ast.Program, *sourcemap.Consumer, error) {
	res := api.Transform(text, api.TransformOptions{
		Sourcefile: "script", Loader: loaderOf(name), Format: api.FormatCommonJS, Target: api.ES2020,
		Sourcemap: api.SourceMapExternal, LogLevel: api.LogLevelSilent, TsconfigRaw: "{}",
	})

	program, err := goja.Parse(name, string(res.Code), parser.WithDisableSourceMaps)
	if err != nil {
		return nil, nil, fmt.Errorf("check %s: %w", name, err)
	}

	places, err := sourcemap.Parse("", res.Map)
	if err != nil {
		return nil, nil, fmt.Errorf("check %s: %w", name, err)
	}

	return program, places, nil
}
