package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestColumnsInDuckDB: DuckDB reads a segment in columns as it is: dimensions, members,
// odd records and times.
func TestColumnsInDuckDB(t *testing.T) {
	modules := nodeModules(t)
	name := columnsFile(t)
	sql := fmt.Sprintf(`SELECT "info.OS", _appVersion, count(*)::INT, sum("info.n"::INT)::INT, count(_odd)::INT, max(_id), max(_received)::VARCHAR
		FROM '%s' GROUP BY 1, 2 ORDER BY 1`, name)
	query := exec.CommandContext(t.Context(), "node", "-e", duckdbQuery, sql)
	query.Env = append(os.Environ(), "NODE_PATH="+modules)
	got, err := query.CombinedOutput()
	want := `[["\"Linux\"","29.0a1",500,249500,0,"id-998","00:00:00.998+00"],` +
		`["\"WINNT\"","29.0a1",499,249001,0,"id-997","00:00:00.997+00"],[null,"29.0a1",1,null,1,null,"00:00:00.999+00"]]`
	if err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("DuckDB reads %s, %v; want %s", got, err, want)
	}
}

// columnsFile writes a segment in columns of a thousand records. Some have a member that
// others do not have, and the last one is odd.
func columnsFile(t *testing.T) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "20140204.v2.columns.c.parquet")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	enc, err := columns.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	w, err := columns.NewWriter(file, enc)
	if err != nil {
		t.Fatal(err)
	}

	dims := schema.Dims{"saved_session", "Firefox", "nightly", "29.0a1", "20140203030203", "20140204"}
	for i := range 1000 {
		line := fmt.Sprintf(`id-%d	{"info":{"OS":"%s","n":%d}}`, i, []string{"Linux", "WINNT"}[i%2], i)
		if i == 999 {
			line = "odd\tno json"
		}
		if err := w.Add(dims, []byte(line), uint32(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return name
}

// pyarrowQuery prints what pyarrow and pandas read of a segment in columns.
const pyarrowQuery = `import sys, json, pandas, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
systems = table.column("info.OS").value_counts().to_pylist()
print(table.num_rows, sorted((str(s["values"]), s["counts"]) for s in systems))
row = table.slice(997, 1).to_pylist()[0]
print(row["_id"], row["_appVersion"], row["_received"], row["info.OS"], row["info.n"], row["_odd"])
print(table.slice(999, 1).to_pylist()[0]["_odd"])
print(json.loads(pq.read_schema(sys.argv[1]).metadata[b"telemetry.schema"])[0])
frame = pandas.read_parquet(sys.argv[1], columns=["info.n", "_appName"], filters=[("_appName", "==", "Firefox")])
print(frame["info.n"].astype("Int64").sum())`

// TestColumnsInPyarrow: pyarrow and pandas read a segment in columns as it is.
func TestColumnsInPyarrow(t *testing.T) {
	packages := pythonPackages(t)
	query := exec.CommandContext(t.Context(), "python3", "-c", pyarrowQuery, columnsFile(t))
	query.Env = append(os.Environ(), "PYTHONPATH="+packages)
	got, err := query.CombinedOutput()
	want := `1000 [('"Linux"', 500), ('"WINNT"', 499), ('None', 1)]
id-997 29.0a1 00:00:00.997000 "WINNT" 997 None
b'odd\tno json'
reason
498501
`
	if err != nil || string(got) != want {
		t.Errorf("Python reads %s, %v; want %s", got, err, want)
	}
}

// pythonPackages is the folder of .ci/python.
func pythonPackages(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}

	// The script writes the file "complete" last.
	dir := filepath.Join(cache, "telemetry-server", "python")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI skips nothing: pyarrow is not there")
		}
		t.Skip("pyarrow and pandas are not there; .ci/python fetches them")
	}
	return filepath.Join(dir, "packages")
}
