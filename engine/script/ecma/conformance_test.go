package ecma_test

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"
)

//go:embed testdata/conformance.js
var conformance string

func TestConformance(t *testing.T) {
	var results [][2]any
	if err := json.Unmarshal(ours(t, conformance, nil), &results); err != nil {
		t.Fatal(err)
	}
	if len(results) < 100 {
		t.Fatalf("%d tests ran, want at least 100", len(results))
	}
	for _, r := range results {
		if r[1] != true {
			t.Errorf("%s: %v", r[0], r[1])
		}
	}
}

// TestConformanceIsTrue runs the same tests in Node, so that a wrong test is seen.
func TestConformanceIsTrue(t *testing.T) {
	var results [][2]any
	if err := json.Unmarshal(node(t, conformance, nil), &results); err != nil {
		t.Fatal(err)
	}
	newer := strings.SplitAfter(conformance, "const newer = [")[1]
	newer, _, _ = strings.Cut(newer, "]")
	for _, r := range results {
		if r[1] != true && !strings.Contains(newer, `"`+r[0].(string)+`"`) {
			t.Errorf("%s: %v", r[0], r[1])
		}
	}
}
