package objects_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
	"github.com/aitgithub/telemetry-server/layout/backend/objects"
)

// changing changes the uploads that come to a server.
func changing(change func(*http.Request, []byte) []byte) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
					return
				}
				body = change(r, body)
				r.Body, r.ContentLength, r.Trailer = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
				r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			}
			h.ServeHTTP(w, r)
		})
	}
}

// refusing answers an upload with trailing checksums as a store that has none does.
func refusing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Content-Sha256"), "-TRAILER") {
			w.WriteHeader(http.StatusNotImplemented)
			io.WriteString(w, `<Error><Code>NotImplemented</Code><Message>no trailers here</Message></Error>`)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// keeping stores the framing of trailing checksums as if it were content.
var keeping = changing(func(r *http.Request, body []byte) []byte {
	if strings.HasSuffix(r.Header.Get("X-Amz-Content-Sha256"), "-TRAILER") {
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Del("X-Amz-Decoded-Content-Length")
		r.Header.Del("Content-Encoding")
		r.Header.Del("X-Amz-Trailer")
	}
	return body
})

// uncheckedly drops the sums that the server would compare with the content.
func uncheckedly(change func([]byte) []byte) func(http.Handler) http.Handler {
	return changing(func(r *http.Request, body []byte) []byte {
		r.Header.Del("Content-Md5")
		return change(body)
	})
}

// answering changes the ETag of answers.
func answering(etag string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(&otherETag{w, etag}, r)
			w.Header().Set("ETag", etag) // of an answer without a body
		})
	}
}

type otherETag struct {
	http.ResponseWriter
	etag string
}

func (w *otherETag) WriteHeader(status int) {
	w.Header().Set("ETag", w.etag)
	w.ResponseWriter.WriteHeader(status)
}

func (w *otherETag) Write(b []byte) (int, error) {
	w.Header().Set("ETag", w.etag)
	return w.ResponseWriter.Write(b)
}

// TestUploadIsLookedAt: what a store does not have as it was sent is an error, and no
// object.
func TestUploadIsLookedAt(t *testing.T) {
	const trailing = "&request_checksum_calculation=when_supported"
	const hint = "request_checksum_calculation=when_required"
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	flip := func(b []byte) []byte {
		b[0] ^= 1
		return b
	}
	for _, tt := range []struct {
		name   string
		wrap   func(http.Handler) http.Handler
		params string
		want   []string // in the error; none: no error
	}{
		{"refuses trailers", refusing, trailing, []string{"no trailers here", hint}},
		{"refuses trailers that are not sent", refusing, "", nil},
		{"keeps trailers", keeping, trailing, []string{"damaged", "size", hint}},
		{"keeps trailers that are not sent", keeping, "", nil},
		{"cuts", uncheckedly(cut), "", []string{"damaged", "size is 10, and 11 was sent"}},
		{"flips a bit", uncheckedly(flip), "", []string{"damaged", "MD5"}},
		{"answers with an ETag of another content", answering(`"0123456789abcdef0123456789abcdef"`), "", []string{"MD5 (ETag)"}},
		{"answers with an ETag that is no MD5", answering(`"version-7"`), "", nil},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: ", TLS"}[secure], func(t *testing.T) {
				s := open(t, backendtest.S3(t, &backendtest.Faults{TLS: secure, Wrap: tt.wrap})+tt.params)
				err := s.Put(t.Context(), "x", text("the content"), false)
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("put: %v, want %q", err, want)
					}
				}
				if tt.want == nil {
					if err != nil || read(t, s, "x", 0, -1) != "the content" {
						t.Errorf("put: %v", err)
					}
				} else if _, err := s.Stat(t.Context(), "x"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the damaged object is there: %v", err)
				}
			})
		}
	}
}

// TestUploadsWithoutTrailersHaveNoFraming: what is sent is the content and nothing else,
// which every store takes.
func TestUploadsWithoutTrailersHaveNoFraming(t *testing.T) {
	var uploads int
	s := open(t, backendtest.S3(t, &backendtest.Faults{TLS: true, Log: func(r *http.Request) {
		if r.Method == http.MethodPut {
			uploads++
			if r.ContentLength != 3 || r.Header.Get("Content-Md5") == "" || r.Header.Get("Content-Encoding") != "" {
				t.Errorf("upload with %d bytes and %v", r.ContentLength, r.Header)
			}
		}
	}}))
	if err := s.Put(t.Context(), "x", text("abc"), true); err != nil || uploads != 1 {
		t.Errorf("%d uploads, %v", uploads, err)
	}
	if err := s.Put(t.Context(), "x", text("abc"), true); !errors.Is(err, fs.ErrExist) || !objects.Final(err) {
		t.Errorf("a second one: %v", err)
	}
}

// TestContentTypes: an object is said to be what the ending of its name says.
func TestContentTypes(t *testing.T) {
	var got string
	noting := changing(func(r *http.Request, body []byte) []byte {
		got = r.Header.Get("Content-Type")
		return body
	})
	s := open(t, backendtest.S3(t, &backendtest.Faults{Wrap: noting}))
	for name, want := range map[string]string{
		"a/b.v2.log.x.zst": "application/zstd", "c.parquet": "application/vnd.apache.parquet", "d.tsv": "text/tab-separated-values", "COMMIT": "application/octet-stream",
	} {
		if err := s.Put(t.Context(), name, text("the content"), false); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
