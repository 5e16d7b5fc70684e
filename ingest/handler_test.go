package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func testServer(t testing.TB, dir string, l *rawlog.Log) *httptest.Server {
	t.Helper()
	o := DefaultHandlerOptions()
	o.MaxBody = 1000
	return testServerOf(t, NewHandler(l, o))
}

func testServerOf(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// exchange sends a request as it stands and returns the status line's code and
// the body. What a client would refuse to send can be tried so.
func exchange(t testing.TB, s *httptest.Server, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}

	c.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}

	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(b)))
}

func post(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s", path, headers, body)
}

func TestHandlerStatusTable(t *testing.T) {
	const dims = "/r/a/v/c/b"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	chunked := "Transfer-Encoding: chunked\r\n"
	batch := func(form, body string) string { return post("/submit/telemetry/"+form, length(len(body)), body) }
	big := strings.Repeat("x", 1001)
	long := strings.Repeat("p", rawlog.MaxPathBytes+1)
	tests := []struct {
		name, request, want, stored string
	}{
		{"id", post("/submit/telemetry/i", length(2), "{}"), "200 OK", "i={}"},
		{"dimensions", post("/submit/telemetry/i"+dims, length(2), "{}"), "200 OK", "i/r/a/v/c/b={}"},
		{"verbatim", post("/submit/telemetry/i%2F..%2f%41/../a//é/%00", length(3), "a\x00\n"), "200 OK", "i%2F..%2f%41/../a//é/%00=a\x00\n"},
		{"query is not stored", post("/submit/telemetry/i?v=4", length(1), "1"), "200 OK", "i=1"},
		{"absolute form", post("http://x/submit/telemetry/i%2F", length(1), "1"), "200 OK", "i%2F=1"},
		{"chunked", post("/submit/telemetry/i", chunked, "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), "200 OK", "i=abcde"},
		{"largest", post("/submit/telemetry/i", length(1000), big[1:]), "200 OK", "i=" + big[1:]},
		{"largest chunked", post("/submit/telemetry/i", chunked, "3e8\r\n"+big[1:]+"\r\n0\r\n\r\n"), "200 OK", "i=" + big[1:]},
		{"expect", post("/submit/telemetry/i", length(0)+"Expect: 100-continue\r\n", ""), "411 Missing content length", ""},
		{"too large", post("/submit/telemetry/i", length(1001), big), "202 Request too large (1001 bytes). Limit is 1000 bytes. Server will discard submission.", ""},
		{"too large chunked", post("/submit/telemetry/i", chunked, "3e9\r\n"+big+"\r\n0\r\n\r\n"), "202 Request too large. Limit is 1000 bytes. Server will discard submission.", ""},
		{"path too long", post("/submit/telemetry/"+long, length(1), "1"), "202 Path too long (10241 bytes). Limit is 10240 bytes", ""},
		{"cut short", post("/submit/telemetry/i", length(9), "{}"), "400 Body ended early", ""},
		{"cut short chunked", post("/submit/telemetry/i", chunked, "9\r\nab"), "400 Body ended early", ""},
		{"bad chunk", post("/submit/telemetry/i", chunked, "zz\r\nab"), "400 Body ended early", ""},
		{"no length", post("/submit/telemetry/i", "", ""), "411 Missing content length", ""},
		{"empty", post("/submit/telemetry/i", length(0), ""), "411 Missing content length", ""},
		{"empty chunked", post("/submit/telemetry/i", chunked, "0\r\n\r\n"), "411 Missing content length", ""},
		{"no id", post("/submit/telemetry/", length(1), "1"), "404 Not Found", ""},
		{"other path", post("/submit/other/i", length(1), "1"), "404 Not Found", ""},
		{"too few dimensions", post("/submit/telemetry/i/r/a", length(1), "1"), "404 Not Found", ""},
		{"too many dimensions", post("/submit/telemetry/i"+dims+"/x", length(1), "1"), "404 Not Found", ""},
		{"batch", batch("batch", "a\t[1]\tb\t{}\n"), "200 OK", "a=[1],b={}"},
		{"batch with dimensions", batch("batch_dims", "a\tr\tA\t1\tc\t2013\t[1]\tb\t\t\t\t\t\t{}"), "200 OK", "a/r/A/1/c/2013=[1],b/////={}"},
		{"batch of a wrong number", batch("batch", "a\t{}\tb"), "400 batch has 3 fields, which is no multiple of 2", ""},
		{"batch with bad JSON", batch("batch", "a\t{}\tb\t{"), "400 record 2: field json is not JSON", ""},
		{"batch without id", batch("batch", "\t{}"), "400 record 1: field id is empty", ""},
		{"batch with a slash", batch("batch_dims", "a\tr\tA\t../1\tc\t2013\t[1]"), "400 record 1: field appVersion holds a slash or a newline", ""},
		{"batch with a long json", batch("batch", "a\t{}\tb\t\""+big+"\""), "400 record 2: field json is longer than 1000 bytes", ""},
		{"empty batch", batch("batch", ""), "411 Missing content length", ""},
		{"GET", "GET /submit/telemetry/i HTTP/1.1\r\nHost: x\r\n\r\n", "405 Wrong request type", ""},
		{"PUT", strings.Replace(post("/submit/telemetry/i", length(1), "1"), "POST", "PUT", 1), "200 OK", "i=1"},
		{"DELETE", strings.Replace(post("/submit/telemetry/i", length(1), "1"), "POST", "DELETE", 1), "405 Wrong request type", ""},
		{"invalid escape", post("/submit/telemetry/%zz", length(1), "1"), "400 400 Bad Request", ""},
		{"invalid host", post("http://%@x/submit/telemetry/i", length(1), "1"), "400 400 Bad Request", ""},
		{"bad length", post("/submit/telemetry/i", "Content-Length: -1\r\n", "1"), "400 400 Bad Request", ""},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := ingesttest.Log(t, dir, nil)
			s := testServer(t, dir, l)
			if got := exchange(t, s, tt.request); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			l.Close()
			var want []string
			if tt.stored != "" {
				want = strings.Split(tt.stored, ",")
			}
			if got := ingesttest.Stored(t, dir); !slices.Equal(got, want) {
				t.Errorf("stored %q, want %q", got, want)
			}
		})
	}

	t.Run("shutting down", func(t *testing.T) {
		dir := t.TempDir()
		l := ingesttest.Log(t, dir, nil)
		l.Close()
		s := testServer(t, dir, l)
		resp, err := s.Client().Post(s.URL+"/submit/telemetry/i", "", strings.NewReader("1"))
		if err != nil {
			t.Fatal(err)
		}

		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
}

func BenchmarkSubmit(b *testing.B) {
	for _, size := range []int{5 << 10, 25 << 10, 150 << 10} {
		b.Run(fmt.Sprintf("%dkB", size>>10), func(b *testing.B) {
			l := ingesttest.Log(b, b.TempDir(), nil)
			h := NewHandler(l, DefaultHandlerOptions())
			body := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.SetParallelism(32) // 64 clients on two cores
			b.RunParallel(func(pb *testing.PB) {
				r := httptest.NewRequest("POST", "/submit/telemetry/2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9/saved-session/Firefox/26.0a1/nightly/20130910030204", nil)
				r.ContentLength = int64(size)
				for pb.Next() {
					r.Body = io.NopCloser(bytes.NewReader(body))
					w := httptest.NewRecorder()
					if h.ServeHTTP(w, r); w.Code != 200 {
						b.Errorf("status %d: %s", w.Code, w.Body)
						return
					}
				}
			})
		})
	}
}
