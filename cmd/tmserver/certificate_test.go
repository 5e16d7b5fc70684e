package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
)

// writeCertificate writes a certificate of 127.0.0.1 with that name, and its key.
func writeCertificate(t *testing.T, certFile, keyFile, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lockedText is a log that may be read while it grows.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestCertificateIsLoadedAgain replaces the files: by others, by half of a pair, and by the
// other half.
func TestCertificateIsLoadedAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, "first")
	loaded, err := loadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}

	var log lockedText
	s := &serving{st: &cli.State{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { s.watchCertificate(ctx, loaded, 5*time.Millisecond) })
	defer watching.Wait()
	defer cancel()

	inUse := func() string {
		found, err := loaded.config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return found.Leaf.Subject.CommonName
	}
	writeCertificate(t, certFile, keyFile, "second")
	ingesttest.Wait(t, func() bool { return inUse() == "second" })

	// Half of a pair.
	writeCertificate(t, filepath.Join(dir, "cert3.pem"), filepath.Join(dir, "key3.pem"), "third")
	if err := os.Rename(filepath.Join(dir, "cert3.pem"), certFile); err != nil {
		t.Fatal(err)
	}
	ingesttest.Wait(t, func() bool { return strings.Contains(log.String(), "the one of before stays in use") })
	if inUse() != "second" {
		t.Errorf("in use: %s", inUse())
	}
	if err := os.Rename(filepath.Join(dir, "key3.pem"), keyFile); err != nil {
		t.Fatal(err)
	}
	ingesttest.Wait(t, func() bool { return inUse() == "third" })
}

// TestACME gets a certificate from a real authority for tests, Pebble, whose name server says
// that every name is this machine.
func TestACME(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("needs Pebble; CI=true runs it")
	}

	// The authority's own certificate, which the server trusts.
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, "the authority")
	t.Setenv("SSL_CERT_FILE", certFile)

	ports := ingesttest.FreePorts(t, 4)
	address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address(0), "managementListenAddress": address(1), "certificate": certFile, "privateKey": keyFile, "tlsPort": ports[2], "httpPort": 1,
		"profiles": map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	names := exec.Command("pebble-challtestsrv", "-dnsserver", address(3), "-management", "", "-doh", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "")
	names.Stdout, names.Stderr = t.Output(), t.Output()
	if err := names.Start(); err != nil {
		t.Fatal("CI skips nothing: ", err)
	}
	t.Cleanup(func() { names.Process.Kill(); names.Wait() })
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", address(3))
	}}
	ingesttest.Wait(t, func() bool {
		_, err := resolver.LookupHost(t.Context(), "telemetry.example.")
		return err == nil
	})
	startTool(t, address(0), "pebble", "-config", configFile, "-dnsserver", address(3))

	data := t.TempDir()
	server := ingesttest.Serve(t, "tmserver", data, "--listen", address(2), "--admin-listen", "127.0.0.1:0",
		"--acme-domain", "telemetry.example", "--acme-directory", "https://"+address(0)+"/dir")
	if !strings.HasPrefix(server.URL, "https://") || !strings.HasPrefix(server.Admin, "http://") {
		t.Errorf("addresses %s and %s", server.URL, server.Admin)
	}

	// The first client waits for the certificate; the authority's root is made anew by each
	// Pebble, so it is the name of the issuer that counts.
	issuer := func() (string, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: "telemetry.example", InsecureSkipVerify: true}}}
		defer client.CloseIdleConnections()
		answer, err := client.Post(server.URL+"/submit/telemetry/2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9", "", strings.NewReader("{}"))
		if err != nil {
			return "", err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return "", fmt.Errorf("status %s", answer.Status)
		}
		return answer.TLS.PeerCertificates[0].Issuer.CommonName, nil
	}
	ingesttest.Wait(t, func() bool {
		name, err := issuer()
		if err != nil {
			t.Log(err)
			time.Sleep(100 * time.Millisecond)
			return false
		}
		return strings.Contains(name, "Pebble")
	})

	// Other names get no certificate, and the one that there is is kept.
	if conn, err := tls.Dial("tcp", address(2), &tls.Config{ServerName: "other.example", InsecureSkipVerify: true}); err == nil {
		conn.Close()
		t.Error("a certificate for a name that was not asked for")
	}
	if _, err := os.Stat(filepath.Join(data, layout.ACMEDir, "telemetry.example")); err != nil {
		t.Error(err)
	}
	server.Stop(t)
}
