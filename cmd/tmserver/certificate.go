package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/time/rate"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
)

// tlsFlags say where certificates come from.
type tlsFlags struct {
	TLSCert string `env:"TMSERVER_TLS_CERT" type:"existingfile" placeholder:"FILE" help:"Certificate chain (PEM); with --tls-key, both addresses speak TLS. It is loaded again when the files change."`
	TLSKey  string `env:"TMSERVER_TLS_KEY" type:"existingfile" placeholder:"FILE" help:"Private key of the certificate (PEM)."`

	ACMEDomains   []string `name:"acme-domain" env:"TMSERVER_ACME_DOMAIN" placeholder:"NAME" help:"Get the certificate of the public address for these names from an authority by ACME, and renew it; you agree to its terms. The authority connects to port 443 of the name."`
	ACMEDirectory string   `name:"acme-directory" env:"TMSERVER_ACME_DIRECTORY" default:"https://acme-v02.api.letsencrypt.org/directory" placeholder:"URL" help:"Directory of the authority."`
	ACMEEmail     string   `name:"acme-email" env:"TMSERVER_ACME_EMAIL" placeholder:"ADDRESS" help:"Address that the authority writes to when something is wrong with the certificate."`
}

func (f *tlsFlags) validateTLS() error {
	switch {
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return cli.Usage("--tls-cert and --tls-key belong together")
	case f.TLSCert != "" && len(f.ACMEDomains) > 0:
		return cli.Usage("--tls-cert and --acme-domain do not go together: the certificate comes from a file or from an authority")
	case slices.Contains(f.ACMEDomains, ""):
		return cli.Usage("--acme-domain: an empty name")
	}
	return nil
}

// public and admin say whether the address speaks TLS.
func (f *tlsFlags) public() bool { return f.TLSCert != "" || len(f.ACMEDomains) > 0 }
func (f *tlsFlags) admin() bool  { return f.TLSCert != "" }

// buildCertificate loads the certificate, or prepares to get one.
func (s *serving) buildCertificate(ctx context.Context) (part, error) {
	if len(s.c.ACMEDomains) > 0 {
		s.acme()
		return part{}, nil
	}
	if s.c.TLSCert == "" {
		return part{}, nil
	}

	loaded, err := loadCertificate(s.c.TLSCert, s.c.TLSKey)
	if err != nil {
		return part{}, err
	}

	s.reloaders.add(loaded.reload)
	s.publicTLS, s.adminTLS = loaded.config(), loaded.config()
	return inBackground(context.WithoutCancel(ctx), func(ctx context.Context) { s.watchCertificate(ctx, loaded, certificateEvery) }), nil
}

// acme makes the public address get its certificate from an authority when a client first
// needs it, and renew it 30 days before its end. What it gets is in the data folder. The
// authority proves the name by a connection to the public address (tls-alpn-01), so that no
// other port is open.
func (s *serving) acme() {
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		HostPolicy: autocert.HostWhitelist(s.c.ACMEDomains...),
		Cache:      autocert.DirCache(filepath.Join(s.c.DataDir, layout.ACMEDir)),
		Email:      s.c.ACMEEmail,
		Client:     &acme.Client{DirectoryURL: s.c.ACMEDirectory, UserAgent: "tmserver/" + cli.Version(), HTTPClient: &http.Client{Timeout: time.Minute}},
	}

	// An authority that refuses is news for operators; names of strangers are not.
	// Each client meets the refusal, so it is logged once a minute.
	s.publicTLS = manager.TLSConfig()
	get := s.publicTLS.GetCertificate
	refused := rate.Sometimes{Interval: time.Minute}
	s.publicTLS.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		found, err := get(hello)
		if err == nil || !slices.Contains(s.c.ACMEDomains, hello.ServerName) {
			return found, err
		}
		refused.Do(func() {
			s.st.Log.Error("no certificate from the authority", "name", hello.ServerName, "directory", s.c.ACMEDirectory, "err", err)
		})
		return nil, err
	}
}

// certificate is a certificate with its key, in files that may be replaced.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]

	mu    sync.Mutex // held while the files are read
	tried string     // their version when that began
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
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried = c.version()
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

// version is another text when one of the files is another one, or was written. Links are
// followed, because some tools replace only these.
func (c *certificate) version() (text string) {
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			text += err.Error()
			continue
		}
		text += fmt.Sprintf("%d bytes of %d, ", info.Size(), info.ModTime().UnixNano())
	}
	return text
}

// hasChanged says whether the files are other ones than when they were read last.
func (c *certificate) hasChanged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version() != c.tried
}

// certificateEvery is how often the files are looked at.
const certificateEvery = 10 * time.Second

// watchCertificate loads the certificate again when its files change, until ctx ends. A pair
// that does not load, as one of which half was replaced, is logged once.
func (s *serving) watchCertificate(ctx context.Context, c *certificate, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}

		if !c.hasChanged() {
			continue
		}
		if err := c.reload(); err != nil {
			s.st.Log.Error("the certificate has changed and cannot be loaded; the one of before stays in use", "cert", c.certFile, "key", c.keyFile, "err", err)
			continue
		}
		s.st.Log.Info("the certificate has changed and is loaded again", "cert", c.certFile)
	}
}
