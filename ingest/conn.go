package ingest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// readAhead is how much is read from a connection at once: the head and the body
// of nearly every gzipped ping. A connection holds that much memory only while
// something of it is unread.
const readAhead = 16 << 10

// FewerReads returns l with connections that ask the kernel less often than
// net/http makes them: they read ahead, and they do not watch for a client that
// goes away while it is being answered, which costs a goroutine and two more
// system calls a request. So a request's context does not end with its client;
// timeouts still hold. One goroutine may read from a connection at a time. What
// is no TCP connection is left as it is.
//
// refused, unless nil, is called with the code of each answer that net/http gives
// by itself to what it cannot read as a request: not under TLS, where nobody can see
// it, and not for 417, which it answers like a handler.
func FewerReads(l net.Listener, refused func(code int)) net.Listener { return listener{l, refused} }

type listener struct {
	net.Listener
	refused func(code int)
}

func (l listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil { // closed already
		return nc, nil
	}
	c := &conn{Conn: nc, refused: l.refused, raw: raw}
	c.ready = c.readAhead
	return c, nil
}

// conn is a TCP connection that reads ahead. It hides what a *net.TCPConn has
// beyond net.Conn: its WriteTo would miss what has been read ahead.
type conn struct {
	net.Conn
	refused func(code int)
	raw     syscall.RawConn
	ready   func(fd uintptr) bool // readAhead, made once
	skipped bool                  // the last read was for one byte, and got none
	ahead   *[readAhead]byte      // nil when nothing is unread
	unread  []byte                // of ahead
	p       []byte                // where readAhead puts what comes first
	n       int                   // bytes it has put there
	readErr error                 // what it met
}

var readBuffers = sync.Pool{New: func() any { return new([readAhead]byte) }}

// Read reads one byte into a buffer for one only when asked twice. That is what
// net/http asks for to learn whether the client is still there; who wants the
// byte asks again.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 1 && !c.skipped {
		c.skipped = true
		return 0, nil
	}
	c.skipped = false
	if c.ahead != nil {
		n := copy(p, c.unread)
		if c.unread = c.unread[n:]; len(c.unread) == 0 {
			readBuffers.Put(c.ahead)
			c.ahead, c.unread = nil, nil
		}
		return n, nil
	}
	if len(p) >= readAhead/2 {
		return c.Conn.Read(p)
	}
	c.p, c.n, c.readErr = p, 0, nil
	err := c.raw.Read(c.ready)
	c.p = nil
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		op.Op = "read" // "raw-read" until now; net/http knows the other
	}
	if err == nil {
		err = c.readErr
	}
	return c.n, err
}

// readAhead reads once, into p and what follows it, and returns whether there was
// something to read, be it an error.
func (c *conn) readAhead(fd uintptr) bool {
	b := readBuffers.Get().(*[readAhead]byte)
	n, err := syscall.Read(int(fd), b[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), b[:])
	}
	if n > 0 {
		if c.n = copy(c.p, b[:n]); c.n < n {
			c.ahead, c.unread = b, b[c.n:n]
			return true
		}
	}
	readBuffers.Put(b)
	switch {
	case err == syscall.EAGAIN:
		return false
	case err != nil:
		c.readErr = &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	case n == 0:
		c.readErr = io.EOF
	}
	return true
}

// Write tells answers that net/http gives by itself by their lack of a date.
func (c *conn) Write(p []byte) (int, error) {
	const status = "HTTP/1.1 "
	if c.refused != nil && len(p) > len(status)+3 && p[len(status)] >= '4' && bytes.HasPrefix(p, []byte(status)) && !bytes.Contains(p, []byte("\r\nDate: ")) {
		if code, err := strconv.Atoi(string(p[len(status) : len(status)+3])); err == nil {
			c.refused(code)
		}
	}
	return c.Conn.Write(p)
}
