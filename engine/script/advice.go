package script

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// missingHere are globals of other JavaScript hosts, with what to do instead.
var missingHere = map[string]string{
	"require":        "import works: import { median } from \"stats\", or a file beside the script",
	"process":        "a script sees its records and nothing of the machine",
	"fs":             "a script has no files; import data as JSON: import data from \"./data.json\"",
	"fetch":          "a script has no network",
	"setTimeout":     "a script has no clock; a call is over when it returns",
	"setInterval":    "a script has no clock; a call is over when it returns",
	"performance":    "a script has no clock, so that every run gives the same output; use tmrun --profile",
	"crypto":         "a script has no random numbers, so that every run gives the same output",
	"window":         "a script runs in no browser",
	"document":       "a script runs in no browser",
	"Buffer":         "use strings and arrays, or Uint8Array",
	"TextEncoder":    "use strings and arrays, or Uint8Array",
	"context":        "the last parameter of map and reduce is the context: name it in your function",
	"emit":           "write through the last parameter: ctx.write(key, value)",
	"TextDecoder":    "use strings and arrays, or Uint8Array",
	"XMLHttpRequest": "a script has no network",
}

var (
	noMember   = regexp.MustCompile(`^TypeError: Object has no member '([^']+)'`)
	noProperty = regexp.MustCompile(`^TypeError: Cannot read property '([^']*)' of (undefined|null)`)
	notDefined = regexp.MustCompile(`^ReferenceError: (\S+) is not defined`)
)

// advice says what a person may do about e; nothing where the message says it all.
func advice(e *Error) []string {
	switch {
	case errors.Is(e.Cause, ErrStack):
		return []string{"A function that calls itself must end somewhere."}
	case errors.Is(e.Cause, ErrTimeout):
		return []string{"--call-timeout gives a call more time; 0 is no limit."}
	}
	if m := noMember.FindStringSubmatch(e.Message); m != nil {
		if !strings.Contains(e.Excerpt, "."+m[1]) {
			return nil
		}
		if near := nearest(m[1], ctxMembers); near != "" {
			return []string{fmt.Sprintf("Did you mean %s?", near)}
		}
	}
	if m := noProperty.FindStringSubmatch(e.Message); m != nil && e.Phase == "map" {
		return []string{fmt.Sprintf("Not every ping has every section: ?.%s gives undefined where it is missing.", m[1])}
	}
	if m := notDefined.FindStringSubmatch(e.Message); m != nil {
		if text, ok := missingHere[m[1]]; ok {
			return []string{fmt.Sprintf("There is no %s here: %s.", m[1], text)}
		}
	}
	return nil
}

// nearest returns the candidate that differs from name by at most a third of its
// letters, the first of the nearest, or "".
func nearest(name string, candidates []string) string {
	best, least := "", len(name)/3+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least || d == least && best == "" {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b of a.
func distance(a, b string) int {
	rows := [3][]int{}
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, cur := rows[0], rows[1], rows[2]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = prev, cur, before
	}
	return rows[1][len(b)]
}

// suggestExport says which export looks like the one that is missing.
func suggestExport(want string, exports []string) string {
	if near := nearest(want, exports); near != "" && !slices.Contains(entryPoints, near) {
		return fmt.Sprintf("Did you mean %s where it has %s?", want, near)
	}
	return ""
}
