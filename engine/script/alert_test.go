package script_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/script"
)

// TestAlert: what a function alert may return, and how it fails.
func TestAlert(t *testing.T) {
	for body, want := range map[string]string{
		"": "", "return false": "", "return null": "", "return ''": "", "return true": "alert returned true",
		"return 'too many: ' + rows[1].value":                        "too many: 2",
		"return { message: `${previous[0].value}, ${rows.length}` }": "7, 2",
		"return 'ä'.repeat(2000)":                                    strings.Repeat("ä", 1000),
		"rows[0].value = 5; return `${rows[0].value}`":               "5",

		"return 5": "error: alert returned 5", "return {}": "error: alert returned", "return { message: true }": "error: alert returned",
		"return []": "error: alert returned", "return { get message() { throw new Error('no') } }": "error: Error: no",
		"throw new Error('broken')": "error: Error: broken", "return Promise.resolve(true)": "error: alert returned a promise",
	} {
		compiled, err := script.Compile("job.js", "export function alert(rows, previous) {\n"+body+"\n}\nexport function map() {}")
		if err != nil {
			t.Fatal(err)
		}
		message, err := compiled.Alert(t.Context(), script.DefaultLimits(), nil, []byte(`[{"value":1},{"value":2}]`), []byte(`[{"value":7}]`))
		failed, isScripts := errors.AsType[*script.Error](err)
		switch text, fails := strings.CutPrefix(want, "error: "); {
		case fails && (!isScripts || failed.Phase != "alert" || !strings.Contains(failed.Message, text)):
			t.Errorf("%s: %v, want %s", body, err, want)
		case !fails && (err != nil || message != want):
			t.Errorf("%s: %q, %v, want %q", body, message, err, want)
		}
	}

	// On a busy machine the limit may be over before alert is called.
	limits := script.DefaultLimits()
	limits.Call = 100 * time.Millisecond
	endless, err := script.Compile("job.js", "export function alert() { for (;;); }")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := endless.Alert(t.Context(), limits, nil, []byte("[]"), []byte("null")); !errors.Is(err, script.ErrTimeout) {
		t.Errorf("without an end: %v", err)
	}
}
