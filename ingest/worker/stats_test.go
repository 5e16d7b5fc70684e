package worker

import (
	"reflect"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
)

// TestAddAddsEveryCount fails for a count of Stats that Add forgets.
func TestAddAddsEveryCount(t *testing.T) {
	for field := range reflect.TypeFor[Stats]().Fields() {
		if field.Name == "Published" || field.Name == "Parts" { // not added, as Add says
			continue
		}

		var one Stats
		value := reflect.ValueOf(&one).Elem().FieldByIndex(field.Index)
		switch count := value.Addr().Interface().(type) {
		case *int64:
			*count = 7
		case *map[string]int64:
			*count = map[string]int64{"why": 7}
		case *map[string]map[string]int64:
			*count = map[string]map[string]int64{"kind": {"what": 7}}
		case *[]string:
			*count = []string{"where"}
		case *histogram.DropCounts:
			*count = histogram.DropCounts{{Name: "GC", Reason: "why"}: 7}
		default:
			if field.Type.Kind() != reflect.Array {
				t.Fatalf("%s is of type %v; teach this test to set it", field.Name, field.Type)
			}
			value.Index(0).SetInt(7)
		}

		total := newStats()
		total.Add(one)
		if got := reflect.ValueOf(total).FieldByIndex(field.Index); !reflect.DeepEqual(got.Interface(), value.Interface()) {
			t.Errorf("%s is %v, want %v", field.Name, got, value)
		}
	}
}
