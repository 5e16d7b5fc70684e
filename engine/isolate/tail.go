package isolate

import (
	"bytes"
	"io"
)

// tail passes on the lines that a child prints, until it crashes: then it holds what
// Go's runtime says about that.
type tail struct {
	w     io.Writer // nil drops
	line  []byte    // not whole yet
	crash bytes.Buffer
}

// crashBytes is how much of a crash is held; its first lines say why.
const crashBytes = 4 << 10

// crashStarts begin the first line that Go's runtime prints when a process ends.
var crashStarts = [][]byte{[]byte("fatal error: "), []byte("runtime: "), []byte("panic: ")}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	// What follows the start of a crash belongs to it.
	if t.crash.Len() > 0 {
		if left := crashBytes - t.crash.Len(); left > 0 {
			t.crash.Write(p[:min(len(p), left)])
		}
		return len(p), nil
	}

	// The other lines are the console's; one that begins like a crash begins the crash.
	t.line = append(t.line, p...)
	for {
		end := bytes.IndexByte(t.line, '\n')
		if end < 0 {
			return len(p), nil
		}

		for _, start := range crashStarts {
			if bytes.HasPrefix(t.line, start) {
				t.crash.Write(t.line)
				return len(p), nil
			}
		}

		if t.w != nil {
			t.w.Write(t.line[:end+1])
		}
		t.line = t.line[end+1:]
	}
}

// String returns the crash, and what was printed without a newline.
func (t *tail) String() string { return t.crash.String() + string(t.line) }

// outOfMemory says whether the child crashed for lack of memory. Go's runtime says so
// in its message only: the exit code is that of any crash.
func (t *tail) outOfMemory() bool {
	text := t.crash.Bytes()
	if len(text) == 0 {
		text = t.line
	}
	return bytes.Contains(text, []byte("out of memory")) || bytes.Contains(text, []byte("cannot allocate memory"))
}
