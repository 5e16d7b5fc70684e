package revisions

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDefinitionsHaveAChecksum changes definitions on disk so that they still parse: they
// are fetched again, or count as unavailable. Those of an older version have no checksum,
// and get one.
func TestDefinitionsHaveAChecksum(t *testing.T) {
	o, requests := hgServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(someDefinitions)) })
	file := filepath.Join(o.Dir, someRef.file())
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(someDefinitions), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := newCache(t, o).Spec(t.Context(), someRef); err != nil || requests.Load() != 0 {
		t.Fatalf("without a checksum: %v, %d requests", err, requests.Load())
	}
	sum, err := os.ReadFile(file + sumSuffix)
	if err != nil || string(sum) != string(formatSum([]byte(someDefinitions))) {
		t.Fatalf("the checksum: %s, %v", sum, err)
	}

	// "A" becomes "B", which is a histogram as good as any.
	changed := strings.Replace(someDefinitions, `"A"`, `"B"`, 1)
	if _, err := Parse([]byte(changed)); err != nil || changed == someDefinitions {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	offline := o
	offline.Offline = true
	if _, err := newCache(t, offline).Spec(t.Context(), someRef); !errors.Is(err, ErrUnavailable) {
		t.Errorf("damaged, offline: %v", err)
	}
	if _, err := newCache(t, offline).Sum(t.Context(), someRef); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the sum of damaged ones, offline: %v", err)
	}

	spec, err := newCache(t, o).Spec(t.Context(), someRef)
	if err != nil || spec.Lookup([]byte("A")) == nil || requests.Load() != 1 {
		t.Errorf("damaged: %v, %d requests", err, requests.Load())
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != someDefinitions {
		t.Errorf("on disk: %s, %v", text, err)
	}
}

// TestNewerHistory: an index of a later version is not called damaged.
func TestNewerHistory(t *testing.T) {
	if _, err := parseHistory([]byte(indexFamily + "2\nanything")); !errors.Is(err, errNewerHistory) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := parseHistory([]byte(indexFamily + "x\n")); errors.Is(err, errNewerHistory) {
		t.Errorf("version x: %v", err)
	}
}
