package main

import (
	"crypto/tls"
	"os"
	"sync"
	"sync/atomic"

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

// certificate is a certificate with its key, in files that may be replaced.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.reload(); err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	return c, nil
}

// reload reads the files again. After an error the certificate of before stays in use.
func (c *certificate) reload() error {
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current.Store(&loaded)
	return nil
}

// config returns what servers use: each handshake gets the certificate of then.
func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}
