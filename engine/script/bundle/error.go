package bundle

import (
	"fmt"
	"strings"
)

// Error is a script's failure, in the script's own words and places. Error()
// is `job.js:12:7: map: TypeError: … (record <id> in <segment>:<n>)`.
type Error struct {
	File         string
	Line, Column int      // from 1; 0 unknown
	Phase        string   // compile, load, or the name of the script's function
	Message      string   // "TypeError: …"
	Record       string   // "record <id> in <segment>:<n>", "key …", or ""
	Stack        []string // JavaScript frames, innermost first: "f (job.js:12:7)"
	Excerpt      string   // the source line, or ""
	Notes        []string
	Cause        error `json:"-"` // the error of a host function or of an interrupt, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
		}
		b.WriteString(": ")
	}

	fmt.Fprintf(&b, "%s: %s", e.Phase, e.Message)
	if e.Record != "" {
		fmt.Fprintf(&b, " (%s)", e.Record)
	}

	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Detail is what stands below the error: excerpt with a caret, stack, notes.
// It is "" or ends in a newline.
func (e *Error) Detail() string {
	var b strings.Builder
	if e.Excerpt != "" && e.Column > 0 {
		e.writeExcerpt(&b)
	}

	for _, frame := range e.Stack {
		b.WriteString("    at " + frame + "\n")
	}

	for _, note := range e.Notes {
		b.WriteString(note + "\n")
	}

	return b.String()
}

// writeExcerpt writes the source line, and below it a caret at the column.
func (e *Error) writeExcerpt(b *strings.Builder) {
	prefix := fmt.Sprintf("%5d | ", e.Line)
	b.WriteString(prefix + e.Excerpt + "\n")
	b.WriteString(strings.Repeat(" ", len(prefix)-2) + "| ")

	// Tabs stay, so that the caret stands below the column in every editor.
	for i, r := range e.Excerpt {
		if i >= e.Column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}

	b.WriteString("^\n")
}
