package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/script/datafile"
)

// A data file becomes a module that takes its value from the host, which parses the
// file once: as part of the program, every task would evaluate it again.
//
// An import statement gets an ES module, with a name for each member of the file's
// object, so that a wrong name is an error at its place. Other imports, require and
// `import * as`, get the value as a whole: the module of 20,000 members would be made
// of them in each task.
const (
	dataNamespace  = "data"
	wholeNamespace = "whole-data"
)

// dataFiles are the data files of one build.
type dataFiles struct {
	names sourceNames
	text  string // the script's own

	mu    sync.Mutex // protects files
	files map[string]*datafile.File
}

func newDataFiles(names sourceNames, text string) *dataFiles {
	return &dataFiles{names: names, text: text, files: map[string]*datafile.File{}}
}

// plugin resolves and loads the data files that a script imports.
func (d *dataFiles) plugin() api.Plugin {
	return api.Plugin{Name: "data", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			// This one asks esbuild itself where the file is.
			if args.PluginData == dataNamespace || args.Namespace != "file" && args.Namespace != "" {
				return api.OnResolveResult{}, nil
			}
			found := build.Resolve(args.Path, api.ResolveOptions{
				Importer: args.Importer, Namespace: args.Namespace, ResolveDir: args.ResolveDir, Kind: args.Kind, PluginData: dataNamespace,
			})
			if len(found.Errors) > 0 || found.Namespace != "file" || !datafile.Is(found.Path) {
				return api.OnResolveResult{}, nil
			}

			namespace := dataNamespace
			if args.Kind != api.ResolveJSImportStatement || d.importsAll(args.Importer, args.Path) {
				namespace = wholeNamespace
			}
			return api.OnResolveResult{Path: found.Path, Namespace: namespace}, nil
		})

		for _, namespace := range []string{dataNamespace, wholeNamespace} {
			build.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: namespace}, d.load)
		}
	}}
}

// importsAll reports whether a file has `import * as name from` of a path. It looks at
// the text alone; where it is wrong, the script does the same more slowly.
func (d *dataFiles) importsAll(importer, path string) bool {
	text := d.text
	if importer != d.names.script && filepath.IsAbs(importer) {
		content, err := os.ReadFile(importer)
		if err != nil {
			return false
		}
		text = string(content)
	}

	found, err := regexp.MatchString(`\*\s*as\s+[\w$]+\s+from\s*["']`+regexp.QuoteMeta(path)+`["']`, text)
	return err == nil && found
}

// load parses a data file and returns its module.
func (d *dataFiles) load(args api.OnLoadArgs) (res api.OnLoadResult, err error) {
	text, err := os.ReadFile(args.Path)
	if err != nil {
		return res, err
	}

	name := d.names.ofPath(args.Path)
	file, err := datafile.Parse(args.Path, name, text)
	if failed, ok := errors.AsType[*datafile.Error](err); ok {
		res.Errors = []api.Message{placed(name, text, failed)}
		return res, nil
	}
	for _, warning := range file.Warnings {
		res.Warnings = append(res.Warnings, placed(name, text, warning))
	}

	d.mu.Lock()
	d.files[file.ID] = file
	d.mu.Unlock()

	module := wholeModule(file)
	if args.Namespace == dataNamespace {
		module = namedModule(file)
	}
	res.Contents = &module
	res.Loader = api.LoaderJS
	return res, nil
}

// placed returns an error of a data file for esbuild.
func placed(name string, text []byte, failed *datafile.Error) api.Message {
	line := ""
	if lines := strings.SplitN(string(text), "\n", failed.Line+1); failed.Line <= len(lines) {
		line = strings.TrimRight(strings.TrimPrefix(lines[failed.Line-1], "\uFEFF"), "\r")
	}
	return api.Message{Text: failed.Message, Location: &api.Location{File: name, Line: failed.Line, Column: failed.Column - 1, LineText: line}}
}

// wholeModule is the CommonJS module whose exports are the file's value.
func wholeModule(file *datafile.File) string {
	return fmt.Sprintf("module.exports = __host.data(%q)", file.ID)
}

// namedModule is the ES module of a file. esbuild leaves out what no file imports.
func namedModule(file *datafile.File) string {
	var text strings.Builder
	fmt.Fprintf(&text, "export default /* @__PURE__ */ __host.data(%q)\n", file.ID)
	if file.Root.Node == nil || file.Root.Node.Shape == nil {
		return text.String()
	}

	for i, name := range file.Root.Node.Shape.Names {
		if name == "default" || !identifier.MatchString(name) {
			continue
		}
		quoted, _ := json.Marshal(name) // a string: it cannot fail
		fmt.Fprintf(&text, "const v%d = /* @__PURE__ */ __host.data(%q, %s)\nexport { v%d as %s }\n", i, file.ID, quoted, i, name)
	}
	return text.String()
}

// identifier is a name that an import statement can have.
var identifier = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$]*$`)
