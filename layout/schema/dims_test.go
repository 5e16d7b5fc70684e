package schema_test

import (
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

func TestSanitise(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	tests := []struct {
		name, in string
		dim      int
		want     string
	}{
		{"plain", "Firefox", schema.AppName, "Firefox"},
		{"dash", "saved-session", schema.Reason, "saved_session"},
		{"old dash in an application", "saved-session", schema.AppName, "saved-session"},
		{"dash of today", "first-shutdown", schema.Reason, "first-shutdown"},
		{"namespace", "org-example-app", schema.AppName, "org-example-app"},
		{"dash in a channel", "nightly-cck", schema.Channel, "nightly_cck"},
		{"dash in a build ID", "2013-09", schema.BuildID, "2013_09"},
		{"empty", "", schema.Reason, "UNKNOWN"},
		{"parent folder", "..", schema.AppName, "_."},
		{"dot", ".", schema.AppName, "_"},
		{"traversal", "../../etc/passwd", schema.Version, "_._.._etc_passwd"},
		{"percent-encoded", "%2F..%2F", schema.AppName, "_2F.._2F"},
		{"NUL and newline", "a\x00b\n", schema.AppName, "a_b_"},
		{"version keeps dots", "26.0a1", schema.Version, "26.0a1"},
		{"build ID loses dots", "2013.09.log", schema.BuildID, "2013_09_log"},
		{"not UTF-8", "\xff\xfe", schema.AppName, "__"},
		{"long", long, schema.AppName, long[:120]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := schema.Sanitise(tt.dim, tt.in); got != tt.want {
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
		for dim := range schema.NumDims {
			got := schema.Sanitise(dim, v)
			if got == "" || got[0] == '.' || len(got) > 120 || strings.ContainsAny(got, "/\\\x00\t\n") {
				t.Errorf("Sanitise(%d, %q) = %q is not safe", dim, v, got)
			}
			if again := schema.Sanitise(dim, got); again != got {
				t.Errorf("Sanitise is not idempotent: %q then %q", got, again)
			}
		}
	})
}
