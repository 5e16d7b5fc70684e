package script_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script"
)

// TestErrorsNameFilesAsGiven: an error names the script by the path that the
// user gave, whatever that is relative to, and imports too.
func TestErrorsNameFilesAsGiven(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	outside := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}

	const text = "import { f } from './lib.js'\nexport function map(id, dims, ping) {\n\tf(ping)\n}"
	const lib = "export const f = (p) => p.nope.x"
	for _, d := range []string{outside, "sub", "with space"} {
		write(filepath.Join(d, "job.js"), text)
		write(filepath.Join(d, "lib.js"), lib)
	}

	rel, err := filepath.Rel(dir, outside)
	if err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct{ path, lib string }{
		{filepath.Join(outside, "job.js"), filepath.Join(outside, "lib.js")},
		{filepath.Join(rel, "job.js"), filepath.Join(outside, "lib.js")},
		{"sub/job.js", "sub/lib.js"},
		{"./sub/job.js", "sub/lib.js"},
		{"with space/job.js", "with space/lib.js"},
	} {
		s, err := script.CompileFile(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = job{compiled: s, records: []string{pingA}}.run(t.Context())
		e, ok := errors.AsType[*script.Error](err)
		if !ok {
			t.Fatalf("error %v is no script error", err)
		}
		if !strings.HasPrefix(err.Error(), tt.lib+":1:32: map: TypeError") {
			t.Errorf("%s: error %v, want one in %s", tt.path, err, tt.lib)
		}
		if want := "at map (" + tt.path + ":3:"; !strings.Contains(e.Detail(), want) || !strings.Contains(e.Detail(), "    1 | "+lib) {
			t.Errorf("%s: detail lacks %q or the excerpt:\n%s", tt.path, want, e.Detail())
		}
		write(tt.path, "export function map( {")
		if _, err := script.CompileFile(tt.path); err == nil || !strings.HasPrefix(err.Error(), tt.path+":1:") {
			t.Errorf("%s: syntax error %v", tt.path, err)
		}
		write(tt.path, text)
	}
}
