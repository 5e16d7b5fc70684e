package bundle

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dop251/goja/file"
)

// sourceNames gives source files the names that messages use: the script's as
// the user wrote it, those of imports relative to the working folder if they
// lie in it.
type sourceNames struct {
	wd     string // the working folder
	script string // the script's absolute path
	name   string // the script's path as given
}

func newSourceNames(name string) (sourceNames, error) {
	wd, err := os.Getwd()
	if err != nil {
		return sourceNames{}, err
	}

	script, err := filepath.Abs(name)
	if err != nil {
		return sourceNames{}, err
	}

	return sourceNames{wd: wd, script: script, name: name}, nil
}

// of returns the name of a file that esbuild names relative to the working folder.
func (n sourceNames) of(file string) string {
	abs := file
	if !filepath.IsAbs(file) {
		abs = filepath.Join(n.wd, file)
	}

	// Outside of the working folder the absolute path is shorter than many "..".
	switch {
	case abs == n.script || file == n.name:
		return n.name
	case strings.HasPrefix(file, ".."):
		return abs
	}

	return file
}

// ofPath returns the name of the file at an absolute path.
func (n sourceNames) ofPath(path string) string {
	relative, err := filepath.Rel(n.wd, path)
	if err != nil {
		return path
	}
	return n.of(relative)
}

// Source returns the name of the source file that goja calls file, "" for what
// esbuild has added.
func (b *Bundle) Source(file string) string {
	if name, ok := b.names[file]; ok {
		return name
	}
	if file == bundleName {
		return ""
	}
	return file
}

// nameSources renames the files in a source map, and keeps their texts and what
// goja will call them.
func (b *Bundle) nameSources(sourceMap []byte, names sourceNames) ([]byte, error) {
	var parsed struct {
		Version        int      `json:"version"`
		Sources        []string `json:"sources"`
		SourcesContent []string `json:"sourcesContent"`
		Mappings       string   `json:"mappings"`
		Names          []string `json:"names"`
	}
	if err := json.Unmarshal(sourceMap, &parsed); err != nil {
		return nil, fmt.Errorf("source map of %s: %w", b.Name, err)
	}

	for i, path := range parsed.Sources {
		name := names.of(path)
		_, known := b.Sources[name]
		if !known && i < len(parsed.SourcesContent) {
			b.Sources[name] = parsed.SourcesContent[i]
		}

		// goja takes the names in a source map for URLs, relative to the bundle's. It
		// would drop the slash of an absolute path.
		address := url.URL{Path: name}
		if filepath.IsAbs(name) {
			address.Scheme = "file"
		}
		parsed.Sources[i] = address.String()
		b.names[file.ResolveSourcemapURL(bundleName, parsed.Sources[i]).String()] = name
	}

	parsed.SourcesContent = nil
	parsed.Mappings = shiftColumns(parsed.Mappings)
	return json.Marshal(parsed)
}
