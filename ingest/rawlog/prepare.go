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
	// fillChunk is how much is zeroed by one write, a multiple of any block size.
	fillChunk = 1 << 20
)

// prepare writes the next raw log full of zeros in the background, when the
// current one fills quickly and none can be recycled: overwriting blocks needs no
// journal, and so syncs twice as fast as filling allocated ones. The result is a
// spare.
func (l *Log) prepare() {
	lf := l.file
	size := l.o.MaxBytes + fillChunk
	if lf == nil || lf.prepared || size < minPrepare || float64(lf.off) < prepareAt*float64(size) || l.free-2*size < l.o.Reserve {
		return
	}
	lf.prepared = true // once per file
	if l.haveSpare() {
		return
	}
	l.finishing.Go(func() {
		name := fmt.Sprintf("%szeros.%s", sparePrefix, lf.name)
		f, err := l.disk.create(name)
		if err == nil {
			err = f.fill(size, l.closing.Load)
			err = errors.Join(err, f.close())
		}
		if err != nil || l.closing.Load() {
			l.o.Logger.Debug("no raw log is prepared", "err", err)
			l.disk.remove(name) // it may not be there; the next start removes it too
			return
		}
		l.spareMu.Lock()
		defer l.spareMu.Unlock()
		l.spares = append(l.spares, name)
	})
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
