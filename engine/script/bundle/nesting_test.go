package bundle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNesting: sources that would use up the parser's stack, which ends the process,
// are errors with a place.
func TestNesting(t *testing.T) {
	const n = 1_000_000
	for name, text := range map[string]string{
		"parentheses": strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"arrays":      strings.Repeat("[", n) + strings.Repeat("]", n),
		"blocks":      "1;" + strings.Repeat("{;", n) + strings.Repeat("}", n),
		"templates":   strings.Repeat("`${", n) + "1" + strings.Repeat("}`", n),
		"arrows":      strings.Repeat("a=>", n) + "1",
		"operators":   strings.Repeat("!", n) + "1",
		"sums":        "1" + strings.Repeat("+1", n),
		"members":     "x" + strings.Repeat(".b", n),
		"calls":       "x" + strings.Repeat("()", n),
		"else":        "1;" + strings.Repeat("if(1);else ", n) + ";",
		"else block":  "1;" + strings.Repeat("if(1){}else ", n) + ";",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()

			// In the script itself.
			deep := filepath.Join(dir, "deep.js")
			_, err := Compile(deep, "export function map() {}\nvar x = "+text)
			if e, ok := errors.AsType[*Error](err); !ok || e.File != deep || e.Line != 2 || !strings.Contains(e.Message, "nests too deep") {
				t.Errorf("error %.200v", err)
			}

			// In a file that the script imports.
			if err := os.WriteFile(deep, []byte("export var x = "+text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = Compile(filepath.Join(dir, "job.js"), `import { x } from "./deep.js"; export function map() { return x }`)
			if e, ok := errors.AsType[*Error](err); !ok || e.File != deep || e.Line != 1 || !strings.Contains(e.Message, "nests too deep") {
				t.Errorf("imported: error %.200v", err)
			}
		})
	}
}

// TestNestingOfLongSources: what is long, but not deep, compiles.
func TestNestingOfLongSources(t *testing.T) {
	for name, text := range map[string]string{
		"list":       "[" + strings.Repeat("1, 'a(', /[(/]\\/(/, `${1}(`,\n", 20_000) + "]",
		"statements": "1\n" + strings.Repeat("if (x) { x = (x + 1) / 2 } // ((\n", 20_000),
		"comment":    "1 /*" + strings.Repeat("((((\n", 20_000) + "*/",
		"functions":  "1\n" + strings.Repeat("function f() { return /\\(/ }\n", 20_000),
	} {
		if at := tooDeep("var x = " + text); at >= 0 {
			t.Errorf("%s: too deep at %d of %d", name, at, len(text))
		}
	}
}
