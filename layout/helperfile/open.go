package helperfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

const (
	// holderSuffix makes the name of the file that says which process has the database
	// open for writing, if one has. Its lock is for those that wait; see waitTurn.
	holderSuffix = ".pid"
	// lockEvery is how long to wait before a lock is tried again.
	lockEvery = 50 * time.Millisecond
)

// openFile is a file that bbolt has open and locked.
type openFile struct {
	bolt *bbolt.DB
	file *os.File
	info os.FileInfo // which file it is, whatever its name becomes
}

// abandon closes and unlocks the file of a database that bbolt cannot close any more.
// Its mapped memory is lost to the process, and would keep the lock.
func (f *openFile) abandon() error {
	return errors.Join(syscall.Flock(int(f.file.Fd()), syscall.LOCK_UN), f.file.Close())
}

// openFile opens and locks the file. With an error that wraps ErrDamaged, only the info
// of the result is set.
func (o *Options) openFile() (*openFile, error) {
	start := time.Now()
	turn, err := o.waitTurn(start)
	if err != nil {
		return nil, err
	}
	defer turn.Close() // also of nil

	// What is left of the wait; for bbolt 0 is without end.
	wait := o.Wait
	if wait > 0 {
		wait = max(wait-time.Since(start), time.Millisecond)
	}

	open := &openFile{}
	err = guard(func() (err error) {
		open.bolt, err = bbolt.Open(o.Name, 0o666, &bbolt.Options{
			Timeout:  wait,
			ReadOnly: o.ReadOnly,

			// No link leads out of the folder, and the file can be closed without bbolt.
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				open.file, err = o.Root.OpenFile(name, flag, mode)
				if err == nil {
					open.info, err = open.file.Stat()
				}
				return open.file, err
			},
		})
		if err == nil {
			err = open.checkLength()
		}
		return classify(err)
	})

	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, o.inUse()
	}
	if err != nil {
		// bbolt has closed the file already, unless it panicked or the file was too short.
		if open.file != nil {
			open.abandon()
		}
		return open, fmt.Errorf("open %s: %w", o.Name, err)
	}

	if o.ReadOnly {
		return open, nil
	}

	// So that the next process can name this one while it waits.
	holder := strconv.AppendInt(nil, int64(os.Getpid()), 10)
	if err := o.Root.WriteFile(o.Name+holderSuffix, holder, 0o666); err != nil {
		return nil, errors.Join(err, open.bolt.Close())
	}
	return open, nil
}

// checkLength returns an error if pages of the file are missing at its end. bbolt maps
// more memory than that, and would end the process when it reads there.
func (f *openFile) checkLength() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}

	var pagesBytes int64
	err = f.bolt.View(func(tx *bbolt.Tx) error {
		pagesBytes = tx.Size()
		return nil
	})
	if err == nil && info.Size() < pagesBytes {
		err = fmt.Errorf("%w: %d bytes are left of %d", ErrDamaged, info.Size(), pagesBytes)
	}
	return err
}

// classify marks an error of bbolt.Open as damage unless the system or a lock caused it.
func classify(err error) error {
	var errno syscall.Errno
	if err == nil || errors.As(err, &errno) || errors.Is(err, bbolterrors.ErrTimeout) || errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	if errors.Is(err, bbolterrors.ErrVersionMismatch) {
		return fmt.Errorf("%w: %w", ErrNewer, err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// inUse returns the error for a file that another process still has after the wait.
func (o *Options) inUse() error {
	holder, _ := o.Root.ReadFile(o.Name + holderSuffix)
	return inUseError{fmt.Sprintf("open %s: process %s has it, still after %v", o.Name, cmp.Or(string(holder), "?"), o.Wait)}
}

// inUseError is an ErrInUse with a text of its own.
type inUseError struct{ text string }

func (e inUseError) Error() string   { return e.text }
func (inUseError) Is(err error) bool { return err == ErrInUse }

// guard calls use and returns a panic of it as an error that wraps ErrDamaged. Reading a
// mapped page that the file or the disk no longer has is a panic too, and does not end
// the process.
func guard(use func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		reason := recover()
		if _, ok := reason.(interface{ Addr() uintptr }); ok {
			err = fmt.Errorf("%w: a page cannot be read", ErrDamaged)
		} else if reason != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, reason)
		}
	}()
	return use()
}

// setAside renames the damaged file and says so, unless another process has done it. No
// process has the file open meanwhile.
func (d *Database) setAside(damaged os.FileInfo, why error) error {
	file, err := d.o.lockDamaged(damaged)
	if file == nil || err != nil {
		return err
	}
	defer file.Close() // which unlocks it

	return SetAside(d.o.Root, d.o.Name, d.o.Lost, why, d.o.Log)
}

// lockDamaged opens the damaged file and locks it against all other processes. It
// returns nil if the name stands for another file by now.
func (o *Options) lockDamaged(damaged os.FileInfo) (_ *os.File, err error) {
	file, err := o.Root.Open(o.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	// What was opened is looked at before waiting, and its name after it.
	opened, err := file.Stat()
	if err != nil || !os.SameFile(opened, damaged) {
		return nil, errors.Join(err, file.Close())
	}
	if err := o.lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}

	named, err := o.Root.Stat(o.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, file.Close()
	}
	if err != nil || !os.SameFile(named, damaged) {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// lock locks the file, for which it waits as long as the options say.
func (o *Options) lock(file *os.File) error {
	start := time.Now()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return err
		case time.Since(start) > o.Wait:
			return o.inUse()
		}
		time.Sleep(lockEvery)
	}
}
