package rawlog

import (
	"errors"
	"syscall"
)

// Why submissions are refused, as the public may read it.
const (
	refusedClosed = "the server is shutting down"
	refusedFull   = "the disk is full, or down to the reserve"
	refusedDisk   = "the disk fails"
)

// refusalOf returns the reason for an error of the disk.
func refusalOf(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return refusedFull
	}
	return refusedDisk
}

// refuse notes, and logs once, that submissions are not taken. Only the committer calls
// it and accept.
func (l *Log) refuse(why, name string, err error) {
	before := l.refusing.Load()
	l.refusing.Store(&why)
	if before == nil || *before != why {
		l.o.Log.Error("submissions are refused: "+why, "log", name, "err", err)
	}
}

// accept notes, and logs once, that submissions are taken again.
func (l *Log) accept() {
	if l.refusing.Load() != nil {
		l.refusing.Store(nil)
		l.o.Log.Info("submissions are taken again")
	}
}

// probeName is a file that shows whether the disk works again. A crash leaves it, and
// the next Open removes it: its name is hidden.
const probeName = ".probe"

// Refusal returns why a submission would not be taken now; "" if it would be. A disk that
// refused the last one is asked again, because none may come as long as it refuses.
func (l *Log) Refusal() string {
	switch err := l.Ready(); {
	case errors.Is(err, ErrClosed):
		return refusedClosed
	case err != nil:
		return refusedFull
	case l.refusing.Load() == nil:
		return ""
	}
	if err := l.probe(); err != nil {
		return refusalOf(err)
	}
	return ""
}

// probe writes a file as a raw log is written.
func (l *Log) probe() (err error) {
	l.probing.Lock()
	defer l.probing.Unlock()

	l.disk.remove(probeName) // of a probe that could not remove it
	file, err := l.disk.create(probeName)
	if err != nil {
		return err
	}
	err = errors.Join(file.append(makeBlocks(blockBytes), 0), file.close())
	return errors.Join(err, l.disk.remove(probeName))
}
