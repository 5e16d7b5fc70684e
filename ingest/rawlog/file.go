package rawlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// HiddenPrefix begins the names of files that are no raw logs: ones being
	// made, and second links to finished ones, kept for recycling.
	HiddenPrefix = "."
	newPrefix    = ".new."
	sparePrefix  = ".spare."

	// allocateStep is how much space is allocated at once (less when a whole log is
	// smaller), so that appending changes no metadata in between and a sync costs
	// one write.
	allocateStep = 64 << 20
	// minSpare is the size from which on recycling a finished log is worth it:
	// overwriting blocks syncs faster than filling allocated ones.
	minSpare = 16 << 20
	// maxSpares bounds the disk space that waits for recycling.
	maxSpares = 2
)

// logFile is one raw log being written.
type logFile struct {
	disk      disk
	f         diskFile
	name      string
	head      fileHeader
	off       int64 // end of what is durable
	allocated int64
	step      int64 // how much is allocated at once
	prepared  bool  // the next file is seen to
	// buf is where a write is put together, whole blocks; it is the Log's. Between
	// batches it begins with the last block of the file, which is not full.
	buf []byte
}

// begin makes the next raw log: locked, its head synced, and only then visible.
func (l *Log) begin() (*logFile, error) {
	l.lastName = max(time.Now().UnixMilli(), l.lastName+1)
	name := fmt.Sprintf("%s%s.%d.%d", Prefix, l.o.Host, os.Getpid(), l.lastName)
	lf := &logFile{disk: l.disk, name: name, head: fileHeader{salt: rand.Uint32()}, step: min(allocateStep, l.o.MaxBytes), buf: l.buf}
	temp := newPrefix + name
	f, size, err := l.takeSpare(temp)
	if err != nil {
		return nil, err
	}
	if f != nil {
		lf.head.flags, lf.allocated = flagRecycled, size
	} else if f, err = l.disk.create(temp); err != nil {
		return nil, fmt.Errorf("begin raw log: %w", err)
	}
	lf.f, lf.off = f, fileHeaderBytes
	lf.allocate(fileHeaderBytes, l.free-l.o.Reserve)
	clear(lf.buf[copy(lf.buf, lf.head.append(nil)):blockBytes])
	err = f.append(lf.buf[:blockBytes], 0)
	if err == nil {
		err = l.disk.rename(temp, name)
	}
	if err == nil {
		if err = l.disk.sync(); err != nil {
			temp = name
		}
	}
	if err != nil {
		return nil, fmt.Errorf("begin raw log %s: %w", name, errors.Join(err, f.close(), l.disk.remove(temp)))
	}
	return lf, nil
}

// append makes the entries durable. At most room bytes may be allocated in
// advance.
func (lf *logFile) append(entries []*Entry, room int64) error {
	end := lf.off
	for _, f := range entries {
		end += int64(len(f.buf))
	}
	lf.allocate(end, room)
	n := int(lf.off % blockBytes) // bytes in buf
	at := lf.off - int64(n)       // where they belong
	for _, f := range entries {
		saltEntry(f.buf, f.sum^lf.head.salt)
		for rest := f.buf; len(rest) > 0; {
			c := copy(lf.buf[n:], rest)
			rest, n = rest[c:], n+c
			if n == len(lf.buf) {
				if err := lf.f.append(lf.buf, at); err != nil {
					return fmt.Errorf("append to raw log: %w", err)
				}
				at, n = at+int64(n), 0
			}
		}
	}
	if full := blocksUp(n); full > 0 {
		clear(lf.buf[n:full])
		if err := lf.f.append(lf.buf[:full], at); err != nil {
			return fmt.Errorf("append to raw log: %w", err)
		}
		copy(lf.buf, lf.buf[n&^(blockBytes-1):full])
	}
	lf.off = end
	return nil
}

// allocate sees to it that there is space up to end. That it fails is no error:
// the file system may not know how, or a smaller file may still fit.
func (lf *logFile) allocate(end, room int64) {
	n := max(lf.step, end-lf.allocated)
	if end <= lf.allocated || n > room {
		return
	}
	lf.f.allocate(lf.allocated, n)
	lf.allocated += n
}

// finish cuts the file to what is durable, says so in its head, and renames it.
func (lf *logFile) finish() error {
	lf.head.size = uint64(lf.off)
	err := lf.f.truncate(lf.off)
	if err == nil {
		err = lf.f.writeAt(lf.head.append(nil), 0)
	}
	if err == nil {
		err = lf.f.sync()
	}
	if err == nil {
		err = lf.disk.rename(lf.name, lf.name+FinishedSuffix)
	}
	if err == nil {
		err = lf.disk.sync()
	}
	return errors.Join(err, lf.f.close())
}

// keepSpare keeps a second link to a finished log, which may be overwritten when
// it is the only one left.
func (l *Log) keepSpare(lf *logFile) {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()
	if lf.off < minSpare || len(l.spares) >= maxSpares {
		return
	}
	spare := sparePrefix + lf.name
	if l.disk.link(lf.name+FinishedSuffix, spare) == nil {
		l.spares = append(l.spares, spare)
	}
}

// takeSpare opens a spare whose log has been converted and removed, as name. It
// returns nil if there is none.
func (l *Log) takeSpare(name string) (diskFile, int64, error) {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()
	for i, spare := range l.spares {
		f, err := l.disk.open(spare)
		if err != nil {
			continue
		}
		size, links, err := f.stat()
		if err != nil || links != 1 {
			f.close()
			continue
		}
		l.spares = slices.Delete(l.spares, i, i+1)
		// The removal must be durable first, or a crash brings the old name back
		// with the new content.
		if err = l.disk.sync(); err == nil {
			err = l.disk.rename(spare, name)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("recycle raw log: %w", errors.Join(err, f.close(), l.disk.remove(spare)))
		}
		return f, size, nil
	}
	return nil, 0, nil
}

// dropSpares gives the space of the spares back.
func (l *Log) dropSpares() {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()
	for _, s := range l.spares {
		if err := l.disk.remove(s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.o.Log.Warn("cannot remove a spare raw log", "log", s, "err", err)
		}
	}
	l.spares = nil
}

// removeHidden removes what a crash left of files that were no raw logs yet or
// any more. One that a live server holds is left alone.
func removeHidden(d disk) error {
	names, err := d.list()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, newPrefix) && !strings.HasPrefix(name, sparePrefix) {
			continue
		}
		f, err := d.open(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(d.remove(name), f.close()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
