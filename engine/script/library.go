package script

import "github.com/evanw/esbuild/pkg/api"

// library resolves the imports that the host itself has.
var library = api.Plugin{Name: "library", Setup: func(api.PluginBuild) {}}
