package schemas

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// suffix is that of a schema's file.
const suffix = ".schema.json"

// base begins the URL of each schema: it is no scheme that anything fetches.
const base = "folder:///"

// set are the schemas of a folder by namespace/type/version, for one check at a time: what
// they do is paid from one budget.
type set struct {
	schemas map[string]*jsonschema.Schema
	budget  *budget
}

// folder is what Load has read of a folder: the documents by the names of their files.
type folder map[string]any

// read reads the schemas of a folder.
func read(dir string) (folder, error) {
	documents := folder{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, suffix) {
			return err
		}

		file, err := root.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()

		documents[name], err = jsonschema.UnmarshalJSON(file)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err == nil && len(documents) == 0 {
		err = fmt.Errorf("%s: no files *%s in it", dir, suffix)
	}
	return documents, err
}

// compile makes a set of the documents.
func (f folder) compile() (*set, error) {
	compiled := &set{map[string]*jsonschema.Schema{}, &budget{}}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(folderOnly{})
	compiler.UseRegexpEngine(compiled.budget.compilePattern)
	compiler.RegisterVocabulary(compiled.budget.vocabulary())
	compiler.AssertVocabs()

	// All of them are known before one is compiled: they may refer to each other.
	names := slices.Sorted(maps.Keys(f))
	for _, name := range names {
		if err := compiler.AddResource(base+name, f[name]); err != nil {
			return nil, err
		}
	}

	for _, name := range names {
		key, err := keyOf(name)
		if err != nil {
			return nil, err
		}
		compiled.schemas[key], err = compiler.Compile(base + name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return compiled, nil
}

// keyOf returns what a file's schema is found by: …/namespace/type/type.version.schema.json
// becomes namespace/type/version.
func keyOf(name string) (string, error) {
	folders, file := path.Split(name)
	kind, version, ok := strings.Cut(strings.TrimSuffix(file, suffix), ".")
	namespace := path.Base(path.Dir(path.Clean(folders)))
	if !ok || namespace == "." {
		return "", fmt.Errorf("%s: want <namespace>/<type>/<type>.<version>%s", name, suffix)
	}
	return namespace + "/" + kind + "/" + version, nil
}

// folderOnly loads nothing: what a schema refers to is in the folder.
type folderOnly struct{}

// Load implements jsonschema.URLLoader.
func (folderOnly) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not in the folder", strings.TrimPrefix(url, base))
}
