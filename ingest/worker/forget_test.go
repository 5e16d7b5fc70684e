package worker

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// quarantineAll is a filter.
type quarantineAll struct{}

func (q quarantineAll) NewDecider(ctx context.Context) decide.Decider { return q }
func (quarantineAll) Close()                                          {}
func (quarantineAll) Decide(schema.Dims, []byte, []byte) (decide.Decision, error) {
	return decide.Decision{Action: decide.Quarantine, Reason: "a mistake"}, nil
}

// TestFilterChangesAfterADeath: a conversion records what it received, and its process
// ends before the commit. The next one has another filter, which quarantines: that the
// submission was received is forgotten, so that a replay can publish it.
func TestFilterChangesAfterADeath(t *testing.T) {
	data := ingesttest.DataWith(t, "id1", ingesttest.Ping(``))
	data.DropRepeats(3)
	dies := true
	data.Folder().Hook = func(_ *os.Root, _ backend.Op, name string) error {
		if dies && strings.HasSuffix(name, backend.CommitFile+".tmp") {
			dies = false
			panic("the end of the process")
		}
		return nil
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the conversion came to its end")
			}
		}()
		newWorker(data, definitions(t), nil).ConvertLog(t.Context(), name)
	}()

	got, err := newWorker(data, definitions(t), quarantineAll{}).ConvertLog(t.Context(), name)
	if err != nil || got.AllQuarantined() != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	replay, err := data.NewWriter("replay", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer replay.Abort()
	repeated, err := replay.Repeated([]byte("id1"), []byte(ingesttest.Ping(``)), time.Date(2013, 9, 10, 23, 59, 0, 0, time.UTC))
	if repeated || err != nil {
		t.Errorf("a submission that was never published is a repeat, %v", err)
	}
}
