package store

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// A lock that was not renewed for so long belongs to a process that died.
const lockStale = 15 * time.Minute

// Lock takes a lock by making the object dir/<n> after the greatest n there, if that
// one is free or stale; of several that try, one succeeds. It is renewed
// until unlock is called. A holder that was suspended for longer than lockStale
// may meet another one.
func (s *Blob) Lock(ctx context.Context, dir string) (unlock func() error, err error) {
	es, err := s.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, e := range es {
		if i, err := strconv.Atoi(e.Name); err == nil {
			n = max(n, i)
		}
	}
	if n > 0 {
		a, err := s.b.Attributes(ctx, lockName(dir, n))
		if err != nil {
			return nil, err
		}
		if a.Size > 0 && time.Since(a.ModTime) < lockStale {
			return nil, fmt.Errorf("lock %s: %w", s.url, ErrBusy)
		}
	}
	held := lockName(dir, n+1)
	write := func(content string, o *blob.WriterOptions) error {
		return s.b.WriteAll(context.WithoutCancel(ctx), held, []byte(content), o)
	}
	err = write("held", &blob.WriterOptions{IfNotExist: true})
	if c := gcerrors.Code(err); c == gcerrors.FailedPrecondition || c == gcerrors.AlreadyExists {
		return nil, fmt.Errorf("lock %s: %w", s.url, ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	for i := max(1, n-10); i < n; i++ { // long gone; the last one stays
		s.Remove(ctx, lockName(dir, i))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(lockStale / 5)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				write("held", nil) // tried again soon
			}
		}
	}()
	return func() error {
		close(stop)
		<-stopped
		return write("", nil) // free
	}, nil
}

func lockName(dir string, n int) string { return path.Join(dir, strconv.Itoa(n)) }
