package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// TestOutputRollsBack: what a rejected key has written is gone, wherever it lay:
// in memory, in the file, or begun in one and ended in the other.
func TestOutputRollsBack(t *testing.T) {
	row := func(text string) []byte { return datum.AppendString(nil, text) }
	big := strings.Repeat("x", spoolBytes/3)
	spools := &spools{}
	for name, sizes := range map[string][2]int{ // rows before the mark, rows taken back
		"in memory": {1, 1}, "into the file": {2, 2}, "in the file": {3, 4}, "all": {0, 7},
	} {
		t.Run(name, func(t *testing.T) {
			budget := newOutputBudget(1 << 30)
			o := &Output{dir: t.TempDir(), budget: budget, spools: spools}
			defer o.close()

			write := func(key string, n int) {
				for range n {
					if err := o.Row(row(key), row(big)); err != nil {
						t.Fatal(err)
					}
				}
			}

			write("kept", sizes[0])
			before := o.mark()
			left := budget.left.Load()
			write("rejected", sizes[1])
			o.rollBack(before)
			if o.Rows() != int64(sizes[0]) || budget.left.Load() != left {
				t.Errorf("%d rows, %d bytes left; want %d, %d", o.Rows(), budget.left.Load(), sizes[0], left)
			}

			write("after", 1)
			var got bytes.Buffer
			if err := o.replay(rowsSink{&got}); err != nil {
				t.Fatal(err)
			}

			want := strings.Repeat("kept\t"+big+"\n", sizes[0]) + "after\t" + big + "\n"
			if got.String() != want {
				t.Errorf("%d bytes of output, want %d", got.Len(), len(want))
			}
		})
	}
}

// rowsSink writes rows as lines.
type rowsSink struct{ w *bytes.Buffer }

func (s rowsSink) Row(key, value []byte) error {
	_, err := fmt.Fprintf(s.w, "%s\t%s\n", datum.Text(key), datum.Text(value))
	return err
}

func (s rowsSink) Line([]byte) error               { return errors.ErrUnsupported }
func (s rowsSink) Record([]byte) error             { return errors.ErrUnsupported }
func (s rowsSink) CSVRecord([]byte) error          { return errors.ErrUnsupported }
func (s rowsSink) EndPreamble() error              { return nil }
func (s rowsSink) Separators(string, string) error { return errors.ErrUnsupported }
func (s rowsSink) Close() error                    { return nil }
