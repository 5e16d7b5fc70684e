package helperfile

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// waitTurn waits until no other opener is before this one, and returns the file whose lock
// says so; the caller closes it when it has the database. Without turns a process that
// opens a database again and again, such as a server with a backlog, would keep it from all
// others: they try only every lockEvery. The lock is that of the file that names the holder.
// The result is nil for a reader when there is no holder to wait for.
func (o *Options) waitTurn(start time.Time) (*os.File, error) {
	flags := os.O_RDWR | os.O_CREATE
	if o.ReadOnly {
		flags = os.O_RDONLY
	}
	for {
		file, err := o.Root.OpenFile(o.Name+holderSuffix, flags, 0o666)
		if err != nil && o.ReadOnly {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}

		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && o.isNamed(file) {
			return file, nil
		}
		file.Close()

		// Another one has it, or has just removed it.
		switch {
		case err == nil:
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, err
		case o.Wait > 0 && time.Since(start) > o.Wait:
			return nil, o.inUse()
		}
		time.Sleep(lockEvery)
	}
}

// isNamed says whether the file has the holder's name still.
func (o *Options) isNamed(file *os.File) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := o.Root.Stat(o.Name + holderSuffix)
	return err == nil && os.SameFile(opened, named)
}

// removeHolder removes the file that names the holder, which has the database open still.
// While others wait for its lock it stays, without a name in it.
func (o *Options) removeHolder() {
	if o.Wanted() {
		o.Root.WriteFile(o.Name+holderSuffix, nil, 0o666)
		return
	}
	o.Root.Remove(o.Name + holderSuffix)
}

// Wanted says whether another opener waits for the database. A process that has it open and
// would use it on closes it first.
func (o *Options) Wanted() bool {
	file, err := o.Root.Open(o.Name + holderSuffix)
	if err != nil {
		return false
	}
	defer file.Close()

	// Shared, so that two that only ask do not see each other.
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK)
}
