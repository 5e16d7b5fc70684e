package spark

import (
	"strings"
	"sync"
)

// tailBytes is how much of what Spark prints is kept for an error.
const tailBytes = 4 << 10

// tail keeps the end of what is written. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex // protects text
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)

	// Only the end is of use for an error, so the beginning goes.
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// String returns the lines that it has, without those that only say what Spark does.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()

	var kept strings.Builder
	for line := range strings.Lines(strings.ToValidUTF8(string(t.text), "")) {
		if !strings.Contains(line, " INFO ") {
			kept.WriteString(line)
		}
	}
	return strings.TrimSpace(kept.String())
}

// firstLines returns the first lines of what Spark says, without the stacks of Java.
func firstLines(text string) string {
	const most = 12
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")

		// Lines of a Java stack begin with "at".
		if strings.HasPrefix(strings.TrimSpace(line), "at ") || len(kept) == most {
			continue
		}
		kept = append(kept, line)
	}

	return strings.TrimSpace(strings.Join(kept, "\n"))
}
