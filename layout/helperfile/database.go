package helperfile

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// ErrDamaged marks an error that says that the file is damaged. A function that uses a
// transaction returns it, wrapped, for content that it cannot read.
var ErrDamaged = errors.New("damaged")

// ErrNewer marks an error that says that a later version of this program wrote the file,
// in a format that this one does not know. It is set aside too, under another name.
var ErrNewer = errors.New("a newer format, of a later version of this program")

// ErrInUse marks an error that says which process has the file open.
var ErrInUse = errors.New("in use")

// unusable says whether an error of the file means that it has to be made anew.
func unusable(err error) bool { return errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) }

// Options are where a database lies and how it is opened. Root, Name and Lost are
// needed.
type Options struct {
	Root *os.Root
	Name string // below Root; its folder exists
	Lost string // what is gone when the file is set aside, for the log
	// ReadOnly lets several processes read at the same time. A file that is missing is
	// an empty database then, and is not made.
	ReadOnly bool
	Wait     time.Duration // for another process that has the file open
	Log      *slog.Logger  // hears of files that are set aside
}

// Database is an open helper file. It is safe for concurrent use; its transactions come
// one after the other.
type Database struct {
	o Options

	mu   sync.Mutex // protects what follows, and is held during a transaction
	open *openFile  // nil: closed, or nothing to read
}

// Open opens a database, and makes it if it is missing and not read only. The caller
// closes it. An error that is not about damage is the disk's, or says which process
// has the file.
func Open(o Options) (*Database, error) {
	d := &Database{o: o}
	if err := d.reopen(); err != nil {
		return nil, err
	}
	return d, nil
}

// View calls use with a transaction that reads; use may be called twice, the second time
// with an empty database. A read-only database that is missing calls nothing.
func (d *Database) View(use func(*bbolt.Tx) error) error {
	return d.use(func(db *bbolt.DB) error { return db.View(use) })
}

// Update is View with a transaction that writes, durably when Update returns nil.
func (d *Database) Update(use func(*bbolt.Tx) error) error {
	return d.use(func(db *bbolt.DB) error { return db.Update(use) })
}

// Copy writes a copy of the whole file, as it is between two transactions, to w. A
// read-only database that is missing writes nothing.
func (d *Database) Copy(w io.Writer) error {
	return d.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// Close closes and unlocks the file.
func (d *Database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		return nil
	}

	open := d.open
	d.open = nil
	if !d.o.ReadOnly {
		d.o.removeHolder() // while no other process can have written it
	}
	err := guard(open.bolt.Close)
	if errors.Is(err, ErrDamaged) {
		return open.abandon() // the next one that opens it finds the damage
	}
	return err
}

// use calls transact with the open database, and after damage once more with a new one.
func (d *Database) use(transact func(*bbolt.DB) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		return nil
	}

	err := guard(func() error { return transact(d.open.bolt) })
	if !errors.Is(err, ErrDamaged) {
		return err
	}

	// bbolt may hold its own locks after a panic, so that only the file is closed.
	damaged := d.open
	d.open = nil
	if err := errors.Join(damaged.abandon(), d.setAside(damaged.info, err)); err != nil {
		return err
	}
	if err := d.reopen(); err != nil {
		return err
	}

	if d.open == nil {
		return nil
	}
	return guard(func() error { return transact(d.open.bolt) })
}

// maxOpens bounds how often a file is set aside in a row, if disk or memory damages
// each new one.
const maxOpens = 3

// reopen opens the file, and sets it aside as long as it is damaged.
func (d *Database) reopen() error {
	for try := 1; ; try++ {
		if d.o.ReadOnly && d.isEmpty() {
			return nil
		}

		open, err := d.o.openFile()
		if err == nil {
			d.open = open
			return nil
		}
		if !unusable(err) || try == maxOpens {
			return err
		}

		if err := d.setAside(open.info, err); err != nil {
			return err
		}
	}
}

// isEmpty says whether there is nothing to read: no file, or one whose maker was killed
// before it wrote to it.
func (d *Database) isEmpty() bool {
	info, err := d.o.Root.Stat(d.o.Name)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}
