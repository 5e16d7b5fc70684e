package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/filters"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/scripts"
)

// loadScript compiles the script at a path, or the shipped one of that name.
func loadScript(name string) (*script.Script, error) {
	path, text, err := readScript(name)
	if err != nil {
		return nil, err
	}
	return script.Compile(path, text)
}

// readScript reads the script at a path, or the shipped one of that name.
func readScript(name string) (path, text string, err error) {
	return readNamed(name, scripts.FS, ".js")
}

// loadFilter reads the filter at a path, or the shipped one of that name; ""
// selects everything that is valid.
func loadFilter(ctx context.Context, name string, limits script.Limits, console func(level, text string)) (*script.FilterScript, error) {
	if name == "" {
		return script.NewDocumentFilter(schema.All()), nil
	}

	path, text, err := readFilter(name)
	if err != nil {
		return nil, err
	}

	// The ending says which kind of filter it is.
	if ext := filepath.Ext(path); ext == ".js" || ext == ".ts" {
		compiled, err := script.Compile(path, text)
		if err != nil {
			return nil, err
		}
		return script.NewFilterScript(ctx, compiled, limits, console)
	}

	document, err := schema.ParseFilter([]byte(text))
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, fmt.Errorf("filter %s: %w", path, err))
	}
	return script.NewDocumentFilter(document), nil
}

// readFilter reads the filter at a path, or the shipped one of that name.
func readFilter(name string) (path, text string, err error) {
	return readNamed(name, filters.FS, ".json", ".js")
}

// readNamed reads a file, or the shipped one of that name, with or without its
// ending. path is the name with the ending.
func readNamed(name string, shipped embed.FS, exts ...string) (path, text string, err error) {
	// A file in the working folder comes before a shipped one of the same name.
	b, err := os.ReadFile(name)
	if err == nil {
		return name, string(b), nil
	}

	// A name with a folder is a path, and can be no shipped file.
	if !errors.Is(err, os.ErrNotExist) || strings.ContainsRune(name, filepath.Separator) {
		return "", "", cli.Fail(cli.ExitUsage, err)
	}

	for _, ext := range append([]string{""}, exts...) {
		if b, err := shipped.ReadFile(name + ext); err == nil {
			return name + ext, string(b), nil
		}
	}

	// Neither: name the shipped ones, the most similar first.
	all := shippedNames(shipped, exts...)
	hint := "shipped are " + strings.Join(all, ", ")
	if near := suggest.Nearest(strings.TrimSuffix(name, filepath.Ext(name)), all); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return "", "", cli.WithHint(cli.Usage("%s: no such file, and nothing of that name is shipped", name), hint)
}

// shippedNames returns the names of the files, without their endings.
func shippedNames(files embed.FS, exts ...string) (all []string) {
	entries, _ := files.ReadDir(".") // embedded: it cannot fail
	for _, e := range entries {
		name := e.Name()
		for _, ext := range exts {
			name = strings.TrimSuffix(name, ext)
		}
		all = append(all, name)
	}
	return all
}
