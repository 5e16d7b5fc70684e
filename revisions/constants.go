package revisions

import (
	"bytes"
	"strings"
)

// What the C++ constants in Histograms.json stand for, in one revision; the
// others are near enough. Texts are replaced when they come from a server, so
// that cached files have numbers; a file that came from elsewhere stays as it is.
var replacements = []struct{ constant, number string }{
	{`"JS::gcreason::NUM_TELEMETRY_REASONS"`, "101"},
	{`"mozilla::StartupTimeline::MAX_EVENT_ID"`, "12"},
	{`"80 + 1"`, "81"},
}

// replaceConstants returns text with the known constants as numbers.
func replaceConstants(text []byte) []byte {
	for _, r := range replacements {
		text = bytes.ReplaceAll(text, []byte(r.constant), []byte(r.number))
	}
	return text
}

// guessed says whether d is one of the histograms whose size was replaced.
func guessed(d *Definition) bool {
	return d.Kind == Enumerated &&
		(d.High == 101 && strings.Contains(d.Name, "REASON") || d.High == 12 && d.Name == "STARTUP_MEASUREMENT_ERRORS")
}
