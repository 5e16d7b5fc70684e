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
	name := filepath.Join(t.TempDir(), "20140204.v2.columns.c.parquet")
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

	// Some records have a member that others do not have, and one has none.
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
