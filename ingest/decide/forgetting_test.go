package decide

import (
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// TestForgetting applies the outcomes of a raw log, one after the other.
func TestForgetting(t *testing.T) {
	id := func(text string) forget.ID {
		parsed, ok := forget.ParseID([]byte(text))
		if !ok {
			t.Fatal(text)
		}
		return parsed
	}
	const known, asks, limited = "bbd3a809-6dde-4cc4-8432-1c1fe3100f03", "271f4fce-20cd-45a9-81e6-692c1ec3077e", "957d55a5-e987-4579-88cd-6710804913c2"
	before := &forget.Set{}
	before.Add(forget.Request{ID: id(known)})
	before.Add(forget.Request{ID: id(limited), Reaches: []string{"other-app"}})
	f := NewForgetting(before, forget.DefaultTable())

	published := func(text, namespace string) Outcome {
		return Outcome{Kind: Published, Subject: convert.Subject{Clients: []forget.ID{id(text)}, Namespace: namespace}}
	}
	rejected := Outcome{Kind: Quarantined, Rejection: &convert.Rejection{Class: convert.ClassConversion}}
	request := Outcome{Kind: Published, Subject: convert.Subject{Namespace: "my-app", Forget: []forget.Request{{ID: id(asks)}}}}
	for _, step := range []struct {
		name     string
		path     string
		body     string
		outcome  Outcome
		want     Kind
		requests int
	}{
		{"a client that was forgotten before", "", "", published(known, "my-app"), Forgotten, 0},
		{"one that is forgotten elsewhere", "", "", published(limited, "my-app"), Published, 0},
		{"and there", "", "", published(limited, "other-app"), Forgotten, 0},
		{"Firefox after the opt-out", "", "", published(forget.Canary.String(), "telemetry"), Forgotten, 0},
		{"before its request", "", "", published(asks, "my-app"), Published, 0},
		{"the request", "", "", request, Published, 1},
		{"after it", "", "", published(asks, "my-app"), Forgotten, 0},
		{"after it, by the filter", "", "", Outcome{Kind: Dropped, Subject: published(asks, "my-app").Subject}, Forgotten, 0},
		{"rejected", "/my-app/baseline/1/id", `{"client_info":{"client_id":"` + asks + `"}`, rejected, Forgotten, 0},
		{"another one, rejected", "/my-app/baseline/1/id", `{"client_info":{"client_id":"c` + asks[1:] + `"}`, rejected, Quarantined, 0},
		{"one that waits", "id/main/Firefox/1/esr/2026", `{"clientId":"` + known + `"}`, Outcome{Kind: Waiting, Outage: &convert.Outage{}}, Forgotten, 0},
		{"a request that is rejected", "/my-app/deletion-request/1/id", `{"client_info":{"client_id":"d` + asks[1:] + `"}}`, rejected, Forgotten, 1},
		{"after that", "", "", published("d"+asks[1:], "my-app"), Forgotten, 0},
	} {
		outcome := step.outcome
		requests := f.Apply(&rawlog.Submission{Path: step.path, Body: []byte(step.body), Time: time.Unix(1, 0)}, &outcome)
		if outcome.Kind != step.want || len(requests) != step.requests {
			t.Errorf("%s: kind %d with %d requests, want %d with %d", step.name, outcome.Kind, len(requests), step.want, step.requests)
		}
	}
}
