package rawlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

const (
	// minSpare is the size from which on recycling a finished log is worth it:
	// overwriting disk blocks syncs faster than filling allocated ones.
	minSpare = 16 << 20
	// maxSpares bounds the disk space that waits for recycling.
	maxSpares = 2

	// prepareAt is the part of a raw log that has to be full before the next one
	// is prepared: quiet servers, whose logs end by age, write nothing in vain.
	prepareAt = 0.25
	// minPrepare is the size of raw logs from which on preparing is worth it.
	minPrepare = 64 << 20
	// preparePace is at most how many zeros are written for each byte of submissions: the
	// next log is ready before it is needed.
	preparePace = 2
	// fillChunk is how much is zeroed by one write, whole disk blocks.
	fillChunk = 1 << 20
)

// linkSpare adds a second link to a finished log, which may be overwritten when it
// is the only one left.
func (l *Log) linkSpare(lf *logFile) {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()

	if lf.off < minSpare || len(l.spares) >= maxSpares {
		return
	}

	// The link keeps the disk blocks when the worker removes the log.
	spare := sparePrefix + lf.name
	if l.disk.link(lf.name+FinishedSuffix, spare) == nil {
		l.spares = append(l.spares, spare)
	}
}

// openFreeSpare opens a spare whose log has been converted and removed. It returns
// nil if all logs still exist. The caller holds spareMu.
func (l *Log) openFreeSpare() (index int, file diskFile, size int64) {
	// Two links mean that the log has not been converted yet.
	for index, spare := range l.spares {
		file, err := l.disk.open(spare)
		if err != nil {
			continue
		}
		info, err := file.stat()
		if err == nil && linksOf(info) == 1 {
			return index, file, info.Size()
		}
		file.close()
	}

	return 0, nil, 0
}

// claimSpare opens a free spare and renames it to name. It returns nil if no spare
// is free.
func (l *Log) claimSpare(name string) (diskFile, int64, error) {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()

	index, file, size := l.openFreeSpare()
	if file == nil {
		return nil, 0, nil
	}

	spare := l.spares[index]
	l.spares = slices.Delete(l.spares, index, index+1)

	// The removal of the log must be durable first, or a crash brings the old name
	// back with the new content.
	err := l.disk.sync()
	if err == nil {
		err = l.disk.rename(spare, name)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("recycle raw log: %w", errors.Join(err, file.close(), l.disk.remove(spare)))
	}

	return file, size, nil
}

// hasFreeSpare says whether claimSpare would find one now.
func (l *Log) hasFreeSpare() bool {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()

	_, file, _ := l.openFreeSpare()
	if file == nil {
		return false
	}
	file.close()
	return true
}

// dropSpares removes the spares, which frees their space.
func (l *Log) dropSpares() {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()

	for _, spare := range l.spares {
		if err := l.disk.remove(spare); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.o.Log.Warn("cannot remove a spare raw log", "log", spare, "err", err)
		}
	}

	l.spares = nil
}

// prepare writes the next raw log full of zeros in the background, when the
// current one fills quickly and none can be recycled: overwriting disk blocks needs
// no journal, and so syncs faster than filling allocated ones. The result is a spare.
// While clients wait it rests: then zeros would take the half of the disk's bandwidth,
// which is more than they give (docs/BENCHMARKS.md, Acquisition).
func (l *Log) prepare() {
	lf := l.file
	size := l.o.MaxBytes + fillChunk

	// It is worth it for a large file that fills, on a disk with room for two of them.
	if lf == nil || lf.prepared || size < minPrepare {
		return
	}
	if lf.off < int64(prepareAt*float64(size)) || l.free-2*size < l.o.Reserve {
		return
	}

	lf.prepared = true // once per file
	if l.hasFreeSpare() || !l.preparing.CompareAndSwap(false, true) {
		return
	}

	start := l.written.Load() // now: the goroutine may begin much later
	l.finishing.Go(func() {
		defer l.preparing.Store(false)
		l.makeSpare(sparePrefix+"zeros."+lf.name, size, start)
	})
}

// makeSpare makes a spare of zeros; see fill for start.
func (l *Log) makeSpare(name string, size, start int64) {
	// Not renamed: the name says that it is a spare, and a crash leaves it to removeHidden.
	file, err := l.disk.create(name)
	if err == nil {
		err = errors.Join(l.fill(file, size, start), file.close())
	}
	if err != nil || l.closing.Load() {
		l.o.Log.Debug("no raw log is prepared", "err", err)
		l.disk.remove(name) // it may not exist; the next start removes it too
		return
	}

	l.spareMu.Lock()
	defer l.spareMu.Unlock()
	l.spares = append(l.spares, name)
}

// fill writes size zeros, preparePace times as fast as submissions have come since written
// was start, or fewer after Close.
func (l *Log) fill(file diskFile, size, start int64) error {
	zeros := makeBlocks(fillChunk)
	for off := int64(0); off < size; off += fillChunk {
		// Submissions come first: the zeros follow them, when no clients wait for the disk.
		for !l.closing.Load() && (off > preparePace*(l.written.Load()-start) || l.waiting.Load() > paceWaiting) {
			<-l.grown
		}
		if l.closing.Load() {
			return nil
		}
		if err := file.append(zeros, off); err != nil {
			return err
		}
	}

	return nil
}

// removeHidden removes what a crash left of files that were not raw logs yet, or no
// longer. A file that a live server holds stays.
func removeHidden(d disk) error {
	names, err := d.list()
	if err != nil {
		return err
	}

	for _, name := range names {
		if !strings.HasPrefix(name, newPrefix) && !strings.HasPrefix(name, sparePrefix) {
			continue
		}

		// The lock says whether a live server holds it.
		file, err := d.open(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(d.remove(name), file.close()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}

	return nil
}
