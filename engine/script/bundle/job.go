package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

// JobPrefix begins the import of another job's result: import rows from "job:./first.js".
const JobPrefix = "job:"

// jobNamespace is that of modules which are the result of a job, and wholeJobNamespace
// that of those which require asks for.
const (
	jobNamespace      = "job"
	wholeJobNamespace = "whole-job"
)

// JobImport is a job whose result a script imports.
type JobImport struct {
	Name string // as in messages; the program knows the result by it
	Path string // of the script: absolute, or the name of a shipped one
}

// jobImports are those of one build.
type jobImports struct {
	names sourceNames

	mu   sync.Mutex // protects list
	list []JobImport
}

// plugin resolves and loads the results of jobs.
func (j *jobImports) plugin() api.Plugin {
	return api.Plugin{Name: "job", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: "^" + JobPrefix}, func(args api.OnResolveArgs) (res api.OnResolveResult, err error) {
			// A path is that of a file beside the importing one, a plain name that of a
			// shipped script.
			res.Path = strings.TrimPrefix(args.Path, JobPrefix)
			if strings.HasPrefix(res.Path, ".") {
				res.Path = filepath.Join(args.ResolveDir, res.Path)
			}
			if _, err := os.Stat(res.Path); filepath.IsAbs(res.Path) && err != nil {
				res.Errors = []api.Message{{Text: fmt.Sprintf("there is no job %q: %v", args.Path, err)}}
				return res, nil
			}

			res.Namespace = jobNamespace
			if args.Kind != api.ResolveJSImportStatement {
				res.Namespace = wholeJobNamespace
			}
			return res, nil
		})

		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: jobNamespace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			return j.module("export default ", args.Path)
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: wholeJobNamespace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			return j.module("module.exports = ", args.Path)
		})
	}}
}

// module returns the module of a job's result.
func (j *jobImports) module(exports, path string) (api.OnLoadResult, error) {
	name := path
	if filepath.IsAbs(path) {
		name = j.names.ofPath(path)
	}

	j.mu.Lock()
	j.list = append(j.list, JobImport{Name: name, Path: path})
	j.mu.Unlock()

	text := fmt.Sprintf("%s__host.result(%q)", exports, name)
	return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
}

// all returns the jobs, sorted by name, each once.
func (j *jobImports) all() []JobImport {
	slices.SortFunc(j.list, func(a, b JobImport) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(j.list)
}
