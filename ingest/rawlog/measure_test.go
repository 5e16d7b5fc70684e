package rawlog

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// TestMeasure: each size is measured in both kinds of files, and nothing stays behind, whether it
// ends, is interrupted or fails.
func TestMeasure(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()

	speeds, err := measure(t.Context(), rootDisk{root}, 0, 2<<20)
	if err != nil || len(speeds) != 2*len(measuredBatches) {
		t.Fatalf("%v, %v", speeds, err)
	}
	for _, speed := range speeds {
		if speed.BytesPerSecond <= 0 || speed.Slowest <= 0 {
			t.Errorf("%+v", speed)
		}
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ended, root, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	broken := errors.New("broken")
	for left := range 4 {
		d := &faultDisk{rootDisk: rootDisk{root}, left: left + 1, err: broken}
		if _, err := measure(t.Context(), d, 0, 2<<20); !errors.Is(err, broken) {
			t.Errorf("step %d failed: %v", left, err)
		}
	}
	if names, err := (rootDisk{root}).list(); err != nil || len(names) > 0 {
		t.Errorf("files are left: %q, %v", names, err)
	}
}
