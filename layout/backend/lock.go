package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// A lock that was not renewed for so long belongs to a process that died.
const lockStale = 15 * time.Minute

var errUnconditional = errors.New("the object store overwrites an object that must not exist (If-None-Match: *), so it cannot be locked; compact with one process only, in a copy on a disk")

// Lock is a lock in an object store: the object dir/<n> with the greatest n. It
// was made once, by a conditional write, and is renewed until Unlock.
type Lock struct {
	s    *Blob
	dir  string
	n    int
	text string // in the object: tells this holder from others
	stop chan struct{}
	done chan struct{} // closed when the renewing has ended
}

// Lock takes the lock by making the object after the greatest one, if that is
// free or stale; of several that try, one succeeds. Else the error wraps ErrBusy.
func (s *Blob) Lock(ctx context.Context, dir string) (*Lock, error) {
	n, err := s.greatest(ctx, dir)
	if err != nil {
		return nil, err
	}

	if n > 0 {
		last, err := s.stat(ctx, lockName(dir, n))
		if err != nil {
			return nil, err
		}
		if last.Bytes > 0 && time.Since(last.Modified) < lockStale {
			holder, err := s.ReadAll(ctx, lockName(dir, n))
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("lock %s, %.200q: %w", s.url, holder, ErrBusy)
		}
	}

	host, _ := os.Hostname() // for people
	text := fmt.Sprintf("held by %s, process %d, %s", host, os.Getpid(), rand.Text())
	l := &Lock{s: s, dir: dir, n: n + 1, text: text, stop: make(chan struct{}), done: make(chan struct{})}
	err = l.write(ctx, l.text, true)
	if errors.Is(err, fs.ErrExist) {
		// Perhaps a former try made it, and only its answer got lost.
		var there []byte
		if there, err = s.ReadAll(ctx, lockName(dir, l.n)); err == nil && string(there) != l.text {
			err = fmt.Errorf("lock %s: %w", s.url, ErrBusy)
		}
	}
	if err != nil {
		return nil, err
	}

	// A store that made it now, too, would give the lock to everybody.
	switch err := l.write(ctx, l.text, true); {
	case err == nil:
		return nil, fmt.Errorf("lock %s: %w", s.url, errUnconditional)
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}

	// The last one stays, so that its number is not used again.
	for i := max(1, n-10); i < n; i++ {
		s.Remove(ctx, lockName(dir, i))
	}
	go l.renew(context.WithoutCancel(ctx))
	return l, nil
}

func (l *Lock) renew(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(lockStale / 5)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.write(ctx, l.text, false) // tried again soon
		}
	}
}

// write writes the lock's object; with create, only if it does not exist.
func (l *Lock) write(ctx context.Context, text string, create bool) error {
	content := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return retry(ctx, func() error { return l.s.store.Put(ctx, lockName(l.dir, l.n), content, create) })
}

// Held returns an error that wraps ErrBusy when another process has taken over the
// lock, because this one was suspended for longer than lockStale. Call it before a
// change that only the holder may make.
func (l *Lock) Held(ctx context.Context) error {
	n, err := l.s.greatest(ctx, l.dir)
	if err == nil && n != l.n {
		err = fmt.Errorf("the lock of %s was taken over: %w", l.s.url, ErrBusy)
	}
	return err
}

// Unlock frees the lock.
func (l *Lock) Unlock() error {
	close(l.stop)
	<-l.done
	return l.write(context.Background(), "", false)
}

// greatest returns the number of the lock that counts; 0 without one.
func (s *Blob) greatest(ctx context.Context, dir string) (n int, err error) {
	es, err := s.List(ctx, dir)
	for _, e := range es {
		if i, err := strconv.Atoi(e.Name); err == nil {
			n = max(n, i)
		}
	}
	return n, err
}

func lockName(dir string, n int) string { return path.Join(dir, strconv.Itoa(n)) }
