package bundle

import (
	"embed"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
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
	var names []string
	entries, _ := libraryFiles.ReadDir("lib")
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".js"))
	}
	b.OnResolve(api.OnResolveOptions{Filter: "^(" + strings.Join(names, "|") + ")$"},
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
