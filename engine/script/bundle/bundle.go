package bundle

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/script/datafile"
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
	Sources  map[string]string         // text of each source file by its name, for excerpts
	Imports  []string                  // absolute paths of the files that it was bundled with, sorted
	Warnings []*Error                  // what esbuild finds odd in a script that is right
	Jobs     []JobImport               // whose results it imports, sorted by name
	Data     map[string]*datafile.File // data files that it imports, by ID
	names    map[string]string         // of source files, by what goja calls them
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

	data := newDataFiles(names, text)
	jobs := &jobImports{names: names}
	res := build(names, text+exports, data.plugin(), jobs.plugin())
	if err := buildError(res.Errors, names); err != nil {
		return nil, err
	}

	// The places of errors are those of the sources, not of the bundle.
	compiled := &Bundle{Name: name, Sources: map[string]string{name: text}, Data: data.files, names: map[string]string{}}
	code, sourceMap := outputs(res)
	compiled.code = lighten(code)
	if sourceMap, err = compiled.nameSources(sourceMap, names); err != nil {
		return nil, err
	}

	compiled.Jobs = jobs.all()
	compiled.Warnings = warnings(res.Warnings, names)
	if err := compiled.enumError(); err != nil {
		return nil, err
	}

	if err := compiled.readMetafile(res.Metafile, names); err != nil {
		return nil, err
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
func build(names sourceNames, text string, plugins ...api.Plugin) api.BuildResult {
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
		Plugins: append(plugins, library, nesting),
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

// metafile is what esbuild says about a build.
type metafile struct {
	Inputs  map[string]struct{} `json:"inputs"` // by path from wd, or namespace:name
	Outputs map[string]struct {
		Inputs map[string]struct {
			Bytes int `json:"bytesInOutput"`
		} `json:"inputs"`
	} `json:"outputs"`
}

// readMetafile sets the imports, the files that esbuild has read beside the script
// itself, and warns of files that make each task slow.
func (b *Bundle) readMetafile(text string, names sourceNames) error {
	var meta metafile
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return fmt.Errorf("imports of %s: %w", b.Name, err)
	}

	for input := range meta.Inputs {
		if strings.HasPrefix(input, libraryNamespace+":") {
			continue
		}
		path := input
		for _, namespace := range []string{dataNamespace, wholeNamespace, jobNamespace, wholeJobNamespace} {
			path = strings.TrimPrefix(path, namespace+":")
		}
		isShipped := path != input && !filepath.IsAbs(path)
		if !filepath.IsAbs(path) {
			path = filepath.Join(names.wd, path)
		}
		if path != names.script && !isShipped {
			b.Imports = append(b.Imports, path)
		}
	}

	// A data file may be two modules.
	slices.Sort(b.Imports)
	b.Imports = slices.Compact(b.Imports)

	for _, output := range meta.Outputs {
		for _, input := range slices.Sorted(maps.Keys(output.Inputs)) {
			if size := output.Inputs[input].Bytes; size > slowStartBytes && !strings.Contains(input, ":") {
				b.Warnings = append(b.Warnings, &Error{File: names.of(input), Line: 1, Column: 1, Phase: "warning", Message: fmt.Sprintf(
					"%d kB of this file run again at the start of each task: import data as JSON or CSV, which is read once", size/1000)})
			}
		}
	}
	return nil
}

// slowStartBytes is how much code of a file may run at the start of each task without a
// warning. A megabyte of literals takes 8 ms (2026-11-28).
const slowStartBytes = 200_000

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

// Hash identifies what the script does: its text with that of all its imports. The
// code names data files by their content.
func (b *Bundle) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(b.code)) }

// Line returns line n of a source file, or "".
func (b *Bundle) Line(file string, n int) string {
	lines := strings.SplitN(b.Sources[file], "\n", n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
