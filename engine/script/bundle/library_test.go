package bundle

import (
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// TestLibraryIsDeclared: each file in lib is a declared module, and the other way
// round.
func TestLibraryIsDeclared(t *testing.T) {
	entries, err := libraryFiles.ReadDir("lib")
	if err != nil {
		t.Fatal(err)
	}

	var files []string
	for _, e := range entries {
		files = append(files, strings.TrimSuffix(e.Name(), ".js"))
	}

	if modules := declare.Modules(); !slices.Equal(files, modules) {
		t.Errorf("lib has %v, declared are %v", files, modules)
	}
}
