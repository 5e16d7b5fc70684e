package script

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/datafile"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/value"
)

// Script is a compiled script. It is immutable and safe for concurrent use.
type Script struct {
	*bundle.Bundle
	results map[string]*datafile.File // of the jobs that it imports, by name
	setup   func(*host)               // makes more globals, before the script runs; or nil

	// fieldNames returns the names in the script's text, which may be those of fields.
	fieldNames func() *value.FieldNames
}

// CompileFile reads the script at path and compiles it. Errors of the script
// are *Error.
func CompileFile(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	return Compile(path, string(text))
}

// Compile compiles a script, as package bundle does. Errors of the script are
// *Error.
func Compile(name, text string) (*Script, error) {
	compiled, err := bundle.Compile(name, text)
	if err != nil {
		return nil, err
	}
	fieldNames := sync.OnceValue(func() *value.FieldNames { return namesIn(compiled.Sources) })
	return &Script{Bundle: compiled, fieldNames: fieldNames}, nil
}

// WithResults returns the script with the results of the jobs that it imports, by name.
func (s *Script) WithResults(results map[string]*datafile.File) *Script {
	with := *s
	with.results = results
	return &with
}

// HasResults reports whether the script has the results of the jobs that it imports.
func (s *Script) HasResults() bool { return len(s.results) == len(s.Jobs) }

// WithEmptyResults returns the script as if the jobs that it imports had written nothing,
// to see what it exports before they have run.
func (s *Script) WithEmptyResults() *Script {
	empty := map[string]*datafile.File{}
	for _, imported := range s.Jobs {
		empty[imported.Name], _ = datafile.NewResult(imported.Name, nil) // no rows: it cannot fail
	}
	return s.WithResults(empty)
}

// Exports is what a script exports.
type Exports struct {
	Names     []string
	Tables    []string // names of the tables among them
	functions map[string]bool
}

// Function reports whether a function is exported by a declared name or one of
// its aliases.
func (e Exports) Function(declared string) bool {
	return slices.ContainsFunc(declare.Names(declared), func(name string) bool { return e.functions[name] })
}

// Has reports whether a script that exports this is of a kind.
func (e Exports) Has(kind declare.Kind) bool {
	return slices.ContainsFunc(declare.Making(kind), func(name string) bool {
		declared, _ := declare.Find(name)
		return e.Function(name) || declared.Constant() && slices.Contains(e.Names, name)
	})
}

// Exports runs the script's top level and returns what it exports. Errors are *Error.
func (s *Script) Exports(ctx context.Context, limits Limits) (Exports, error) {
	found := Exports{functions: map[string]bool{}}
	h, err := newHost(ctx, s, limits, nil, func(h *host) error {
		found.Names = h.exports.Keys()
		found.Tables = h.tables.Names()
		for _, name := range found.Names {
			_, found.functions[name] = goja.AssertFunction(h.exports.Get(name))
		}
		return nil
	})
	if err != nil {
		return Exports{}, err
	}

	h.close()
	return found, nil
}

// NoMap returns the error of a script without map, which says what it exports
// instead.
func (s *Script) NoMap(exports []string) *Error {
	missing := &Error{File: s.Name, Phase: "load", Message: "the script has no function map"}
	mapFunction, _ := declare.Find(declare.Map)
	form := "export function " + mapFunction.Signature() + " { … }."
	if len(exports) == 0 {
		missing.Notes = append(missing.Notes, "It exports nothing: "+form)
		return missing
	}

	missing.Notes = append(missing.Notes, "It exports "+strings.Join(exports, ", ")+".")
	if slices.Contains(exports, "default") {
		missing.Notes = append(missing.Notes, "A default export counts if it is an object with map: else write "+form)
	}

	// The likely mistake is a name with another spelling.
	if hint := suggestExport(declare.Map, exports); hint != "" {
		missing.Notes = append(missing.Notes, hint)
	}

	return missing
}
