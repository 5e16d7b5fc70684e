package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/layout"
)

// TestSources: every Source passes the same tests.
func TestSources(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		enginetest.TestSource(t, memory.Source{
			{Path: "b", Dims: enginetest.Dims, Frames: []string{"a\t1\nb\t2\n", "c\t3\n"}},
			enginetest.Lines("a", "d\t4"),
			enginetest.Lines("c", "d\t4"),
		})
	})

	t.Run("tree", func(t *testing.T) {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"saved_session/Firefox/nightly/26.0a1/1.20130910.v2.log": "b\t{}\n",
			"saved_session/Fennec/nightly/26.0a1/1.20130910.v2.log":  "a\t{}\nc\t{}\n",
		} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := layout.OpenTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		enginetest.TestSource(t, engine.TreeSource{Tree: tree})
	})

	t.Run("numbered", func(t *testing.T) {
		enginetest.TestSource(t, numbered{records: 100, perSegment: 30, keys: 10})
	})
}

// TestJobs: every Job of these tests passes the tests for jobs.
func TestJobs(t *testing.T) {
	src := memory.Source{enginetest.Lines("a", "x\t1", "y\t2", "x\t3"), enginetest.Lines("b", "x\t4")}
	for name, tt := range map[string]struct {
		job  engine.Job
		want string
	}{
		"concat":  {concat{combine: true}, "# preamble\nx\t134\ny\t2\n"},
		"tally":   {tally{}, "x\t3\ny\t1\n"},
		"sampled": {engine.Sample(tally{}, engine.Whole()), "x\t3\ny\t1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := enginetest.TestJob(t, src, tt.job); got != tt.want {
				t.Errorf("rows %q, want %q", got, tt.want)
			}
		})
	}
}
