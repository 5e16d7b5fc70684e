package rawlog

import (
	"bytes"
	"strings"
	"testing"
)

func TestTooLarge(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		body       int
		wantWhole  bool // the path
	}{
		{"ID alone", "i", 300 << 10, true},
		{"with dimensions, odd characters and a colon", "a:b\t%2f\xff/r/a/v/c/b", 10, true},
		{"empty", "", 0, true},
		{"longest path", strings.Repeat("i", 9<<10), 1, true},
		{"path of slashes", strings.Repeat("/", 9<<10), 1, false},
		{"path that is too long", strings.Repeat("i", MaxPathBytes+1), 1, false},
		{"body that is too long", "i", MaxBodyLimit + 1, true},
	} {
		place := "kafka/" + strings.Repeat("t", 249) + "/2147483647/9223372036854775807"
		body := bytes.Repeat([]byte{'x'}, tt.body)
		s := TooLarge(place, Submission{Path: tt.path, Body: body}, int64(len(body)))
		if len(s.Path) > MaxPathBytes || len(s.Body) != min(tt.body, MaxBodyLimit) {
			t.Errorf("%s: path of %d bytes, body of %d", tt.name, len(s.Path), len(s.Body))
		}

		want := ""
		if tt.wantWhole {
			want = tt.path
		}
		bodyBytes, original, ok := ParseTooLarge(s.Path)
		if !ok || bodyBytes != tt.body || original != want {
			t.Errorf("%s: parsed as %d, %.80q, %v", tt.name, bodyBytes, original, ok)
		}
	}

	for _, path := range []string{"", "i", "i/r/a/v/c/too_large:1:1:i", "kafka/t/1/2", "kafka/t/1/2/too_large", "kafka/t/1/2/too_large:x"} {
		if _, _, ok := ParseTooLarge(path); ok {
			t.Errorf("%q is taken for one of TooLarge", path)
		}
	}
}
