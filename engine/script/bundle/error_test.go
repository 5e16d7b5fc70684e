package bundle

import (
	"strings"
	"testing"
)

// TestErrorsStaySmall: however long the line and what the message quotes, the place and
// some text around it are shown, and the caret stands below the place.
func TestErrorsStaySmall(t *testing.T) {
	const half = 1 << 20
	for _, filler := range []string{"x", "ä", "\t"} {
		before := strings.Repeat(filler, half)
		for _, line := range []string{"HERE" + before, before + "HERE" + before, before + "HERE"} {
			e := &Error{File: "job.js", Line: 1, Column: strings.Index(line, "HERE") + 1, Phase: "map", Excerpt: line}
			e.Message = "Error: " + before
			e.Record = "key " + before
			e.Notes = []string{before}

			if n := len(e.Error()); n > maxMessageBytes+maxRecordBytes+100 {
				t.Errorf("the error has %d bytes", n)
			}

			lines := strings.Split(e.Detail(), "\n")
			if n := len(lines[0]); n > maxExcerptBytes+20 || len(e.Detail()) > 3*maxExcerptBytes+maxMessageBytes {
				t.Errorf("the excerpt has %d bytes, the detail %d", n, len(e.Detail()))
			}

			// In runes, because both lines are as wide on a screen.
			place, _, _ := strings.Cut(lines[0], "HERE")
			caret, _, _ := strings.Cut(lines[1], "^")
			if len([]rune(place)) != len([]rune(caret)) {
				t.Errorf("the place is at %d, the caret at %d", len([]rune(place)), len([]rune(caret)))
			}
		}
	}
}
