package convert

import (
	"bytes"
	"compress/zlib"
	"errors"
	"strings"
	"testing"
)

// TestZlibIsNamed: zlib of every level is refused as what it is, what looks a
// little like it is not.
func TestZlibIsNamed(t *testing.T) {
	for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
		var b bytes.Buffer
		z, err := zlib.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		z.Write([]byte("{}"))
		z.Close()
		_, err = Unpack(b.Bytes(), 100)
		if r, ok := errors.AsType[*Rejection](err); !ok || r.Class != ClassCorrupt || !strings.HasPrefix(r.Message, "zlib") {
			t.Errorf("level %d: %v", level, err)
		}
	}
	for _, text := range []string{"x", "x y", "xyz", "80", "8", "{}", "[1]", "hello"} {
		if got, err := Unpack([]byte(text), 100); err != nil || string(got) != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
