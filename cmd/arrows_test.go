// Package cmd_test checks what concerns the repository as a whole: which
// package may import which, and that README's commands do what it says.
package cmd_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aitgithub/telemetry-server"

// arrows says which packages of this module, and which libraries that have one
// owner, a folder may import. A rule holds for the folder and those below it; the
// longest one counts. "cmd" may import everything of the module.
var arrows = []struct {
	folder string
	may    []string
	why    string
}{
	{"revisions", nil, "what a definition means must not depend on how pings are stored or asked about"},
	{"engine/jsonscan", nil, "a scanner of bytes, for everybody"},
	{"layout/schema", nil, "the ground floor: dimensions, filter documents and dates need neither files nor libraries"},
	{"layout/segment", nil, "the format of one file knows neither names nor folders"},
	{"layout/forget", []string{"engine/jsonscan", "layout/schema"}, "whom a text is about does not depend on where it lies"},
	{"layout/columns", []string{"engine/jsonscan", "layout/schema", "layout/segment"}, "the format of one file knows neither names nor folders; JSON is scanned in one place"},
	{"layout/helperfile", nil, "a damaged file is set aside whatever is in it"},
	{"layout/dedup", []string{"layout/helperfile", "layout/schema", "layout/segment"}, "what is a repeat, and which record is the latest, does not depend on where records lie"},
	{"layout/limit", []string{"layout/helperfile", "layout/schema"}, "how many values are too many does not depend on what they name"},
	{"layout/pipeline", nil, "a pipeline knows nothing of what flows through it"},
	{"layout/backend", []string{"layout/segment"}, "where files lie does not depend on what is in them; damage has one error type"},
	{"layout", []string{"layout"}, "the format outlives every program that writes or reads it, so it knows none of them"},
	{"ingest", []string{"revisions", "layout", "ingest", "engine/script"}, "acquisition must run without a job engine; engine/script only for ingest filters"},
	{"ingest/rawlog", nil, "a raw log holds what was received, whatever that means; it can be read when nothing else works"},
	{"ingest/convert", []string{"ingest/rawlog", "layout", "revisions", "engine/jsonscan", "engine/script"}, "one submission in, one record out: it publishes nothing"},
	{"ingest/decide", []string{"ingest/convert", "ingest/rawlog", "layout/forget", "layout/schema"}, "what becomes of one submission does not depend on where it is stored"},
	{"ingest/quarantine", []string{"ingest/decide", "ingest/convert", "ingest/rawlog", "ingest/statistics", "layout", "revisions"}, "the quarantine is written and replayed without a raw log or a server"},
	{"ingest/statistics", []string{"layout"}, "counts by raw log; what they mean is decided where they are made and reported"},
	{"ingest/worker", []string{"ingest/convert", "ingest/decide", "ingest/quarantine", "ingest/rawlog", "ingest/statistics", "layout", "revisions"}, "conversion must not need a server, nor know which folder a raw log comes from"},
	{"ingest/tap", []string{"ingest/convert", "ingest/decide", "ingest/rawlog", "layout/forget", "layout/schema"}, "what is shown of a submission does not depend on where it is stored, and stores nothing"},
	{"ingest/intake", []string{"ingest/worker", "ingest/rawlog", "layout"}, "watching folders is no part of converting"},
	{"ingest/kafka", []string{"ingest/rawlog", "layout/schema"}, "a source gets no further than the raw log"},
	{"engine", []string{"layout", "engine"}, "any engine.Job runs: the engine knows no JavaScript and no HTTP"},
	{"engine/datum", nil, "the bytes of keys and values mean the same in every process, whatever makes them"},
	{"engine/shuffle", nil, "it moves bytes: neither jobs, nor data, nor segments concern it"},
	{"engine/tables", []string{"engine/datum"}, "aggregations over bytes: neither jobs, nor JavaScript, nor segments concern them"},
	{"engine/format", []string{"engine", "engine/datum"}, "a format sees rows, never how they came about"},
	{"engine/measures", []string{"engine/jsonscan", "layout", "revisions"}, "sums by day; how they are shown does not matter"},
	{"engine/memory", []string{"engine", "layout"}, "a source like any other, without files"},
	{"engine/cache", []string{"engine"}, "a cache holds bytes under a key"},
	{"engine/isolate", []string{"engine", "layout"}, "tasks cross a pipe as streams; what a script is, only cmd knows"},
	{"engine/jobs", []string{"engine/script/reload", "layout/schema"}, "a job is a process: neither what a script is nor why it runs matters"},
	{"engine/jobs/api", []string{"layout/schema"}, "JSON that programs exchange"},
	{"engine/spark", []string{"engine"}, "a cluster gets tasks and lines; what is in them, only the engine knows"},
	{"engine/script", []string{"engine", "layout", "revisions"}, "the only place where JavaScript meets Go"},
	{"engine/script/bundle", []string{"engine/script/datafile", "engine/script/declare", "engine/script/ecma", "engine/script/suggest"}, "compiling a script takes no data and no runtime"},
	{"engine/script/datafile", []string{"engine/datum", "engine/jsonscan"}, "a data file means the same whatever imports it"},
	{"engine/script/ecma", nil, "what JavaScript means does not depend on what scripts are for"},
	{"engine/script/value", []string{"engine", "engine/script/datafile", "layout", "revisions"}, "values cross in the same way whatever the script is and runs for"},
	{"engine/script/declare", []string{"layout/schema"}, "what scripts see is said once, for everybody"},
	{"engine/script/suggest", nil, "a function on names"},
	{"scripts", nil, "only the scripts themselves"},
	{"filters", nil, "only the filters themselves"},
	{"cmd/cli", []string{"cmd/cli"}, "what the commands share knows none of their subjects"},
	{"cmd", []string{"cmd", "engine", "engine/script", "filters", "ingest", "layout", "revisions", "scripts"}, "the wiring"},
}

// owners says which folder alone may import a library, so that it can be swapped; two
// folders, with a space between, where two formats are made of it.
var owners = map[string]struct{ folder, why string }{
	"github.com/dop251/goja":                   {"engine/script", "goja's values must not leak into Go code"},
	"modernc.org/libquickjs":                   {"engine/script/ecma/pattern", "translated C is called in one place"},
	"github.com/santhosh-tekuri/jsonschema/v6": {"ingest/convert/schemas", "what a schema is, one package knows"},
	"github.com/evanw/esbuild":                 {"engine/script/bundle", "bundling is part of compiling a script"},
	"github.com/go-chi/chi/v5":                 {"ingest", "the rest of the program sees an http.Handler"},
	"github.com/alecthomas/kong":               {"cmd", "libraries take options structs, not flags"},
	"github.com/willabides/kongplete":          {"cmd/cli", "both commands complete alike"},
	"github.com/ulikunitz/xz":                  {"layout/segment", "old containers are read in one place"},
	"github.com/parquet-go/parquet-go":         {"engine/format layout/columns", "Parquet is a format of the output, and the column form of segments"},
	"github.com/minio/minio-go/v7":             {"layout/backend/objects", "an object store is a way to keep segments"},
	"github.com/twmb/franz-go":                 {"ingest", "Kafka is a source of submissions"},
	"github.com/rogpeppe/go-internal":          {"cmd", "testscripts run commands"},
	"github.com/schollz/progressbar":           {"cmd", "libraries report numbers, not bars"},
	"github.com/SaveTheRbtz/zstd-seek":         {"layout/segment", "segments are written and read in one place"},
}

// pkg is a package as `go list -json` describes it.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within says whether path is folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func TestImportArrows(t *testing.T) {
	for _, p := range listPackages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		at := -1
		for i, a := range arrows {
			if within(from, a.folder) && (at < 0 || len(a.folder) > len(arrows[at].folder)) {
				at = i
			}
		}
		if at < 0 {
			t.Errorf("%s: no rule says what it may import", from)
			continue
		}
		rule := arrows[at]
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			if ours && !within(to, rule.folder) && !slices.ContainsFunc(rule.may, func(f string) bool { return within(to, f) && !hidden(f, to) }) {
				t.Errorf("%s imports %s: %s may import %q, because %s", from, to, rule.folder, rule.may, rule.why)
			}
		}
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for library, o := range owners {
				owned := slices.ContainsFunc(strings.Fields(o.folder), func(folder string) bool { return within(from, folder) })
				if strings.HasPrefix(imp, library) && !owned {
					t.Errorf("%s imports %s: that is for %s alone, because %s", from, imp, o.folder, o.why)
				}
			}
		}
	}
}

// hidden says whether leave to import folder does not reach the package: what is
// below engine takes a rule of its own.
func hidden(folder, pkg string) bool {
	return folder == "engine" && within(pkg, "engine/script")
}
