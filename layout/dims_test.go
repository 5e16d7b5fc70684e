package layout

import (
	"strings"
	"testing"
)

func TestSanitise(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	tests := []struct {
		name, in string
		dim      int
		want     string
	}{
		{"plain", "Firefox", AppName, "Firefox"},
		{"dash", "saved-session", Reason, "saved_session"},
		{"empty", "", Reason, "UNKNOWN"},
		{"parent folder", "..", AppName, "_."},
		{"dot", ".", AppName, "_"},
		{"traversal", "../../etc/passwd", Version, "_._.._etc_passwd"},
		{"percent-encoded", "%2F..%2F", AppName, "_2F.._2F"},
		{"NUL and newline", "a\x00b\n", AppName, "a_b_"},
		{"version keeps dots", "26.0a1", Version, "26.0a1"},
		{"build ID loses dots", "2013.09.log", BuildID, "2013_09_log"},
		{"not UTF-8", "\xff\xfe", AppName, "__"},
		{"long", long, AppName, long[:maxDimBytes]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sanitise(tt.dim, tt.in); got != tt.want {
				t.Errorf("Sanitise(%d, %.40q) = %.40q, want %.40q", tt.dim, tt.in, got, tt.want)
			}
		})
	}
}

func FuzzSanitise(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a/b", "\x00", "..%2F", "saved-session", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for dim := range NumDims {
			got := Sanitise(dim, v)
			if got == "" || got[0] == '.' || len(got) > maxDimBytes || strings.ContainsAny(got, "/\\\x00\t\n") {
				t.Errorf("Sanitise(%d, %q) = %q is not safe", dim, v, got)
			}
			if again := Sanitise(dim, got); again != got {
				t.Errorf("Sanitise is not idempotent: %q then %q", got, again)
			}
		}
	})
}
