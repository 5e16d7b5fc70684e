package helperfile

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// Check opens a database and lets verify, if it is not nil, read it. It changes nothing.
// bbolt's own Tx.Check is not used: it works in a goroutine of its own, where a page that
// cannot be read ends the process. The error wraps ErrDamaged, ErrNewer, or ErrInUse after a
// short wait; a database that is missing is sound.
func Check(o Options, verify func(*bbolt.Tx) error) error {
	o.ReadOnly = true
	o.Wait = min(o.Wait, 5*time.Second)
	d := &Database{o: o}
	if d.isEmpty() {
		return nil
	}

	open, err := o.openFile()
	if err != nil {
		return err
	}
	err = guard(func() error {
		if verify == nil {
			return nil
		}
		return open.bolt.View(verify)
	})

	// bbolt may hold its own locks after a panic.
	if errors.Is(err, ErrDamaged) {
		return errors.Join(err, open.abandon())
	}
	return errors.Join(err, open.bolt.Close())
}
