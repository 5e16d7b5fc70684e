package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestImports(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lib/x.js": `import { z } from "./z"; export const x = z`, "lib/z.ts": "export const z: number = 1", "list.json": "[1]",
	} {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	b, err := Compile(filepath.Join(dir, "a.js"), `
		import { x } from "./lib/x.js"
		import { sum } from "stats"
		const list = require("./list.json")
		export function map() { return sum(list) + x }`)
	if err != nil {
		t.Fatal(err)
	}

	want := []string{filepath.Join(dir, "lib/x.js"), filepath.Join(dir, "lib/z.ts"), filepath.Join(dir, "list.json")}
	if !slices.Equal(b.Imports, want) {
		t.Errorf("imports %q, want %q", b.Imports, want)
	}
}
