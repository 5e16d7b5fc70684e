package bundle

import (
	"fmt"
	"strings"
	"unicode/utf8"
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
	var text strings.Builder
	if e.File != "" {
		text.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&text, ":%d:%d", e.Line, e.Column)
		}
		text.WriteString(": ")
	}

	fmt.Fprintf(&text, "%s: %s", e.Phase, clip(e.Message, maxMessageBytes))
	if e.Record != "" {
		fmt.Fprintf(&text, " (%s)", clip(e.Record, maxRecordBytes))
	}

	return text.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Detail is what stands below the error: excerpt with a caret, stack, notes.
// It is "" or ends in a newline.
func (e *Error) Detail() string {
	var text strings.Builder
	if e.Excerpt != "" && e.Column > 0 {
		e.writeExcerpt(&text)
	}

	for _, frame := range e.Stack {
		text.WriteString("    at " + clip(frame, maxRecordBytes) + "\n")
	}

	for _, note := range e.Notes {
		text.WriteString(clip(note, maxMessageBytes) + "\n")
	}

	return text.String()
}

// maxExcerptBytes is how much of a source line is shown: a line of minified code, or one
// with data in it, may have megabytes.
const maxExcerptBytes = 200

// writeExcerpt writes the source line, or the part of it around the column, and below it
// a caret at the column.
func (e *Error) writeExcerpt(b *strings.Builder) {
	text, place := excerpt(e.Excerpt, e.Column-1)
	prefix := fmt.Sprintf("%5d | ", e.Line)
	b.WriteString(prefix + text + "\n")
	b.WriteString(strings.Repeat(" ", len(prefix)-2) + "| ")

	// Tabs stay, so that the caret stands below the column in every editor.
	for i, char := range text {
		if i >= place {
			break
		}
		if char != '\t' {
			char = ' '
		}
		b.WriteRune(char)
	}

	b.WriteString("^\n")
}

// excerpt returns the part of a line around a place in it, with an ellipsis for what is
// left out on each side, and where the place is in that part.
func excerpt(line string, place int) (part string, at int) {
	if len(line) <= maxExcerptBytes {
		return line, place
	}

	// Half of it stands before the place, unless the line ends soon after.
	begin := min(max(0, place-maxExcerptBytes/2), len(line)-maxExcerptBytes)
	end := begin + maxExcerptBytes
	for begin > 0 && !utf8.RuneStart(line[begin]) {
		begin--
	}
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end--
	}

	part = line[begin:end]
	at = place - begin
	if begin > 0 {
		part = ellipsis + part
		at += len(ellipsis)
	}
	if end < len(line) {
		part += ellipsis
	}
	return part, at
}

const (
	ellipsis = "…"
	// maxMessageBytes is how much of a message or a note is shown, and maxRecordBytes of
	// what names a record or a key: both may quote data.
	maxMessageBytes = 2000
	maxRecordBytes  = 500
)

// clip returns text, or its first limit bytes with an ellipsis.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + ellipsis
}
