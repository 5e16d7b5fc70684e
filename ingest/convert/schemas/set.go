package schemas

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// suffix is that of a schema's file.
const suffix = ".schema.json"

// patternTimeout bounds one match of a regular expression. Expressions are the operator's,
// the texts are strangers'. One that takes longer does not match.
const patternTimeout = 100 * time.Millisecond

// base begins the URL of each schema: it is no scheme that anything fetches.
const base = "folder:///"

// set are the schemas of a folder by namespace/type/version. It is safe for concurrent use.
type set map[string]*jsonschema.Schema

// load compiles the schemas of a folder.
func load(dir string) (set, error) {
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(folderOnly{})
	compiler.UseRegexpEngine(compilePattern)

	// All of them are known before one is compiled: they may refer to each other.
	var names []string
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

		document, err := jsonschema.UnmarshalJSON(file)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		names = append(names, name)
		return compiler.AddResource(base+name, document)
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no files *%s in it", dir, suffix)
	}

	loaded := set{}
	for _, name := range names {
		key, err := keyOf(name)
		if err != nil {
			return nil, err
		}
		loaded[key], err = compiler.Compile(base + name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return loaded, nil
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

// pattern is a regular expression as JavaScript has them, with the look-aheads that Go's
// do not have.
type pattern struct{ *regexp2.Regexp }

// MatchString implements jsonschema.Regexp.
func (p pattern) MatchString(text string) bool {
	matched, err := p.Regexp.MatchString(text)
	return err == nil && matched // an error is a timeout
}

func compilePattern(text string) (jsonschema.Regexp, error) {
	compiled, err := regexp2.Compile(text, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	compiled.MatchTimeout = patternTimeout
	return pattern{compiled}, nil
}
