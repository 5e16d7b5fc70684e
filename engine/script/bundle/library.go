package bundle

import (
	"embed"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// libraryFiles are the modules that scripts import by a bare name, as package
// declare lists them.
//
//go:embed lib/*.js
var libraryFiles embed.FS

// libraryNamespace keeps modules of the library apart from files.
const libraryNamespace = "library"

// library resolves imports of the library's modules.
var library = api.Plugin{Name: "library", Setup: func(b api.PluginBuild) {
	modules := "^(" + strings.Join(declare.Modules(), "|") + ")$"
	b.OnResolve(api.OnResolveOptions{Filter: modules}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		return api.OnResolveResult{Path: a.Path + ".js", Namespace: libraryNamespace}, nil
	})

	// The files are part of the program, not of the disk.
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: libraryNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		text, err := libraryFiles.ReadFile(path.Join("lib", a.Path))
		contents := string(text)
		return api.OnLoadResult{Contents: &contents, Loader: api.LoaderJS}, err
	})
}}
