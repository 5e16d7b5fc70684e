package bundle

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/script/ecma"
)

// ResultName is the global variable that holds a bundle's exports.
const ResultName = "__script"

// bundleName is how goja names the bundle.
const bundleName = "out.js"

// Bundle is a compiled script. It is immutable and safe for concurrent use.
type Bundle struct {
	Name    string // as in messages: the path as given
	Program *goja.Program
	// Features is what a runtime needs for the Program: see ecma.Install.
	Features ecma.Features
	Sources  map[string]string // text of each source file by its name, for excerpts
	Imports  []string          // absolute paths of the files that it was bundled with, sorted
	Warnings []*Error          // what esbuild finds odd in a script that is right
	names    map[string]string // of source files, by what goja calls them
	code     string
}

// Compile bundles and compiles a script: TypeScript if the name ends in .ts, else
// JavaScript; an ES module, a CommonJS module, or plain global functions. Imports
// are resolved from the folder of name. Errors of the script are *Error.
func Compile(name, text string) (*Bundle, error) {
	if err := checkNesting(name, text); err != nil {
		return nil, err
	}

	// A script of plain functions gets exports.
	exports, err := globalExports(name, text)
	if err != nil {
		return nil, adviseTypeScript(err, name, text)
	}

	// One function of the script and all its imports.
	names, err := newSourceNames(name)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}

	res := build(names, text+exports)
	if err := buildError(res.Errors, names); err != nil {
		return nil, err
	}

	// The places of errors are those of the sources, not of the bundle.
	compiled := &Bundle{Name: name, Sources: map[string]string{name: text}, names: map[string]string{}}
	code, sourceMap := outputs(res)
	compiled.code = lighten(code)
	if sourceMap, err = compiled.nameSources(sourceMap, names); err != nil {
		return nil, err
	}

	compiled.Warnings = warnings(res.Warnings, names)
	if err := compiled.enumError(); err != nil {
		return nil, err
	}

	if compiled.Imports, err = importsOf(res.Metafile, names); err != nil {
		return nil, fmt.Errorf("imports of %s: %w", name, err)
	}

	if err := compiled.compile(sourceMap); err != nil {
		if _, ok := errors.AsType[*Error](err); ok {
			return nil, err
		}

		return nil, &Error{File: name, Phase: "compile", Message: err.Error()}
	}

	return compiled, nil
}

// adviseTypeScript adds to the error of a JavaScript file that it would be right
// as TypeScript.
func adviseTypeScript(err error, name, text string) error {
	ext := filepath.Ext(name)
	failed, ok := errors.AsType[*Error](err)
	if ok && ext == ".js" && isTypeScript(text) {
		base := strings.TrimSuffix(filepath.Base(name), ext)
		failed.Notes = []string{fmt.Sprintf("As TypeScript it would be right: name the file %s.ts.", base)}
	}
	return err
}

// build bundles a script and its imports, with esbuild, into one function
// whose result is the script's exports.
func build(names sourceNames, text string) api.BuildResult {
	return api.Build(api.BuildOptions{
		Stdin: &api.StdinOptions{
			Contents: text, ResolveDir: filepath.Dir(names.script), Sourcefile: filepath.Base(names.script), Loader: loaderOf(names.name),
		},
		AbsWorkingDir: names.wd, Outfile: filepath.Join(names.wd, bundleName),
		Bundle: true, Format: api.FormatIIFE, GlobalName: ResultName, Platform: api.PlatformNeutral,
		MainFields: []string{"module", "main"},
		Target:     api.ES2020,
		Supported:  map[string]bool{"async-generator": false, "for-await": false},
		Sourcemap:  api.SourceMapExternal, SourcesContent: api.SourcesContentInclude,
		Charset: api.CharsetUTF8, LogLevel: api.LogLevelSilent,
		TsconfigRaw: "{}", Metafile: true,
		Plugins: []api.Plugin{library, nesting},
	})
}

// outputs returns the two files that build has made.
func outputs(res api.BuildResult) (code string, sourceMap []byte) {
	for _, file := range res.OutputFiles {
		if strings.HasSuffix(file.Path, ".map") {
			sourceMap = file.Contents
		} else {
			code = string(file.Contents)
		}
	}

	return code, sourceMap
}

// compile compiles the bundle's code for goja, which reports places by the source
// map. The error is an *Error for a regular expression, else goja's.
func (b *Bundle) compile(sourceMap []byte) error {
	loader := func(string) ([]byte, error) { return sourceMap, nil }
	tree, err := goja.Parse(bundleName, b.code+"\n//# sourceMappingURL="+bundleName+".map", parser.WithSourceMapLoader(loader))
	if err != nil {
		return err
	}

	if b.Features, err = ecma.Prepare(tree, b.code); err != nil {
		if pattern, ok := errors.AsType[*ecma.PatternError](err); ok {
			return b.patternError(tree, pattern)
		}

		return err
	}

	b.Program, err = goja.CompileAST(tree, true)

	return err
}

// patternError returns the *Error for a regular expression of the script.
func (b *Bundle) patternError(tree *ast.Program, pattern *ecma.PatternError) error {
	at := tree.File.Position(int(pattern.Idx) - tree.File.Base())
	name := b.Source(at.Filename)

	return &Error{
		File: name, Line: at.Line, Column: at.Column, Phase: "compile", Message: "SyntaxError: " + pattern.Error(), Excerpt: b.Line(name, at.Line),
	}
}

// importsOf reads from esbuild's metafile which files it has read beside the
// script itself.
func importsOf(metafile string, names sourceNames) (paths []string, err error) {
	var meta struct {
		Inputs map[string]struct{} `json:"inputs"` // by path from wd, or namespace:name
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}

	for input := range meta.Inputs {
		if strings.HasPrefix(input, libraryNamespace+":") {
			continue
		}
		path := input
		if !filepath.IsAbs(path) {
			path = filepath.Join(names.wd, path)
		}
		if path != names.script {
			paths = append(paths, path)
		}
	}

	slices.Sort(paths)
	return paths, nil
}

func loaderOf(name string) api.Loader {
	switch filepath.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	}
	return api.LoaderJS
}

// isTypeScript reports whether text parses as TypeScript.
func isTypeScript(text string) bool {
	res := api.Transform(text, api.TransformOptions{Loader: api.LoaderTS, LogLevel: api.LogLevelSilent, TsconfigRaw: "{}"})
	return len(res.Errors) == 0
}

// Hash identifies what the script does: its text with that of all its imports.
func (b *Bundle) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(b.code)) }

// Line returns line n of a source file, or "".
func (b *Bundle) Line(file string, n int) string {
	lines := strings.SplitN(b.Sources[file], "\n", n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
