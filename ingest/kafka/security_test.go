package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// brokerTLS returns what brokers with that certificate speak; askClients says that
// they want one that it signs.
func brokerTLS(t *testing.T, certFile, keyFile string, askClients bool) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}

	c := &tls.Config{Certificates: []tls.Certificate{pair}}
	if askClients {
		text, err := os.ReadFile(certFile)
		if err != nil {
			t.Fatal(err)
		}
		c.ClientCAs = x509.NewCertPool()
		c.ClientCAs.AppendCertsFromPEM(text)
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}

	return c
}

// TestSecurity consumes from brokers that want TLS, a client's certificate, or a
// password, and says what is wrong when they are not satisfied.
func TestSecurity(t *testing.T) {
	cert, key := ingesttest.Certificate(t)
	strange, strangeKey := ingesttest.Certificate(t)
	type opts = []kfake.Opt
	user := func(mechanism string) opts {
		return opts{kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "secret")}
	}

	withTLS := func(ask bool) kfake.Opt { return kfake.TLS(brokerTLS(t, cert, key, ask)) }
	tests := []struct {
		name    string
		brokers opts
		good    Security
		bad     Security
		logged  string // of the bad one
	}{
		{"tls", opts{withTLS(false)}, Security{TLS: true, CA: cert}, Security{TLS: true}, "certificate signed by unknown authority"},
		{"tls, and a stranger's", opts{withTLS(false)}, Security{TLS: true, CA: cert}, Security{TLS: true, CA: strange}, "certificate"},
		{"tls of the broker only", opts{withTLS(false)}, Security{TLS: true, CA: cert}, Security{}, "broker closed the connection"},
		{"certificate", opts{withTLS(true)}, Security{TLS: true, CA: cert, Cert: cert, Key: key}, Security{TLS: true, CA: cert, Cert: strange, Key: strangeKey}, "certificate"},
		{"plain", user("PLAIN"), Security{Mechanism: "plain", User: "me", Password: "secret"}, Security{Mechanism: "plain", User: "me", Password: "wrong"}, "another login"},
		{"scram-sha-256", user("SCRAM-SHA-256"), Security{Mechanism: "scram-sha-256", User: "me", Password: "secret"}, Security{Mechanism: "scram-sha-256", User: "me", Password: "wrong"}, "another login"},
		{"scram-sha-512", user("SCRAM-SHA-512"), Security{Mechanism: "scram-sha-512", User: "me", Password: "secret"}, Security{Mechanism: "scram-sha-512", User: "you", Password: "secret"}, "another login"},
		{"tls and scram", append(user("SCRAM-SHA-512"), withTLS(false)), Security{TLS: true, CA: cert, Mechanism: "scram-sha-512", User: "me", Password: "secret"},
			Security{TLS: true, CA: cert}, "the broker"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, tt.good, tt.brokers...)
			b.produce(t, "id", 30)
			stop := b.start(t, b.log, nil)
			b.waitCommitted(t, 30)
			stop()
			each(t, b.stored(t), "id", 30)

			logged := complaint(t, b.log, b.ListenAddrs(), tt.bad)
			if !strings.Contains(logged, tt.logged) {
				t.Errorf("no %q in %s", tt.logged, logged)
			}
			if strings.Contains(logged, tt.bad.Password) && tt.bad.Password != "" {
				t.Errorf("the password is logged: %s", logged)
			}
		})
	}
}

// complaint runs a Source that cannot use the brokers, and returns what it logs.
func complaint(t *testing.T, log Log, brokers []string, security Security) string {
	t.Helper()
	var logged lockedBuffer
	s, err := New(log, Options{Brokers: brokers, Topic: topic, Group: "others", Security: security, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	ingesttest.Wait(t, func() bool { return strings.Contains(logged.String(), "no Kafka broker can be used") })
	cancel()
	wg.Wait()
	return logged.String()
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestSecurityOptions(t *testing.T) {
	cert, key := ingesttest.Certificate(t)
	_, otherKey := ingesttest.Certificate(t)
	none := filepath.Join(t.TempDir(), "none")
	for _, tt := range []struct {
		in   Security
		want string
	}{
		{Security{TLS: true, CA: none}, "no such file"},
		{Security{TLS: true, CA: key}, "no certificate (PEM) in it"},
		{Security{TLS: true, Cert: cert}, "certificate " + cert + " with key"},
		{Security{TLS: true, Cert: cert, Key: otherKey}, "does not match"},
		{Security{Mechanism: "plain", User: "me"}, "user and password are needed"},
		{Security{Mechanism: "plain", Password: "secret"}, "user and password are needed"},
		{Security{Mechanism: "PLAIN", User: "me", Password: "secret"}, `SASL mechanism "PLAIN": want plain`},
	} {
		_, err := New(nil, Options{Brokers: []string{"x:1"}, Topic: topic, Group: group, Security: tt.in})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %s", tt.in, err, tt.want)
		}
	}
}
