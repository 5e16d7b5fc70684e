package schema_test

import (
	"errors"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

const testSchema = `{"version": 1, "dimensions": [
 {"field_name": "reason", "allowed_values": ["idle-daily", "saved-session"]},
 {"field_name": "appName", "allowed_values": "*"},
 {"field_name": "appUpdateChannel", "allowed_values": "nightly"},
 {"field_name": "appVersion", "allowed_values": {"min": "20", "max": "30"}},
 {"field_name": "appBuildID", "allowed_values": {"regex": "[0-9]{14}"}}
]}`

func TestPartition(t *testing.T) {
	s, err := schema.ParseSchema([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, in, want string }{
		{"allowed", "saved-session/Firefox/nightly/26.0a1/20130909030204/20130910", "saved_session/Firefox/nightly/26.0a1/20130909030204/20130910"},
		{"not allowed", "x/Firefox/beta/19/2013/20130910", "OTHER/Firefox/OTHER/OTHER/OTHER/20130910"},
		{"missing", "/////20130910", "OTHER/UNKNOWN/OTHER/OTHER/OTHER/20130910"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := schema.ParseDims(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Partition(d).String(); got != tt.want {
				t.Errorf("Partition(%s) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestParseSchemaRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"not JSON":         `{`,
		"unknown key":      `{"version": 1, "dimension": []}`,
		"wrong order":      `{"dimensions": [{"field_name": "appName", "allowed_values": "*"}]}`,
		"no values":        `{"dimensions": [{"field_name": "reason"}]}`,
		"number as values": `{"dimensions": [{"field_name": "reason", "allowed_values": 3}]}`,
		"bad regex":        `{"dimensions": [{"field_name": "reason", "allowed_values": {"regex": "("}}]}`,
		"mistyped bound":   `{"dimensions": [{"field_name": "reason", "allowed_values": {"minimum": "a"}}]}`,
		"two documents":    `{"dimensions": []} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := schema.ParseSchema([]byte(doc)); !errors.Is(err, schema.ErrSchema) {
				t.Errorf("ParseSchema(%s) = %v, want ErrSchema", doc, err)
			}
		})
	}
}

func TestFilterComparesSanitisedForms(t *testing.T) {
	f, err := schema.ParseFilter([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	d, _ := schema.ParseDims("saved_session/Firefox/nightly/26.0a1/20130909030204/20130910")
	if !f.Selects(d) {
		t.Errorf("the filter with %q does not select %v", "saved-session", d)
	}
	c, err := schema.ParseWhere("reason=idle-daily,x")
	if err != nil {
		t.Fatal(err)
	}
	if f.Where(c.Dim, c.Values).Selects(d) {
		t.Errorf("reason=idle-daily,x selects %v", d)
	}
	if c, err = schema.ParseWhere("submission_date=20130901..20130930"); err != nil || !f.Where(c.Dim, c.Values).Selects(d) {
		t.Errorf("submission_date=20130901..20130930 does not select %v (%v)", d, err)
	}
	for _, bad := range []string{"reason", "build=3", "reason=.."} {
		if _, err := schema.ParseWhere(bad); err == nil {
			t.Errorf("ParseWhere(%q) succeeded", bad)
		}
	}
	if (schema.Filter{}).Selects(d) {
		t.Error("the zero Filter selects a partition")
	}
}
