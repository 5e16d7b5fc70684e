package script_test

import (
	"errors"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script"
)

// As editors and V8 count them.
func TestColumnsCountFromOne(t *testing.T) {
	for text, want := range map[string]int{
		"export function map(id) {\n  throw new Error(id)\n}\n": 9,
		"function map(id) {\n\tnothing.there()\n}\n":            2,
		"export function map(id) {\n  const x = 1; x.y.z\n}\n":  20,
		"export const map = id => {\n  null.f\n}\n":             8,
		"import 'stats'\nfunction map(id) {\n  throw id\n}\n":   3,
	} {
		_, _, err := job{text: text, records: []string{"id\t{}"}}.run(t.Context())
		if e, ok := errors.AsType[*script.Error](err); !ok || e.Column != want {
			t.Errorf("%q: %v, want column %d", text, err, want)
		}
	}
}
