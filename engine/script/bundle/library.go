package bundle

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
)

// libraryFiles are the modules that scripts import by a bare name: stats, csv,
// histogram.
//
//go:embed lib/*.js
var libraryFiles embed.FS

// libraryNamespace keeps them apart from files.
const libraryNamespace = "library"

// library resolves the imports that the host itself has.
var library = api.Plugin{Name: "library", Setup: func(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: "^(" + strings.Join(declare.Modules(), "|") + ")$"},
		func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: a.Path + ".js", Namespace: libraryNamespace}, nil
		})
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: libraryNamespace},
		func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := libraryFiles.ReadFile(path.Join("lib", a.Path))
			s := string(text)
			return api.OnLoadResult{Contents: &s, Loader: api.LoaderJS}, err
		})
}}

var couldNotResolve = regexp.MustCompile(`^Could not resolve "([^"]*)"`)

// unresolved returns what an import names that esbuild says it has not found.
func unresolved(message string) (name string, ok bool) {
	m := couldNotResolve.FindStringSubmatch(message)
	if m == nil {
		return "", false
	}
	return m[1], true
}

var noExport = regexp.MustCompile(`^No matching export in "` + libraryNamespace + `:(\w+)\.js" for import "(\w+)"`)

// exportAdvice says what a library module has instead of what a script imports.
func exportAdvice(message string) (text string, notes []string, ok bool) {
	m := noExport.FindStringSubmatch(message)
	if m == nil {
		return "", nil, false
	}
	all := declare.Members(m[1])
	if near := suggest.Nearest(m[2], all); near != "" {
		notes = append(notes, fmt.Sprintf("Did you mean %s?", near))
	}
	return fmt.Sprintf("%q has no %s", m[1], m[2]), append(notes, "It has "+strings.Join(all, ", ")+"."), true
}

// nodeModules are modules of Node that scripts look for, with what takes their place.
var nodeModules = map[string]string{
	"fs":            "a script has no file access: import data as JSON (import data from \"./data.json\"), and write through ctx",
	"path":          "a script has no file access",
	"os":            "a script sees its records and nothing of the machine",
	"process":       "a script sees its records and nothing of the machine",
	"child_process": "a script cannot start programs",
	"http":          "a script has no network",
	"https":         "a script has no network",
	"net":           "a script has no network",
	"crypto":        "a script has no random numbers, so that every run gives the same output",
	"buffer":        "use strings and arrays, or Uint8Array",
}

// importAdvice says what a person may do about an import that is not there.
func importAdvice(name string) (message string, notes []string) {
	message = fmt.Sprintf("there is no module %q", name)
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/") {
		return fmt.Sprintf("there is no file %q to import", name), []string{"Paths are relative to the file that imports; the ending may be left out."}
	}
	module, _, _ := strings.Cut(strings.TrimPrefix(name, "node:"), "/")
	if why, ok := nodeModules[module]; ok {
		return message, []string{fmt.Sprintf("Modules of Node are not here: %s.", why)}
	}
	if near := suggest.Nearest(name, declare.Modules()); near != "" {
		notes = append(notes, fmt.Sprintf("Did you mean %q?", near))
	}
	return message, append(notes, fmt.Sprintf("There are %s; a file beside the script is imported as \"./%s.js\".", strings.Join(declare.Modules(), ", "), path.Base(name)))
}
