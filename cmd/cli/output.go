package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Output is stdout, or a file that appears under its name when it is complete.
type Output struct {
	io.Writer
	file *os.File // nil for stdout
	name string
	// finished says that the file is closed.
	finished bool
	// special says that the name is that of a device or a pipe, which is written to as it
	// is: a file in its place would take it from all other programs.
	special bool
}

// OpenOutput opens a temporary file for the named one; "" and "-" are stdout. The
// caller calls Commit, or Discard, or both in this order.
func OpenOutput(name string, stdout io.Writer) (*Output, error) {
	if name == "" || name == "-" {
		return &Output{Writer: stdout}, nil
	}

	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return nil, Usage("--output %s is a folder", name)
	}
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, Named(fmt.Errorf("open output: %w", err))
		}
		return &Output{Writer: f, file: f, name: name, special: true}, nil
	}

	// In the same folder, so that it can be renamed.
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return nil, Named(fmt.Errorf("create output: %w", err))
	}
	return &Output{Writer: f, file: f, name: name}, nil
}

// Finish closes the file, when all is written: Commit then only renames it.
func (o *Output) Finish() error {
	if o.file == nil || o.finished {
		return nil
	}
	o.finished = true
	if o.special {
		return o.file.Close()
	}

	// CreateTemp makes files that only their owner reads; a result is for others too.
	err := o.file.Chmod(0o644)
	if err == nil {
		err = o.file.Sync()
	}

	// Close the file after an error too; the first error counts.
	closeErr := o.file.Close()
	if err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write output %s: %w", o.name, err)
	}
	return nil
}

// Commit renames the finished file into place.
func (o *Output) Commit() error {
	if o.file == nil {
		return nil
	}
	err := o.Finish()
	if err == nil && !o.special {
		if err = os.Rename(o.file.Name(), o.name); err != nil {
			err = fmt.Errorf("write output %s: %w", o.name, err)
		}
	}
	if err == nil || o.special {
		o.file = nil
	}
	return err
}

// Discard removes the file unless it was committed.
func (o *Output) Discard() {
	if o.file == nil {
		return
	}
	o.file.Close()
	if !o.special {
		os.Remove(o.file.Name())
	}
}
