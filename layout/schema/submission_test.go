package schema

import (
	"strings"
	"testing"
)

func TestParseSubmissionPath(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, tt := range []struct {
		path string
		want Submitted
		ok   bool
	}{
		{"id", Submitted{ID: "id", Namespace: "telemetry"}, true},
		{"id/main/Firefox/153.8.0/esr/2026", Submitted{ID: "id", Namespace: "telemetry", Type: "main", Claimed: Dims{"main", "Firefox", "esr", "153.8.0", "2026", ""}}, true},
		{"/main/Firefox/153.8.0/esr/2026", Submitted{Namespace: "telemetry", Type: "main", Claimed: Dims{"main", "Firefox", "esr", "153.8.0", "2026", ""}}, true},
		{"/firefox-desktop/baseline/1/id", Submitted{ID: "id", Namespace: "firefox-desktop", Type: "baseline", Version: "1", Claimed: Dims{"baseline", "firefox-desktop"}}, true},
		{"/telemetry/main/4/%2F", Submitted{ID: "%2F", Namespace: "telemetry", Type: "main", Version: "4", Claimed: Dims{"main"}}, true},
		{"/" + long + "/" + long + "/V1.0-x/id", Submitted{ID: "id", Namespace: long, Type: long, Version: "V1.0-x", Claimed: Dims{long, long}}, true},
		{"/a" + long + "/b/1/id", Submitted{}, false},
		{"/Firefox/b/1/id", Submitted{}, false},
		{"/a/b_c/1/id", Submitted{}, false},
		{"/a/b/../id", Submitted{ID: "id", Namespace: "a", Type: "b", Version: "..", Claimed: Dims{"b", "a"}}, true},
		{"/a/b/1/", Submitted{}, false},
		{"/a/b//id", Submitted{}, false},
		{"a/b/1/id", Submitted{}, false},
		{"/a/b/1/id/", Submitted{Namespace: "telemetry", Type: "a", Claimed: Dims{"a", "b", "id", "1"}}, true},
	} {
		got, ok := ParseSubmissionPath(tt.path)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %+v, %v", tt.path, got, ok)
		}
	}
}
