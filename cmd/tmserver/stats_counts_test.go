package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
)

// unreported are the fields of statistics.RawLog that conversion needs, and that stats
// does not report.
var unreported = map[string]bool{"Source": true, "Submissions": true, "Segments": true, "Waiting": true}

// TestEveryCountIsReported fails for a count of a raw log's conversion that tmserver
// stats does not add up.
func TestEveryCountIsReported(t *testing.T) {
	report := func(r statistics.RawLog) string {
		t.Helper()
		dir := t.TempDir()
		for _, folder := range []string{layout.PublishedDir, statistics.Dir} {
			if err := os.MkdirAll(filepath.Join(dir, folder), 0o777); err != nil {
				t.Fatal(err)
			}
		}

		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, statistics.Dir, "log.json"), text, 0o666); err != nil {
			t.Fatal(err)
		}

		stdout, stderr, code := tmserver(t, "", "stats", "--data-dir", dir, "--json")
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		return stdout
	}

	empty := report(statistics.RawLog{Source: "log"})
	for field := range reflect.TypeFor[statistics.RawLog]().Fields() {
		if unreported[field.Name] {
			continue
		}
		r := statistics.RawLog{Source: "log"}
		value := reflect.ValueOf(&r).Elem().FieldByIndex(field.Index)
		switch counts := value.Addr().Interface().(type) {
		case *int64:
			*counts = 7
		case *map[string]int64:
			*counts = map[string]int64{"what": 7}
		case *map[string]map[string]int64:
			*counts = map[string]map[string]int64{"why": {"what": 7}}
		default:
			t.Fatalf("%s is of type %v; teach this test to set it", field.Name, field.Type)
		}
		if report(r) == empty {
			t.Errorf("stats does not report %s", field.Name)
		}
	}
}
