package schema_test

import (
	"testing"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestNamespaces: a namespace is an application where the schema says so.
func TestNamespaces(t *testing.T) {
	listed, err := schema.ParseSchema([]byte(`{"version":1,"namespaces":["org-example"],"dimensions":[
		{"field_name":"reason","allowed_values":["main"]},{"field_name":"appName","allowed_values":["Firefox","lower"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	without, err := schema.ParseSchema([]byte(`{"version":1,"dimensions":[
		{"field_name":"reason","allowed_values":["main"]},{"field_name":"appName","allowed_values":["Firefox"]}]}`))
	if err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name        string
		schema      *schema.Schema
		reason, app string
		want        string
	}{
		{"built-in", schema.Default(), "baseline", "org-example", "baseline/org-example"},
		{"built-in, dash", schema.Default(), "first-shutdown", "Firefox", "first-shutdown/Firefox"},
		{"built-in, the old dash", schema.Default(), "idle-daily", "Firefox", "idle_daily/Firefox"},
		{"built-in, unknown type of Firefox", schema.Default(), "no-such-type", "Firefox", "OTHER/Firefox"},
		{"built-in, no namespace", schema.Default(), "baseline", "Org", "OTHER/OTHER"},
		{"built-in, no type", schema.Default(), "Base_line", "org-example", "OTHER/OTHER"},
		{"listed", listed, "baseline", "org-example", "baseline/org-example"},
		{"not listed", listed, "baseline", "org-other", "OTHER/OTHER"},
		{"an application that looks like one", listed, "baseline", "lower", "OTHER/lower"},
		{"without", without, "baseline", "org-example", "OTHER/OTHER"},
		{"without, known type", without, "main", "org-example", "main/OTHER"},
	} {
		p := tt.schema.Partition(schema.Dims{tt.reason, tt.app, "esr", "1", "2", "20260910"})
		if got := p[schema.Reason] + "/" + p[schema.AppName]; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if again := tt.schema.Repartition(p); again != p {
			t.Errorf("%s: %v, moved to the same schema %v", tt.name, p, again)
		}
		if got := p[schema.Reason] + "/" + p[schema.AppName]; got != "OTHER/OTHER" && got != "OTHER/lower" && got != "OTHER/Firefox" && got != "main/OTHER" && !tt.schema.Filter().Selects(p) {
			t.Errorf("%s: the schema as a filter does not select %v", tt.name, p)
		}
	}
}

// TestOldDashes: a filter or condition with a dash selects partitions of both times.
func TestOldDashes(t *testing.T) {
	filter, err := schema.ParseFilter([]byte(`{"version":1,"dimensions":[{"field_name":"reason","allowed_values":["first-shutdown","idle-daily"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	condition, err := schema.ParseWhere("reason=first-shutdown,idle-daily")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"first-shutdown", "first_shutdown", "idle_daily"} {
		if !filter.Matches(schema.Reason, reason) || !condition.Values.Allows(reason) {
			t.Errorf("%s is not selected", reason)
		}
	}
	if filter.Matches(schema.Reason, "first") || condition.Values.Allows("first") {
		t.Error("another reason is selected")
	}
}
