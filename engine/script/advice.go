package script

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
)

// missingHere are globals of other JavaScript hosts, with what to do instead.
var missingHere = map[string]string{
	"require":         "import works: import { median } from \"stats\", or a file beside the script",
	"process":         "a script sees its records and nothing of the machine",
	"fs":              "a script has no files; import data as JSON or CSV: import data from \"./data.json\"",
	"job":             "the rows of another job are imported: import rows from \"job:./first.js\"",
	"fetch":           "a script has no network",
	"setTimeout":      "a script has no clock; a call is over when it returns",
	"setInterval":     "a script has no clock; a call is over when it returns",
	"performance":     "a script has no clock, so that every run gives the same output",
	"crypto":          "a script has no random numbers, so that every run gives the same output",
	"structuredClone": "what is written is copied; of a ping, copy the members you need",
	"window":          "a script runs in no browser",
	"document":        "a script runs in no browser",
	"Buffer":          "use strings and arrays, or Uint8Array",
	"TextEncoder":     "use strings and arrays, or Uint8Array",
	"context":         "the last parameter of map and reduce is the context: name it in your function",
	"emit":            "write through the last parameter: ctx.write(key, value)",
	"TextDecoder":     "use strings and arrays, or Uint8Array",
	"XMLHttpRequest":  "a script has no network",
}

var (
	noMember   = regexp.MustCompile(`^TypeError: Object has no member '([^']+)'`)
	noProperty = regexp.MustCompile(`^TypeError: Cannot read property '([^']*)' of (undefined|null)`)
	notDefined = regexp.MustCompile(`^ReferenceError: (\S+) is not defined`)
)

// advice says what a person may do about a failure; nothing where the message says it all.
// goja gives its errors no class, so that the text decides; it decides nothing else.
func advice(failure *Error) []string {
	if errors.Is(failure.Cause, ErrStack) {
		return []string{"A function that calls itself must end somewhere."}
	}

	if match := noMember.FindStringSubmatch(failure.Message); match != nil {
		return adviseMember(failure, match[1])
	}

	if match := noProperty.FindStringSubmatch(failure.Message); match != nil && failure.Phase == declare.Map {
		return []string{fmt.Sprintf("Not every ping has every section: ?.%s gives undefined where it is missing.", match[1])}
	}

	if match := notDefined.FindStringSubmatch(failure.Message); match != nil {
		if text, ok := missingHere[match[1]]; ok {
			return []string{fmt.Sprintf("There is no %s here: %s.", match[1], text)}
		}
	}

	return nil
}

// adviseMember says which member of ctx a missing one may have meant.
func adviseMember(e *Error, name string) []string {
	if !strings.Contains(e.Excerpt, "."+name) {
		return nil
	}

	if near := suggest.Nearest(name, declare.ContextMembers()); near != "" {
		return []string{fmt.Sprintf("Did you mean %s?", near)}
	}

	// What other MapReduce systems call it.
	if slices.Contains([]string{"emit", "print", "output", "collect"}, name) {
		return []string{"Did you mean ctx.write(key, value)?"}
	}

	return nil
}

// suggestExport names the export that looks like the one that is missing.
func suggestExport(missing string, exports []string) string {
	near := suggest.Nearest(missing, exports)
	if _, declared := declare.Find(near); near == "" || declared {
		return ""
	}
	return fmt.Sprintf("Did you mean %s where it has %s?", missing, near)
}
