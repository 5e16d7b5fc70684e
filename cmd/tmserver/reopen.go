package main

import (
	"os"
	"sync"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// reopenedFile is a file that is appended to, and that a rotation of logs may rename:
// reopen makes a new one of its name. It is safe for concurrent use.
type reopenedFile struct {
	name string

	mu   sync.Mutex // protects file
	file *os.File
}

func openAppended(name string) (*reopenedFile, error) {
	f := &reopenedFile{name: name}
	return f, cli.Named(f.reopen())
}

// reopen opens the name again. After an error the file is the one of before.
func (f *reopenedFile) reopen() error {
	file, err := os.OpenFile(f.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.file
	f.file = file
	if before == nil {
		return nil
	}
	return before.Close()
}

// Write implements io.Writer.
func (f *reopenedFile) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(text)
}

// Close closes the file.
func (f *reopenedFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
