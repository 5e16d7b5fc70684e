package rawlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

const (
	// HiddenPrefix begins the names of files that are no raw logs: those being
	// made, and spares.
	HiddenPrefix = "."
	newPrefix    = ".new."
	sparePrefix  = ".spare."

	// allocateStep is how much space is allocated at once (less when a whole log is
	// smaller), so that appending changes no metadata in between and a sync costs
	// one write.
	allocateStep = 64 << 20
	// bufferBytes is how much is written and synced at once; a larger batch takes
	// several turns.
	bufferBytes = 2 << 20
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
	prepared  bool  // the next file is being prepared, or need not be
	// buf is where a write is assembled, whole disk blocks; it is the Log's. Between
	// batches it begins with the last disk block of the file, which is not full.
	buf []byte
}

// maxNames is how many names are tried for a raw log. Another server may have the same
// ones: in containers that share a folder, hosts and process IDs can be equal.
const maxNames = 100

// begin makes the next raw log: locked, its head synced, and only then visible. Its name
// is one that no raw log has.
func (l *Log) begin() (*logFile, error) {
	for try := 1; ; try++ {
		// Names ascend even if the clock is set back.
		l.lastName = max(time.Now().UnixMilli(), l.lastName+1)
		name := fmt.Sprintf("%s%s.%d.%d", Prefix, l.o.Host, os.Getpid(), l.lastName)

		begun, err := l.beginAs(name)
		if !errors.Is(err, fs.ErrExist) || try == maxNames {
			return begun, err
		}
	}
}

// beginAs is begin for one name; the error wraps fs.ErrExist if that is taken.
func (l *Log) beginAs(name string) (*logFile, error) {
	_, err := l.disk.lstat(name + FinishedSuffix)
	if err == nil {
		return nil, fmt.Errorf("begin raw log %s: %w", name, fs.ErrExist)
	}

	lf := &logFile{
		disk: l.disk, name: name, off: fileHeaderBytes, step: min(allocateStep, l.o.MaxBytes), buf: l.buf,
		head: fileHeader{salt: rand.Uint32()},
	}

	// Overwriting a spare syncs faster than filling a new file.
	temp := newPrefix + name
	file, size, err := l.claimSpare(temp)
	if err != nil {
		return nil, err
	}
	if file != nil {
		lf.head.flags = flagRecycled
		lf.allocated = size
	} else if file, err = l.disk.create(temp); err != nil {
		return nil, fmt.Errorf("begin raw log: %w", err)
	}
	lf.f = file
	lf.allocate(fileHeaderBytes, l.free-l.o.Reserve)

	// What cannot be published is removed under the name that it has by then.
	if temp, err = lf.publish(temp); err != nil {
		return nil, fmt.Errorf("begin raw log %s: %w", name, errors.Join(err, file.close(), l.disk.remove(temp)))
	}

	return lf, nil
}

// publish writes the head and then renames the file from temp to its name, so that
// no reader sees one without a head. It returns the name that the file has, also
// after an error.
func (lf *logFile) publish(temp string) (name string, err error) {
	// The head gets a whole disk block, as the entries behind it do.
	n := copy(lf.buf, lf.head.append(nil))
	clear(lf.buf[n:blockBytes])
	if err := lf.f.append(lf.buf[:blockBytes], 0); err != nil {
		return temp, err
	}
	if err := lf.disk.rename(temp, lf.name); err != nil {
		return temp, err
	}
	return lf.name, lf.disk.sync()
}

// append makes the entries durable. At most room bytes may be allocated in
// advance.
func (lf *logFile) append(entries []*Entry, room int64) error {
	// Space comes first, so that the write changes no metadata.
	end := lf.off
	for _, entry := range entries {
		end += int64(len(entry.buf))
	}
	lf.allocate(end, room)

	// Whole disk blocks are written, so the last one of the batch before comes again.
	filled := int(lf.off % blockBytes) // bytes in buf
	at := lf.off - int64(filled)       // where they belong
	for _, entry := range entries {
		putSum(entry.buf, entry.sum^lf.head.salt)
		for rest := entry.buf; len(rest) > 0; {
			copied := copy(lf.buf[filled:], rest)
			rest = rest[copied:]
			filled += copied
			if filled < len(lf.buf) {
				continue
			}

			// The buffer is full: write it and begin the next.
			if err := lf.f.append(lf.buf, at); err != nil {
				return fmt.Errorf("append to raw log: %w", err)
			}
			at += int64(filled)
			filled = 0
		}
	}

	// Zeros fill the last disk block; its beginning stays in buf for the next batch.
	if full := blocksUp(filled); full > 0 {
		clear(lf.buf[filled:full])
		if err := lf.f.append(lf.buf[:full], at); err != nil {
			return fmt.Errorf("append to raw log: %w", err)
		}
		copy(lf.buf, lf.buf[filled&^(blockBytes-1):full])
	}

	lf.off = end
	return nil
}

// allocate reserves space up to end, if at most room bytes are needed. A failure is
// no error: the file system may not support it, or a smaller file may still fit.
func (lf *logFile) allocate(end, room int64) {
	n := max(lf.step, end-lf.allocated)
	if end <= lf.allocated || n > room {
		return
	}
	lf.f.allocate(lf.allocated, n)
	lf.allocated += n
}

// finish cuts the file to what is durable, writes its size into its head, and
// renames it. One that was removed meanwhile is written again.
func (lf *logFile) finish() error {
	return errors.Join(lf.seal(), lf.f.close())
}

// isThere says whether the file still has its name, so that it will be converted.
func (lf *logFile) isThere() bool {
	mine, err := lf.f.stat()
	if err != nil || linksOf(mine) == 0 {
		return false
	}

	named, err := lf.disk.lstat(lf.name)
	return err == nil && os.SameFile(mine, named)
}

// isLinked says whether the file has any name. It is fast enough for every batch.
func (lf *logFile) isLinked() bool {
	info, err := lf.f.stat()
	return err == nil && linksOf(info) > 0
}

// rescue writes the sealed file again, whose name is gone, as a finished raw log: what is
// in it was acknowledged, and only this process still has it.
func (lf *logFile) rescue() error {
	temp := newPrefix + lf.name
	copied, err := lf.disk.create(temp)
	if err != nil {
		return err
	}

	err = lf.copyTo(copied)
	if err == nil {
		err = copied.sync()
	}
	if err == nil {
		err = lf.disk.rename(temp, lf.name+FinishedSuffix)
	}
	if err != nil {
		return errors.Join(err, copied.close(), lf.disk.remove(temp))
	}
	return errors.Join(lf.disk.sync(), copied.close())
}

// copyTo copies what is durable to another file.
func (lf *logFile) copyTo(to diskFile) error {
	chunk := make([]byte, fillChunk)
	for off := int64(0); off < lf.off; {
		n, err := lf.f.readAt(chunk[:min(int64(len(chunk)), lf.off-off)], off)
		if n == 0 {
			return err
		}
		if err := to.writeAt(chunk[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (lf *logFile) seal() error {
	lf.head.size = uint64(lf.off)
	if err := lf.f.truncate(lf.off); err != nil {
		return err
	}
	if err := lf.f.writeAt(lf.head.append(nil), 0); err != nil {
		return err
	}

	// Sync before the rename: a finished name promises a finished file.
	if err := lf.f.sync(); err != nil {
		return err
	}
	if !lf.isThere() {
		return lf.rescue()
	}
	if err := lf.disk.rename(lf.name, lf.name+FinishedSuffix); err != nil {
		return err
	}

	return lf.disk.sync()
}
