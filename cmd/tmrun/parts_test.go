package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
)

// objectsIn returns the texts of the objects in a folder of an object store, by name, and
// their names in order.
func objectsIn(t *testing.T, url string) (texts map[string]string, names []string) {
	t.Helper()
	store, err := backend.OpenBlob(url)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	entries, err := store.List(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}

	texts = map[string]string{}
	for _, entry := range entries {
		text, err := store.ReadAll(t.Context(), entry.Name)
		if err != nil {
			t.Fatal(err)
		}
		texts[entry.Name] = string(text)
		names = append(names, entry.Name)
	}
	return texts, names
}

// in returns the URL of something in the folder that a URL with parameters names.
func in(url, name string) string {
	return strings.Replace(url, "?", "/"+name+"?", 1)
}

// partScripts are scripts with a header, an array key, and tables, to be written in parts.
var partScripts = map[string]string{
	"rows.js": `export const columns = ['id', 'number', 'text']
		export function map(id, dims, ping, ctx) { ctx.write([id, 1], 'line\n"' + dims.appVersion) }`,
	"lines.js": `export function setupReduce(ctx) { ctx.fieldSeparator = ';'; ctx.recordSeparator = '|\n'; ctx.writeLine('head') }
		export function map(id, dims, ping, ctx) { ctx.write(id, dims.reason) }
		export function reduce(key, values, ctx) { ctx.writeRow([key, values.length]); ctx.writeLine('of ' + key) }`,
	"tables.js": `import { count } from 'tables'
		export const versions = count('version', 'id')
		export const reasons = count('reason')
		export function map(id, dims, ping, ctx) {
			versions.add(dims.appVersion, id)
			reasons.add(dims.reason)
		}`,
}

func writeScripts(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range partScripts {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// checkParts compares the parts of a result with the single file.
func checkParts(t *testing.T, texts map[string]string, names []string, base, want string) {
	t.Helper()
	all, parts := "", 0
	for _, name := range names {
		if strings.HasPrefix(name, base+"-") {
			all += texts[name]
			parts++
		}
	}
	if all != want || parts < 3 {
		t.Errorf("%d parts of %s are\n%s\nwant\n%s", parts, base, all, want)
	}
}

// TestParts: the parts of a result are the single file, here and in an object store, however
// many tasks there are.
func TestParts(t *testing.T) {
	data := publishRecords(t, 40, "")
	writeScripts(t)
	local := func(name string, args ...string) string {
		want, said, code := tmrun("", append([]string{"-d", data, "--progress", "none"}, append(args, name)...)...)
		if code != 0 || want == "" {
			t.Fatalf("%s ended with %d: %s", name, code, said)
		}
		return want
	}

	for _, formatName := range []string{"tsv", "csv", "jsonl"} {
		for _, one := range []struct{ script, table, base string }{
			{"rows.js", "", "part"}, {"lines.js", "", "part"}, {"tables.js", "versions", "versions"},
		} {
			url := backendtest.S3(t, &backendtest.Faults{})
			args := []string{"--format", formatName}
			if one.table != "" {
				args = append(args, "--table", one.table)
			}
			want := local(one.script, args...)

			for _, reducers := range []string{"1", "3"} {
				out := filepath.Join(t.TempDir(), reducers) + "/"
				in := in(url, reducers+"/")
				for _, output := range []string{out, in} {
					_, said, code := tmrun("", append([]string{"-d", data, "--progress", "none", "-r", reducers, "-o", output, "--part-size", "300", one.script}, args...)...)
					if code != 0 {
						t.Fatalf("into %s it ended with %d: %s", output, code, said)
					}
				}
				there, names := objectsIn(t, in)
				checkParts(t, there, names, one.base, want)

				// The folder of this machine has the same files.
				if got := files(t, out); len(got) != len(names) {
					t.Errorf("files %q, want %q", got, names)
				}
				for name, text := range there {
					if got, err := os.ReadFile(out + name); err != nil || string(got) != text {
						t.Errorf("%s is %q, %v; want %q", name, got, err, text)
					}
				}

				// Parts of another result would look like some of this one.
				for _, output := range []string{out, in} {
					_, said, code := tmrun("", append([]string{"-d", data, "--progress", "none", "-o", output, "--part-size", "300", one.script}, args...)...)
					if code != cli.ExitUsage || !strings.Contains(said, "has a part of another result already") {
						t.Errorf("again into %s: %d, %s", output, code, said)
					}
				}
			}
		}
	}

	if _, said, code := tmrun("", "-d", data, "-o", "file.tsv", "--part-size", "1MB", "rows.js"); code != cli.ExitUsage || !strings.Contains(said, "--part-size needs a folder") {
		t.Errorf("parts of a file: %d, %s", code, said)
	}
}

// TestOutputToAnObjectStore: a result in an object store is what it is in a file; of a job or an
// upload that fails there is nothing, and what is wrong with the URL is found before the work.
func TestOutputToAnObjectStore(t *testing.T) {
	data := publishRecords(t, 20, "")
	writeScripts(t)
	work := t.TempDir()
	faults := &backendtest.Faults{}
	refuse := ""
	faults.Wrap = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refuse != "" && r.Method == http.MethodPut && strings.Contains(r.URL.Path, refuse) {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	url := backendtest.S3(t, faults)
	job := func(output, script string) (said string, code int) {
		_, said, code = tmrun("", "-d", data, "--progress", "none", "-w", work, "-o", output, script)
		return said, code
	}
	empty := func(what string) {
		t.Helper()
		if left, err := filepath.Glob(filepath.Join(work, "tmrun-output-*")); err != nil || len(left) > 0 {
			t.Errorf("%s: %q, %v are left", what, left, err)
		}
	}

	// A file with an ending, and a folder of tables.
	want, _, _ := tmrun("", "-d", data, "--progress", "none", "--format", "csv", "rows.js")
	if said, code := job(in(url, "one/rows.csv"), "rows.js"); code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	if got, names := objectsIn(t, in(url, "one")); len(names) != 1 || got["rows.csv"] != want {
		t.Errorf("%q, want %s", got, want)
	}
	if said, code := job(in(url, "tables/"), "tables.js"); code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	tables, _ := objectsIn(t, in(url, "tables"))
	for _, name := range []string{"versions", "reasons"} {
		want, _, _ := tmrun("", "-d", data, "--progress", "none", "--table", name, "tables.js")
		if tables[name+".tsv"] != want || want == "" {
			t.Errorf("table %s: %q, want %q", name, tables[name+".tsv"], want)
		}
	}
	empty("done")

	// The second of two uploads is refused: the first is removed, and both stay here.
	refuse = "versions.tsv"
	said, code := job(in(url, "refused/"), "tables.js")
	if code != cli.ExitFailed || !strings.Contains(said, "upload output to s3://bucket/some/prefix/refused/") || !strings.Contains(said, "the result is kept in "+work) {
		t.Errorf("a refused upload: %d, %s", code, said)
	}
	if got, _ := objectsIn(t, in(url, "refused")); len(got) > 0 {
		t.Errorf("%q are in the store", got)
	}
	if kept := files(t, work); len(kept) != 2 {
		t.Errorf("kept: %q", kept)
	}
	refuse = ""
	work = t.TempDir()

	// A job that fails leaves nothing in either place.
	if err := os.WriteFile("throws.js", []byte("export function map() { throw new Error('no') }"), 0o666); err != nil {
		t.Fatal(err)
	}
	if said, code := job(in(url, "thrown/out.tsv"), "throws.js"); code != cli.ExitScript {
		t.Errorf("%d: %s", code, said)
	}
	if got, _ := objectsIn(t, in(url, "thrown")); len(got) > 0 {
		t.Errorf("%q are in the store", got)
	}
	empty("thrown")

	// Found before the work, which would throw.
	for _, wrong := range []struct {
		output, said string
		code         int
	}{
		{strings.Replace(url, "s3://bucket/", "s3://nobucket/", 1), "output s3://nobucket/some/: list some/: The specified bucket does not exist", cli.ExitFailed},
		{in(url, "out.tsv") + "&colour=red", `unknown parameter "colour"`, cli.ExitUsage},
		{"gs://bucket/out.tsv", "no store is known", cli.ExitUsage},
		{"s3://bucket", "names no file", cli.ExitUsage},
	} {
		if said, code := job(wrong.output, "throws.js"); code != wrong.code || !strings.Contains(said, wrong.said) {
			t.Errorf("%s: exit %d, %s; want exit %d, %s", wrong.output, code, said, wrong.code, wrong.said)
		}
	}
	empty("wrong")
}
