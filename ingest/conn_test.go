package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// pair returns a connection of FewerReads and the client at its other end.
func pair(t *testing.T) (server net.Conn, client *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { c.Close() })
	server, err = FewerReads(l, nil).Accept()
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { server.Close() })
	return server, c.(*net.TCPConn)
}

func TestConnReadsWhatWasSent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sent := make([]byte, 1<<17)
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}

	sizes := []int{1, 2, 9, 4095, 4096, readAheadBytes/2 - 1, readAheadBytes / 2, readAheadBytes, 3 * readAheadBytes}
	for _, reader := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r },
		"bytes": iotest.OneByteReader,
	} {
		server, client := pair(t)
		go func() {
			w := rand.New(rand.NewPCG(3, 4))
			for b := sent; len(b) > 0; {
				n := min(len(b), 1+w.IntN(2*readAheadBytes))
				client.Write(b[:n])
				b = b[n:]
			}
			client.CloseWrite()
		}()

		var got bytes.Buffer
		in := reader(server)
		for {
			b := make([]byte, sizes[r.IntN(len(sizes))])
			n, err := in.Read(b)
			got.Write(b[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.Bytes(), sent) {
			t.Fatalf("got %d bytes, not the %d sent", got.Len(), len(sent))
		}
	}
}

func TestConnDoesNotWatchTheClient(t *testing.T) {
	server, client := pair(t)
	b := make([]byte, 1)
	for range 3 { // each time before something is really read
		if n, err := server.Read(b); n != 0 || err != nil {
			t.Fatalf("the first read of one byte gave %d bytes and %v", n, err)
		}
		if _, err := client.Write([]byte("xy")); err != nil {
			t.Fatal(err)
		}
		if n, err := server.Read(b); n != 1 || b[0] != 'x' || err != nil {
			t.Fatalf("the second one gave %d bytes, %q and %v", n, b, err)
		}
		if n, err := server.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Fatalf("the rest: %d bytes and %v", n, err)
		}
	}
}

func TestConnErrors(t *testing.T) {
	read := func(c net.Conn) error {
		n, err := c.Read(make([]byte, 100))
		if n != 0 {
			t.Errorf("read %d bytes", n)
		}

		return err
	}

	server, client := pair(t)
	if err := server.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}

	op := new(net.OpError)
	if err := read(server); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("after the deadline: %v", err)
	}

	server.SetReadDeadline(time.Time{})
	client.SetLinger(0)
	client.Close()
	if err := read(server); !errors.As(err, &op) || op.Op != "read" || op.Timeout() {
		t.Errorf("after a reset: %v", err)
	}

	server.Close()
	if err := read(server); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestRefusedIsCounted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	codes := make(chan int, 10)
	s := &http.Server{Handler: http.NotFoundHandler(), MaxHeaderBytes: 1 << 10}
	go s.Serve(FewerReads(l, func(code int) { codes <- code }))
	defer s.Close()
	for _, test := range []struct {
		request string
		refused int // 0: the handler answers
	}{
		{"HELO\r\n\r\n", 400},
		{"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("x", 10<<10) + "\r\n\r\n", 431},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 0},
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}

		io.WriteString(c, test.request)
		answer, _ := io.ReadAll(c)
		c.Close()
		got := 0
		if len(codes) > 0 {
			got = <-codes
		}
		if got != test.refused || len(answer) == 0 {
			t.Errorf("%.20q: counted %d, want %d; answer %.40q", test.request, got, test.refused, answer)
		}
	}
}

// readSizes is a listener whose connections report the size of each buffer that is
// passed to Read.
type readSizes struct {
	net.Listener
	report func(size int)
}

func (l readSizes) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return readSizesConn{c, l.report}, err
}

type readSizesConn struct {
	net.Conn
	report func(size int)
}

func (c readSizesConn) Read(p []byte) (int, error) {
	c.report(len(p))
	return c.Conn.Read(p)
}

// TestNetHTTPWatchesWithOneByte checks what conn depends on: while a handler runs,
// net/http watches the connection with reads of one byte, and only those.
func TestNetHTTPWatchesWithOneByte(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	watched := make(chan int, 100)
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case size := <-watched:
			if size != 1 {
				t.Errorf("after the body a read of %d bytes, want 1", size)
			}
		case <-time.After(time.Minute):
			t.Error("net/http no longer watches the connection")
		}
	}

	var reading atomic.Bool // true once the head and the body are in
	s := &http.Server{Handler: http.HandlerFunc(handler)}
	go s.Serve(readSizes{l, func(size int) {
		if reading.Swap(true) {
			watched <- size
		}
	}})
	defer s.Close()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Error(err)
	}
}

// BenchmarkFewerReads sends submissions over connections that stay open, as clients
// do, with and without FewerReads.
func BenchmarkFewerReads(b *testing.B) {
	request := []byte("POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000))
	for _, fewer := range []bool{false, true} {
		b.Run(fmt.Sprintf("fewer=%v", fewer), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			if fewer {
				l = FewerReads(l, nil)
			}
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				answerOK.send(w)
			})}
			go s.Serve(l)
			defer s.Close()

			done := ingesttest.PerCore(b, int64(len(request)))
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close()
				answer := make([]byte, 4096)
				for pb.Next() {
					c.Write(request)
					if _, err := c.Read(answer); err != nil {
						b.Error(err)
						return
					}
				}
			})
			done()
		})
	}
}
