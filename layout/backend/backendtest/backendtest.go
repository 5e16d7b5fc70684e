// Package backendtest has an S3 server for tests, and faults for it.
package backendtest

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Faults are what a server does wrong.
type Faults struct {
	FailEach int                 // every so many-th request is answered with 500; 0: none
	CutAfter int                 // bodies of answers end after so many bytes; 0: they do not
	Slow     time.Duration       // before each write of an answer
	Log      func(*http.Request) // gets each request, one after the other; may be nil
	Versions bool                // the bucket keeps the earlier versions of objects
	TLS      bool                // the server speaks TLS; AWS_CA_BUNDLE then names its certificate
	// Wrap stands before the server and may change what it gets and answers; nil: nothing.
	Wrap func(http.Handler) http.Handler

	mu sync.Mutex
	n  int // requests so far
}

// S3 starts a server with one empty bucket and returns the URL of a folder in it.
func S3(t testing.TB, f *Faults) string {
	t.Helper()
	back := s3mem.New()
	if err := back.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	if f.Versions {
		if err := back.SetVersioningConfiguration("bucket", gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}); err != nil {
			t.Fatal(err)
		}
	}
	handler := f.wrap(gofakes3.New(back).Server())
	if f.Wrap != nil {
		handler = f.Wrap(handler)
	}
	if !f.TLS {
		srv := httptest.NewServer(handler)
		t.Cleanup(srv.Close)
		return URL(t, srv.URL)
	}

	srv := httptest.NewTLSServer(handler)
	t.Cleanup(srv.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(bundle, block, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	return URL(t, srv.URL)
}

// URL is the URL of a folder in the bucket of a server.
func URL(t testing.TB, endpoint string) string {
	t.Setenv("AWS_ACCESS_KEY_ID", "K")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "S")
	return "s3://bucket/some/prefix?endpoint=" + endpoint + "&use_path_style=true&region=us-east-1"
}

func (f *Faults) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.n++
		fail := f.FailEach > 0 && f.n%f.FailEach == 0
		if f.Log != nil {
			f.Log(r)
		}
		f.mu.Unlock()
		if fail {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		h.ServeHTTP(&faulty{w, f, f.CutAfter}, r)
	})
}

// faulty is the answer to one request.
type faulty struct {
	http.ResponseWriter
	f    *Faults
	left int // until it is cut, if CutAfter is set
}

func (w *faulty) Write(b []byte) (int, error) {
	time.Sleep(w.f.Slow)
	if w.f.CutAfter > 0 {
		if len(b) > w.left {
			w.ResponseWriter.Write(b[:w.left])
			http.NewResponseController(w.ResponseWriter).Flush()
			panic(http.ErrAbortHandler)
		}
		w.left -= len(b)
	}
	return w.ResponseWriter.Write(b)
}
