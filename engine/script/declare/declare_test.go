package declare_test

import (
	"os"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

const (
	typesFile = "../../../scripts/types.d.ts"
	docsFile  = "../../../docs/scripts.md"
	docsBegin = "<!-- generated from engine/script/declare -->\n"
	docsEnd   = "<!-- end -->\n"
)

// TestDeclarationsAreCurrent compares types.d.ts and the reference with the
// declarations. UPDATE_SCRIPTS=1 rewrites them.
func TestDeclarationsAreCurrent(t *testing.T) {
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(docs), docsBegin)
	_, after, ok2 := strings.Cut(rest, docsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks its markers", docsFile)
	}
	for file, want := range map[string]string{
		typesFile: declare.Types(nil),
		docsFile:  before + docsBegin + "\n" + declare.Reference() + "\n" + docsEnd + after,
	} {
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
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
