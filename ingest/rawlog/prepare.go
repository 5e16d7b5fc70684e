package rawlog

import (
	"errors"
	"fmt"
)

const (
	// prepareAt is the part of a raw log that has to be full before the next one
	// is prepared: quiet servers, whose logs end by age, write nothing in vain.
	prepareAt = 0.25
	// minPrepare is the size of raw logs from which on preparing is worth it.
	minPrepare = 64 << 20
	// preparePace is how many zeros are written for each byte of submissions: the
	// next log is ready before it is needed, and the disk is for submissions first.
	preparePace = 2
	// fillChunk is how much is zeroed by one write, whole blocks.
	fillChunk = 1 << 20
)

// prepare writes the next raw log full of zeros in the background, when the
// current one fills quickly and none can be recycled: overwriting blocks needs no
// journal, and so syncs faster than filling allocated ones. The result is a spare.
func (l *Log) prepare() {
	lf := l.file
	size := l.o.MaxBytes + fillChunk
	if lf == nil || lf.prepared || size < minPrepare || float64(lf.off) < prepareAt*float64(size) || l.free-2*size < l.o.Reserve {
		return
	}
	lf.prepared = true // once per file
	if l.haveSpare() || !l.preparing.CompareAndSwap(false, true) {
		return
	}
	start := l.written.Load() // now: the goroutine may begin much later
	l.finishing.Go(func() {
		defer l.preparing.Store(false)
		name := fmt.Sprintf("%szeros.%s", sparePrefix, lf.name)
		f, err := l.disk.create(name)
		if err == nil {
			err = errors.Join(l.fill(f, size, start), f.close())
		}
		if err != nil || l.closing.Load() {
			l.o.Log.Debug("no raw log is prepared", "err", err)
			l.disk.remove(name) // it may not be there; the next start removes it too
			return
		}
		l.spareMu.Lock()
		defer l.spareMu.Unlock()
		l.spares = append(l.spares, name)
	})
}

// fill writes size zeros, as fast as submissions have come since written was start,
// or fewer after Close.
func (l *Log) fill(f diskFile, size, start int64) error {
	zeros := makeBlocks(fillChunk)
	for off := int64(0); off < size; off += fillChunk {
		for !l.closing.Load() && off > preparePace*(l.written.Load()-start) {
			<-l.grown
		}
		if l.closing.Load() {
			return nil
		}
		if err := f.append(zeros, off); err != nil {
			return err
		}
	}
	return nil
}

// haveSpare says whether a spare could be taken now.
func (l *Log) haveSpare() bool {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()
	for _, spare := range l.spares {
		f, err := l.disk.open(spare)
		if err != nil {
			continue
		}
		_, links, err := f.stat()
		f.close()
		if err == nil && links == 1 {
			return true
		}
	}
	return false
}
