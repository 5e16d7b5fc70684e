package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// TestSlowClientsAreCutOff sends heads and bodies drop by drop, with the
// server's time limits shortened. None of them gets anything stored, and others
// are served meanwhile.
func TestSlowClientsAreCutOff(t *testing.T) {
	log := ingesttest.Log(t, t.TempDir(), nil)
	c := &serveCmd{MaxConnections: 100}
	s := c.newServer("127.0.0.1:0", ingest.NewHandler(log, ingest.DefaultHandlerOptions()), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 {
		t.Fatalf("a time limit is missing: %+v", s)
	}
	s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 100*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond
	ls, err := c.listenAll([]*http.Server{s})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(ls[0])
	defer s.Close()
	for name, start := range map[string]string{
		"head": "POST /submit/telemetry/slow HTTP/1.1\r\nHost: x\r\nX-",
		"body": "POST /submit/telemetry/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
		"idle": "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			slow, err := net.Dial("tcp", ls[0].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Close()
			io.WriteString(slow, start)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				io.Copy(io.Discard, slow) // until the server closes the connection
			}()
			for name != "idle" {
				select {
				case <-ended:
					return
				case <-time.After(20 * time.Millisecond):
					io.WriteString(slow, "x")
				}
			}
			<-ended
		})
	}
	resp, err := http.Post("http://"+ls[0].Addr().String()+"/submit/telemetry/quick", "", strings.NewReader("{}"))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

// TestServeTLS serves with a certificate, over HTTP/2 and HTTP/1.1.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := ingesttest.Serve(t, "tmserver", filepath.Join(dir, "data"), "--tls-cert", certFile, "--tls-key", keyFile)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for _, http2 := range []bool{true, false} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
		resp, err := (&http.Client{Transport: tr}).Post(s.URL+"/submit/telemetry/i", "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(resp.Body).ReadString('\n')
		resp.Body.Close()
		tr.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK || line != "OK" || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("%s %s %q", resp.Proto, resp.Status, line)
		}
	}
}
