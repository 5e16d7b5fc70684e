package bundle

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
)

// ResultName is the global variable that holds a bundle's exports.
const ResultName = "__script"

// bundleName is what goja takes the bundle's name to be.
const bundleName = "out.js"

// Bundle is a compiled script. It is immutable and safe for concurrent use.
type Bundle struct {
	Name    string // as in messages: the path as given
	Program *goja.Program
	Sources map[string]string // text of each source file by its name, for excerpts
	Imports []string          // absolute paths of the files that it was bundled with, sorted
	names   map[string]string // of source files, by what goja calls them
	code    string
}

// Compile bundles and compiles a script: TypeScript if the name ends in .ts, else
// JavaScript; an ES module, a CommonJS module, or plain global functions. Imports
// are resolved from the folder of name. Errors of the script are *Error.
func Compile(name, text string) (*Bundle, error) {
	if err := checkNesting(name, text); err != nil {
		return nil, err
	}
	loader := loaderOf(name)
	wd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}
	exports, err := globalExports(name, text, loader)
	if err != nil {
		if ext := filepath.Ext(name); ext == ".js" && isTypeScript(text) {
			e, _ := errors.AsType[*Error](err)
			e.Notes = []string{fmt.Sprintf("As TypeScript it would be right: name the file %s.ts.", strings.TrimSuffix(filepath.Base(name), ext))}
		}
		return nil, err
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}
	res := api.Build(api.BuildOptions{
		Stdin: &api.StdinOptions{
			Contents: text + exports, ResolveDir: filepath.Dir(abs), Sourcefile: filepath.Base(abs), Loader: loader,
		},
		AbsWorkingDir: wd, Outfile: filepath.Join(wd, bundleName),
		Bundle: true, Format: api.FormatIIFE, GlobalName: ResultName, Platform: api.PlatformNeutral,
		MainFields: []string{"module", "main"},
		Target:     api.ES2020,
		Supported:  map[string]bool{"async-generator": false, "for-await": false},
		Sourcemap:  api.SourceMapExternal, SourcesContent: api.SourcesContentInclude,
		Charset: api.CharsetUTF8, LogLevel: api.LogLevelSilent,
		TsconfigRaw: "{}", Metafile: true,
		Plugins: []api.Plugin{library, nesting},
	})
	names := sourceNames{wd: wd, script: abs, name: name}
	if err := buildError(res.Errors, names); err != nil {
		return nil, err
	}
	b := &Bundle{Name: name, Sources: map[string]string{name: text}, names: map[string]string{}}
	var sourceMap []byte
	for _, f := range res.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			sourceMap = f.Contents
		} else {
			b.code = lighten(string(f.Contents))
		}
	}
	sourceMap, err = b.nameSources(sourceMap, names)
	if err != nil {
		return nil, err
	}
	if b.Imports, err = importsOf(res.Metafile, wd, abs); err != nil {
		return nil, fmt.Errorf("imports of %s: %w", name, err)
	}
	prog, err := goja.Parse(bundleName, b.code+"\n//# sourceMappingURL="+bundleName+".map",
		parser.WithSourceMapLoader(func(string) ([]byte, error) { return sourceMap, nil }))
	if err == nil {
		b.Program, err = goja.CompileAST(prog, true)
	}
	if err != nil {
		return nil, &Error{File: name, Phase: "compile", Message: err.Error()}
	}
	return b, nil
}

// lighten makes a bundle's exports cheaper, in place of each line: esbuild copies
// them into a second object, and walks the prototypes of the first, which took a
// third of a runtime's set-up. Where esbuild writes something else, that stays.
func lighten(code string) string {
	code = strings.Replace(code, "    for (var name in all)\n",
		"    for (var names = Object.keys(all), name; name = names.shift(); )\n", 1)
	const last = "  return __toCommonJS("
	if i := strings.LastIndex(code, last); i >= 0 && strings.HasSuffix(code, ");\n})();\n") {
		code = code[:i] + "  return (" + code[i+len(last):]
	}
	return code
}

// importsOf reads which files esbuild has read for the script at path.
func importsOf(metafile, wd, path string) (paths []string, err error) {
	var meta struct {
		Inputs map[string]struct{} `json:"inputs"` // by path from wd, or namespace:name
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}
	for name := range meta.Inputs {
		if strings.HasPrefix(name, libraryNamespace+":") {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(wd, name)
		}
		if name != path {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return paths, nil
}

func loaderOf(name string) api.Loader {
	if ext := filepath.Ext(name); ext == ".ts" || ext == ".mts" || ext == ".cts" {
		return api.LoaderTS
	}
	return api.LoaderJS
}

// isTypeScript says whether text parses as TypeScript.
func isTypeScript(text string) bool {
	res := api.Transform(text, api.TransformOptions{Loader: api.LoaderTS, LogLevel: api.LogLevelSilent, TsconfigRaw: "{}"})
	return len(res.Errors) == 0
}

// buildError turns esbuild's first error into an *Error, or returns nil.
func buildError(msgs []api.Message, names sourceNames) error {
	if len(msgs) == 0 {
		return nil
	}
	m := msgs[0]
	e := &Error{Phase: "compile", File: names.name, Message: m.Text}
	if l := m.Location; l != nil {
		e.File, e.Line, e.Column, e.Excerpt = names.of(l.File), l.Line, l.Column+1, l.LineText
	}
	if strings.HasPrefix(m.Text, "Top-level await") {
		e.Message = "await has nothing to wait for here: a script has no files, no network and no clock"
		return e
	}
	if name, ok := unresolved(m.Text); ok {
		e.Message, e.Notes = importAdvice(name)
		return e
	}
	if text, notes, ok := exportAdvice(m.Text); ok {
		e.Message, e.Notes = text, notes
		return e
	}
	for _, n := range m.Notes {
		if !strings.HasSuffix(n.Text, ":") { // which points to a place
			e.Notes = append(e.Notes, n.Text)
		}
	}
	return e
}

// sourceNames gives source files the names that messages use: the script's as
// the user wrote it, those of imports relative to the working folder if they
// lie in it.
type sourceNames struct{ wd, script, name string }

func (n sourceNames) of(file string) string {
	abs := file
	if !filepath.IsAbs(file) {
		abs = filepath.Join(n.wd, file)
	}
	if abs == n.script || file == n.name {
		return n.name
	}
	if strings.HasPrefix(file, "..") {
		return abs
	}
	return file
}

// Source returns the name of the source file that goja calls file, "" for what
// esbuild has added: goja takes the names in a source map for URLs, relative to
// the bundle's.
func (b *Bundle) Source(file string) string {
	if name, ok := b.names[file]; ok {
		return name
	}
	if file == bundleName {
		return ""
	}
	return file
}

// Line returns line n of a source file, or "".
func (b *Bundle) Line(file string, n int) string {
	lines := strings.SplitN(b.Sources[file], "\n", n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}

// nameSources renames the files in a source map and remembers their texts.
func (b *Bundle) nameSources(sourceMap []byte, names sourceNames) ([]byte, error) {
	var m struct {
		Version        int      `json:"version"`
		Sources        []string `json:"sources"`
		SourcesContent []string `json:"sourcesContent"`
		Mappings       string   `json:"mappings"`
		Names          []string `json:"names"`
	}
	if err := json.Unmarshal(sourceMap, &m); err != nil {
		return nil, fmt.Errorf("source map of %s: %w", b.Name, err)
	}
	for i, path := range m.Sources {
		name := names.of(path)
		if _, known := b.Sources[name]; !known && i < len(m.SourcesContent) {
			b.Sources[name] = m.SourcesContent[i]
		}
		u := url.URL{Path: name}
		if filepath.IsAbs(name) { // goja would drop the slash of a path
			u.Scheme = "file"
		}
		m.Sources[i] = u.String()
		b.names[file.ResolveSourcemapURL(bundleName, m.Sources[i]).String()] = name
	}
	m.SourcesContent, m.Mappings = nil, shiftColumns(m.Mappings)
	return json.Marshal(m)
}

// Hash identifies what the script does: its text with that of all its imports.
func (b *Bundle) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(b.code)) }
