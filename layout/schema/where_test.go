package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

func TestParseWhere(t *testing.T) {
	versions := "9.0 25.0 26.0 26.0a1 27.0.1 28.0 28.0a1 28.0.1 29.0a1 29.0 100.0 OTHER UNKNOWN"
	builds := "20140131235959 20140201000000 20140228030204 20140301000000 OTHER"
	dates := "20131231 20140205 20140206 20140208 20150101"
	channels := "aurora beta nightly Nightly saved_session"
	tests := []struct{ condition, values, want string }{
		{"appUpdateChannel=nightly,beta", channels, "beta nightly"},
		{"appUpdateChannel = nightly , beta", channels, "beta nightly"},
		{"appUpdateChannel=saved-session", channels, "saved_session"},
		{"appUpdateChannel=*", channels, channels},
		{"appUpdateChannel=b..n", channels, "beta"},
		{"appVersion=26..28", versions, "26.0 26.0a1 27.0.1 28.0 28.0a1 28.0.1"},
		{"appVersion=26..28.0", versions, "26.0 26.0a1 27.0.1 28.0 28.0a1 28.0.1"},
		{"appVersion=28.0..28.0", versions, "28.0 28.0.1"},
		{"appVersion=9..28", versions, "9.0 25.0 26.0 26.0a1 27.0.1 28.0 28.0a1 28.0.1"},
		{"appVersion=29..", versions, "29.0a1 29.0 100.0"},
		{"appVersion=..9", versions, "9.0"},
		{"appVersion=29.0a1..29.0", versions, "29.0a1 29.0"},
		{"appVersion=9.0, 100..100, OTHER", versions, "9.0 100.0 OTHER"},
		{"appVersion=28", versions, ""},
		{"appBuildID=20140201..20140228", builds, "20140201000000 20140228030204"},
		{"appBuildID=2014-02-01..2014-02-28", builds, "20140201000000 20140228030204"},
		{"appBuildID=201403..", builds, "20140301000000"},
		{"submission_date=20140205..20140206", dates, "20140205 20140206"},
		{"submission_date=2014-02-05..2014-02-06", dates, "20140205 20140206"},
		{"submission_date=20140205..20140206,20140208", dates, "20140205 20140206 20140208"},
		{"submission_date=2014-02-08, 2013..2013", dates, "20131231 20140208"},
	}
	for _, tt := range tests {
		c, err := schema.ParseWhere(tt.condition)
		if err != nil {
			t.Errorf("%s: %v", tt.condition, err)
			continue
		}

		var got []string
		for _, value := range strings.Fields(tt.values) {
			if c.Values.Allows(value) {
				got = append(got, value)
			}
		}
		if !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%s selects %s, want %s", tt.condition, got, tt.want)
		}
	}
}

func TestParseWhereErrors(t *testing.T) {
	tests := []struct{ condition, want string }{
		{"appVersion", "want dimension=values"},
		{"version=1", "no dimension"},
		{"appVersion=", "a value is missing"},
		{"appVersion=1,,2", "a value is missing"},
		{"appVersion=..", "no bound"},
		{"appVersion=28..26", "empty"},
		{"appVersion=26..x", "no version"},
		{"submission_date=20140205...20140206", "two dots"},
		{"submission_date=20140206..20140205", "empty"},
		{"submission_date=20140231", "no date"},
		{"submission_date=yesterday", "no date"},
		{"submission_date=2014-2-5..", "no date"},
		{"appBuildID=new..", "no build ID"},
		{"reason=b..a", "empty"},
	}
	for _, tt := range tests {
		if _, err := schema.ParseWhere(tt.condition); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.condition, err, tt.want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := strings.Fields("OTHER 9.0 10 28.0a1 28.0a2 28.0b1 28.0b10 28.0 28.0.1 29.0esr 29.0 100.0")
	for i, a := range ascending {
		for j, b := range ascending {
			want := i - j
			if got := schema.CompareVersions(a, b); got != 0 && want == 0 || got < 0 != (want < 0) {
				t.Errorf("CompareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
	if schema.CompareVersions("29", "29.0.0") != 0 {
		t.Error("29 and 29.0.0 differ")
	}
}
