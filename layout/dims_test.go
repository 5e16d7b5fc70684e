package layout_test

import (
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
)

func TestSanitise(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	tests := []struct {
		name, in string
		dim      int
		want     string
	}{
		{"plain", "Firefox", layout.AppName, "Firefox"},
		{"dash", "saved-session", layout.Reason, "saved_session"},
		{"empty", "", layout.Reason, "UNKNOWN"},
		{"parent folder", "..", layout.AppName, "_."},
		{"dot", ".", layout.AppName, "_"},
		{"traversal", "../../etc/passwd", layout.Version, "_._.._etc_passwd"},
		{"percent-encoded", "%2F..%2F", layout.AppName, "_2F.._2F"},
		{"NUL and newline", "a\x00b\n", layout.AppName, "a_b_"},
		{"version keeps dots", "26.0a1", layout.Version, "26.0a1"},
		{"build ID loses dots", "2013.09.log", layout.BuildID, "2013_09_log"},
		{"not UTF-8", "\xff\xfe", layout.AppName, "__"},
		{"long", long, layout.AppName, long[:120]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := layout.Sanitise(tt.dim, tt.in); got != tt.want {
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
		for dim := range layout.NumDims {
			got := layout.Sanitise(dim, v)
			if got == "" || got[0] == '.' || len(got) > 120 || strings.ContainsAny(got, "/\\\x00\t\n") {
				t.Errorf("Sanitise(%d, %q) = %q is not safe", dim, v, got)
			}
			if again := layout.Sanitise(dim, got); again != got {
				t.Errorf("Sanitise is not idempotent: %q then %q", got, again)
			}
		}
	})
}
