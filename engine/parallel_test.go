package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
)

// TestParallelReturnsTheLowestError: whichever fails first, the error is that of the
// lowest index that fails; those before it end, and those after it are cancelled.
func TestParallelReturnsTheLowestError(t *testing.T) {
	for range 20 {
		var began atomic.Int64
		highFailed := make(chan struct{})
		err := parallel(t.Context(), 4, 100, func(ctx context.Context, i int) error {
			switch i {
			case 3: // fails first
				close(highFailed)
				return errors.New("high")
			case 1: // fails when 3 has failed
				<-highFailed
				if ctx.Err() != nil {
					return fmt.Errorf("cancelled by a later one: %w", ctx.Err())
				}
				return errors.New("low")
			case 2: // ends only because it is cancelled
				<-ctx.Done()
				return context.Cause(ctx)
			}
			began.Add(1)
			if i > 3 { // ends only because it is cancelled, so that no more begin before the failure
				<-ctx.Done()
			}
			return nil
		})
		if err == nil || err.Error() != "low" {
			t.Fatalf("parallel = %v, want low", err)
		}
		if n := began.Load(); n > 2 { // 0, and 4 in its place
			t.Fatalf("%d others began, but none should after the failure", n)
		}
	}
}

func TestParallelPanics(t *testing.T) {
	err := parallel(t.Context(), 2, 3, func(_ context.Context, i int) error {
		if i == 1 {
			panic("on purpose")
		}
		return nil
	})
	if p, ok := errors.AsType[*PanicError](err); !ok || p.Value != "on purpose" {
		t.Errorf("parallel = %v, want a *PanicError", err)
	}
}
