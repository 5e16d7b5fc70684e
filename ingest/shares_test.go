package ingest

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

// sharingHandler returns a handler with these shares.
func sharingHandler(t *testing.T, shares Shares) http.Handler {
	o := DefaultHandlerOptions()
	o.Shares, o.TrustedProxies = shares, proxies
	return NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
}

// answerTo returns the answer to a submission from a peer, forwarded for another address
// unless that is "".
func answerTo(h http.Handler, peer, forwarded, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader("{}"))
	r.RemoteAddr = peer
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestAddressRate: the requests of one address are counted together, behind trusted
// proxies too. A header that no trusted proxy has written counts nothing.
func TestAddressRate(t *testing.T) {
	h := sharingHandler(t, Shares{AddressRate: 3})
	for i, tt := range []struct {
		peer, forwarded string
		want            int
	}{
		{"192.0.2.1:1", "", 200},
		{"192.0.2.1:2", "198.51.100.1", 200}, // its own word counts nothing
		{"192.0.2.1:3", "198.51.100.2", 200},
		{"192.0.2.1:4", "198.51.100.3", 429},
		{"10.0.0.1:1", "198.51.100.1", 200},
		{"10.0.0.1:2", "203.0.113.9, 198.51.100.1, 10.0.0.2", 200},
		{"10.0.0.2:3", "198.51.100.1", 200},
		{"10.0.0.1:4", "198.51.100.1", 429},
		{"10.0.0.1:5", "198.51.100.2", 200},
		{"[2001:db8::1]:1", "", 200},
		{"[2001:db8::2]:1", "", 200},
		{"[2001:db8::3]:1", "", 200},
		{"[2001:db8::4]:1", "", 429}, // the same network
		{"[2001:db8:0:1::4]:1", "", 200},
	} {
		w := answerTo(h, tt.peer, tt.forwarded, "/submit/telemetry/id")
		if w.Code != tt.want {
			t.Errorf("request %d from %s for %q: %d, want %d", i, tt.peer, tt.forwarded, w.Code, tt.want)
		}
		if after := w.Header().Get("Retry-After"); (w.Code == 429) != (after != "") {
			t.Errorf("request %d: %d with Retry-After %q", i, w.Code, after)
		}
	}
}

// TestNamespaceRate: the requests of one namespace are counted together.
func TestNamespaceRate(t *testing.T) {
	h := sharingHandler(t, Shares{NamespaceRate: 2})
	for i, want := range []int{200, 200, 429, 429} {
		if w := answerTo(h, fmt.Sprintf("192.0.2.%d:1", i), "", "/submit/telemetry/id"); w.Code != want {
			t.Errorf("request %d: %d, want %d", i, w.Code, want)
		}
	}
}

// TestAddressRequests: requests of one client that come through a proxy are limited at the
// same time, and those of others are not.
func TestAddressRequests(t *testing.T) {
	s := newSharing(Shares{AddressRequests: 2}, proxies)
	begin := func(peer, forwarded string) (func(), bool) {
		r := httptest.NewRequest("POST", "/submit/telemetry/id", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", forwarded)
		return s.begin(r)
	}

	end, ok := begin("10.0.0.1:1", "192.0.2.1")
	_, ok2 := begin("10.0.0.2:1", "192.0.2.1")
	if !ok || !ok2 {
		t.Error("two requests are within the share")
	}
	if _, ok := begin("10.0.0.1:2", "192.0.2.1"); ok {
		t.Error("a third one is not")
	}
	if _, ok := begin("10.0.0.1:3", "192.0.2.2"); !ok {
		t.Error("another client has a share of its own")
	}
	end()
	if _, ok := begin("10.0.0.1:4", "192.0.2.1"); !ok {
		t.Error("there is room when a request has ended")
	}
}

// TestSharesAreBounded: many made-up keys share the last place, and idle ones make room.
func TestSharesAreBounded(t *testing.T) {
	s := newShares[string](0, 1)
	s.maximum = 100
	now := time.Now()
	admitted := 0
	for i := range 1000 {
		if _, ok := s.begin(fmt.Sprint(i), now); ok {
			admitted++
		}
	}
	if admitted != 101 || len(s.byKey) != 100 {
		t.Errorf("%d admitted, %d keys", admitted, len(s.byKey))
	}

	if _, ok := s.begin("later", now.Add(2*time.Minute)); !ok || len(s.byKey) > 100 {
		t.Errorf("later: %v, %d keys", ok, len(s.byKey))
	}
}

// TestLimitConnections: one address has so many connections, and a new one when one of
// them has ended; trusted proxies have any number.
func TestLimitConnections(t *testing.T) {
	for _, tt := range []struct {
		trusted []netip.Prefix
		open    int // of four
	}{{nil, 2}, {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 4}} {
		plain, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		refused := make(chan struct{}, 10)
		l := LimitConnections(plain, 2, tt.trusted, func() { refused <- struct{}{} })
		accepted := make(chan net.Conn, 10)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()

		for range 4 {
			c, err := net.Dial("tcp", plain.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		var first net.Conn
		for range tt.open {
			first = <-accepted
		}
		for range 4 - tt.open {
			<-refused
		}

		// Closed twice, as net/http may: it counts once.
		first.Close()
		first.Close()
		c, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		<-accepted
		l.Close()
	}
}

// TestChunkedCloses: a connection whose request has Transfer-Encoding ends with the
// answer, so that no length beside it can begin another request.
func TestChunkedCloses(t *testing.T) {
	server := httptest.NewServer(NewHandler(ingesttest.Log(t, t.TempDir(), nil), DefaultHandlerOptions()))
	defer server.Close()
	for _, tt := range []struct {
		head   string
		closes bool
	}{
		{"Content-Length: 2\r\n\r\n{}", false},
		{"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true},
		{"Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true},
	} {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /submit/telemetry/id HTTP/1.1\r\nHost: x\r\n%s", tt.head)
		answer := make([]byte, 4096)
		n, err := c.Read(answer)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Errorf("%q: %q, %v", tt.head, answer[:n], err)
		}
		if closes := strings.Contains(string(answer[:n]), "Connection: close"); closes != tt.closes {
			t.Errorf("%q: closes %v, want %v", tt.head, closes, tt.closes)
		}
	}
}
