package declare_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

const (
	typesFile = "../../../scripts/types.d.ts"
	docsFile  = "../../../docs/scripts.md"
)

// generated finds the tables of docs/scripts.md: their names and their text.
var generated = regexp.MustCompile(`(?s)<!-- (\w+): generated from engine/script/declare -->\n(.*?)<!-- end -->\n`)

// TestDeclarationsAreCurrent compares types.d.ts and the reference with the
// declarations. UPDATE_SCRIPTS=1 rewrites them.
func TestDeclarationsAreCurrent(t *testing.T) {
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}

	tables := declare.Reference()
	wantDocs := generated.ReplaceAllStringFunc(string(docs), func(old string) string {
		name := generated.FindStringSubmatch(old)[1]
		table, ok := tables[name]
		if !ok {
			t.Errorf("%s has a place for a table %q, which is not generated", docsFile, name)
		}
		delete(tables, name)
		return "<!-- " + name + ": generated from engine/script/declare -->\n\n" + table + "\n<!-- end -->\n"
	})

	for name := range tables {
		t.Errorf("%s has no place for the table %q", docsFile, name)
	}

	for file, want := range map[string]string{typesFile: declare.Types(nil), docsFile: wantDocs} {
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the declarations say (%v): UPDATE_SCRIPTS=1 go test ./engine/script/declare", file, err)
		}
	}
}

func TestAnnotatedScriptsCompile(t *testing.T) {
	const text = "export function map(id, dims, ping, ctx) {}\nexport function reduce(k, v, ctx) {}"
	for _, ext := range []string{".js", ".ts"} {
		got := declare.Annotate(text, ext)
		if _, err := bundle.Compile("x"+ext, got); err != nil || !strings.Contains(got, "tm.Map") && !strings.Contains(got, "tm.Ping") {
			t.Errorf("%s: %v\n%s", ext, err, got)
		}
	}

	if types := declare.Types([]string{"GC_MS"}); !strings.Contains(types, "\"GC_MS\"?: Histogram\n") {
		t.Error("histogram names are not in the types")
	}
}
