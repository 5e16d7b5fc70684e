package bundle

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
)

// buildError turns esbuild's first error into an *Error, or returns nil. esbuild
// gives its errors no class, so that its text decides which advice is added.
func buildError(messages []api.Message, names sourceNames) error {
	if len(messages) == 0 {
		return nil
	}
	return newBuildError(messages[0], names)
}

// warnings turns esbuild's warnings into errors of that phase.
func warnings(messages []api.Message, names sourceNames) (list []*Error) {
	for _, message := range messages {
		warning := newBuildError(message, names)
		warning.Phase = "warning"
		list = append(list, warning)
	}
	return list
}

// enumWithoutValue is how esbuild writes a member of an enum behind one whose value
// it does not know: the member is undefined.
var enumWithoutValue = regexp.MustCompile(`\w+\[\w+\["(\w+)"\] = void 0\] = "`)

// enumError returns the error for an enum whose members count on from a value that
// is not known before the script runs; nil if all are known.
func (b *Bundle) enumError() error {
	found := enumWithoutValue.FindStringSubmatch(b.code)
	if found == nil {
		return nil
	}

	missing := &Error{File: b.Name, Phase: "compile", Message: "the enum member " + found[1] + " needs a value: that of the member before it is not known before the script runs"}
	for i, line := range strings.Split(b.Sources[b.Name], "\n") {
		if column := strings.Index(line, found[1]); column >= 0 && strings.Contains(line, "enum") {
			missing.Line, missing.Column, missing.Excerpt = i+1, column+1, line
			break
		}
	}

	return missing
}

// newBuildError turns one of esbuild's messages into an *Error, with advice of our
// own where there is any.
func newBuildError(message api.Message, names sourceNames) *Error {
	failed := &Error{Phase: "compile", File: names.name, Message: message.Text}
	if place := message.Location; place != nil {
		failed.File, failed.Line, failed.Column, failed.Excerpt = names.of(place.File), place.Line, place.Column+1, place.LineText
	}

	// What has advice of our own.
	if strings.HasPrefix(message.Text, "Top-level await") {
		failed.Message = "await has nothing to wait for here: a script has no files, no network and no clock"
		return failed
	}

	if found := couldNotResolve.FindStringSubmatch(message.Text); found != nil {
		failed.Message, failed.Notes = importAdvice(found[1])
		return failed
	}

	if found := noExport.FindStringSubmatch(message.Text); found != nil {
		failed.Message, failed.Notes = exportAdvice(found[1], found[2])
		return failed
	}

	if strings.Contains(message.Text, `was loaded with the "js" loader`) {
		failed.Message = `write this import without assert { type: "json" }, which ECMAScript has no longer, or with { type: "json" }`
		return failed
	}

	if found := noMember.FindStringSubmatch(message.Text); found != nil {
		failed.Message = fmt.Sprintf("%s has no %q at its top level", names.ofPath(found[1]), found[2])
		return failed
	}

	// Where a data file is imported, in place of esbuild's plugin.
	for i, note := range message.Notes {
		if place := note.Location; place != nil && strings.HasPrefix(note.Text, `The plugin "data"`) {
			message.Notes[i].Text = fmt.Sprintf("It is imported at %s:%d:%d.", names.of(place.File), place.Line, place.Column+1)
		}
	}

	// Of esbuild's own notes, those that say something without the place they point to.
	for _, note := range message.Notes {
		pointsToPlace := strings.HasSuffix(note.Text, ":")
		if !pointsToPlace {
			failed.Notes = append(failed.Notes, note.Text)
		}
	}

	return failed
}

var (
	couldNotResolve = regexp.MustCompile(`^Could not resolve "([^"]*)"`)
	noExport        = regexp.MustCompile(`^No matching export in "` + libraryNamespace + `:(\w+)\.js" for import "(\w+)"`)
	noMember        = regexp.MustCompile(`^No matching export in "` + dataNamespace + `:(.+)" for import "([^"]+)"`)
)

// exportAdvice says what a module of the library has in place of what a script
// imports.
func exportAdvice(module, name string) (message string, notes []string) {
	all := declare.Members(module)
	near := suggest.Nearest(name, all)
	if near != "" {
		notes = append(notes, fmt.Sprintf("Did you mean %s?", near))
	}
	notes = append(notes, "It has "+strings.Join(all, ", ")+".")
	return fmt.Sprintf("%q has no %s", module, name), notes
}

// nodeModules are modules of Node that scripts look for, with what takes their place.
var nodeModules = map[string]string{
	"fs":            "a script has no file access: import data (import rows from \"./rows.csv\", JSON too), and write through ctx",
	"path":          "a script has no file access",
	"os":            "a script sees its records and nothing of the machine",
	"process":       "a script sees its records and nothing of the machine",
	"child_process": "a script cannot start programs",
	"http":          "a script has no network",
	"https":         "a script has no network",
	"net":           "a script has no network",
	"crypto":        "a script has no random numbers, so that every run gives the same output",
	"buffer":        "use strings and arrays, or Uint8Array",
}

// importAdvice says what a person may do about an import that is not there.
func importAdvice(name string) (message string, notes []string) {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/") {
		return fmt.Sprintf("there is no file %q to import", name), []string{"Paths are relative to the file that imports; the ending may be left out."}
	}

	message = fmt.Sprintf("there is no module %q", name)
	module, _, _ := strings.Cut(strings.TrimPrefix(name, "node:"), "/")
	if why, ok := nodeModules[module]; ok {
		return message, []string{fmt.Sprintf("Modules of Node are not here: %s.", why)}
	}

	near := suggest.Nearest(name, declare.Modules())
	if near != "" {
		notes = append(notes, fmt.Sprintf("Did you mean %q?", near))
	}

	notes = append(notes, fmt.Sprintf("There are %s; a file beside the script is imported as \"./%s.js\".", strings.Join(declare.Modules(), ", "), path.Base(name)))
	return message, notes
}
