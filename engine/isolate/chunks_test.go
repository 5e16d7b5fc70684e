package isolate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzChunks: what is written as chunks is read back, whatever the writes were;
// cut short it is an error, and other bytes never panic.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("some\nlines\n"), 3)
	f.Add([]byte{}, 1)
	f.Add(bytes.Repeat([]byte("x"), 3*chunkBytes), chunkBytes-1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		var buf bytes.Buffer
		w := &chunkWriter{w: &buf}
		for rest := data; len(rest) > 0; {
			n := min(max(step, 1), len(rest))
			w.Write(rest[:n])
			rest = rest[n:]
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		text := buf.Bytes()
		got, err := io.ReadAll(&chunkReader{r: bufio.NewReader(bytes.NewReader(text))})
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(data))
		}
		if _, err := io.ReadAll(&chunkReader{r: bufio.NewReader(bytes.NewReader(text[:len(text)-1]))}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut short: %v", err)
		}
		io.ReadAll(&chunkReader{r: bufio.NewReader(bytes.NewReader(data))})
	})
}
