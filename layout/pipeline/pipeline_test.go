package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// repeat is the work of the tests: the input n becomes n outputs.
func repeat(n int, emit func(string) error) error {
	for i := range n {
		if err := emit(fmt.Sprintf("%d.%d", n, i)); err != nil {
			return err
		}
	}
	return nil
}

// inputs returns a Produce for the numbers below n.
func inputs(n int) func(context.Context, func(int) error) error {
	return func(_ context.Context, send func(int) error) error {
		for i := range n {
			if err := send(i); err != nil {
				return err
			}
		}
		return nil
	}
}

// repeatAll is repeat as a Work that takes a random time.
func repeatAll(_ context.Context, tasks iter.Seq[Task[int, string]]) error {
	for task := range tasks {
		time.Sleep(rand.N(100 * time.Microsecond))
		if err := repeat(task.Input, task.Send); err != nil {
			return err
		}
	}
	return nil
}

// TestRun compares pipelines of several sizes with a loop in one goroutine.
func TestRun(t *testing.T) {
	const count = 30
	var want []string
	for i := range count {
		repeat(i, func(out string) error { want = append(want, out); return nil })
	}

	for _, workers := range []int{0, 1, 7} {
		for _, ahead := range []int{0, 1, 50} {
			var got []string
			err := Run(t.Context(), Stages[int, string]{
				Workers: workers, Ahead: ahead,
				Produce: inputs(count), Work: repeatAll,
				Consume: func(out string) error { got = append(got, out); return nil },
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%d workers, %d ahead: %v, %v", workers, ahead, got, err)
			}
		}
	}
}

// TestWaitTurn: a task that waits for its turn runs alone, after all outputs before it
// are consumed.
func TestWaitTurn(t *testing.T) {
	const count = 50
	consumed := 0
	var alone atomic.Int32
	err := Run(t.Context(), Stages[int, string]{
		Workers: 7, Ahead: 20,
		Produce: inputs(count),
		Work: func(_ context.Context, tasks iter.Seq[Task[int, string]]) error {
			for task := range tasks {
				if task.Input%3 == 0 {
					if err := task.WaitTurn(); err != nil {
						return err
					}
					if alone.Add(1) != 1 || consumed != task.Input {
						t.Errorf("task %d is not alone, or %d tasks are consumed", task.Input, consumed)
					}
					alone.Add(-1)
				}
				if err := task.Send("out"); err != nil {
					return err
				}
			}
			return nil
		},
		Consume: func(string) error { consumed++; return nil },
	})
	if err != nil || consumed != count {
		t.Errorf("%d consumed, %v", consumed, err)
	}
}

// TestRunFails checks that an error of any stage, and of the context, ends all of
// them and comes back.
func TestRunFails(t *testing.T) {
	bad := errors.New("bad")
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	for _, tt := range []struct {
		name   string
		ctx    context.Context
		change func(*Stages[int, string])
		want   error
	}{
		{"produce", t.Context(), func(s *Stages[int, string]) {
			s.Produce = func(_ context.Context, send func(int) error) error { return errors.Join(send(1), bad) }
		}, bad},
		{"work", t.Context(), func(s *Stages[int, string]) {
			s.Work = func(_ context.Context, tasks iter.Seq[Task[int, string]]) error {
				for range tasks {
					return bad
				}
				return nil
			}
		}, bad},
		{"consume", t.Context(), func(s *Stages[int, string]) {
			s.Consume = func(string) error { return bad }
		}, bad},
		{"context", ended, func(*Stages[int, string]) {}, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Stages[int, string]{
				Workers: 3, Ahead: 3,
				Produce: inputs(1000), Work: repeatAll, Consume: func(string) error { return nil },
			}
			tt.change(&s)
			if err := Run(tt.ctx, s); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
