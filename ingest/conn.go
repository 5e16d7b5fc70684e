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

// A fence. This file replaces the *net.TCPConn that net/http would read from, and
// depends on how net/http reads:
//
//   - After a request's body, net/http starts a goroutine that passes a one-byte
//     buffer to Read to detect a closed connection. conn answers it with (0, nil).
//     TestNetHTTPWatchesWithOneByte fails if net/http no longer does that.
//   - TestConnReadsWhatWasSent compares the bytes with what was sent, for buffers of
//     all sizes; TestConnErrors checks that errors are like those of a *net.TCPConn.
//
// What pays for it: a submission takes 7 to 9 % less of the server's processor time
// (docs/BENCHMARKS.md, Acquisition; BenchmarkFewerReads). Measured on 2026-11-28 with
// go1.26.

// readAheadBytes is how much is read from a connection at once: the head and the
// body of nearly every gzipped ping. A connection holds that much memory only while
// a part of it is unread.
const readAheadBytes = 16 << 10

// FewerReads returns l with connections that make fewer system calls than net/http
// would: they read ahead, and they do not watch for a client that closes its
// connection while it is being answered, which costs a goroutine and two more system
// calls a request. So a request's context does not end with its client; timeouts
// still hold. One goroutine may read from a connection at a time. Connections other
// than TCP are left as they are.
//
// refused, unless nil, is called with the code of each answer that net/http sends
// by itself for what it cannot read as a request. It is not called under TLS, where
// answers are encrypted here, and not for 417, which looks like a handler's answer.
func FewerReads(l net.Listener, refused func(code int)) net.Listener { return listener{l, refused} }

type listener struct {
	net.Listener
	refused func(code int)
}

func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}

	tcp, ok := accepted.(*net.TCPConn)
	if !ok {
		return accepted, nil
	}

	// The raw connection waits in Go's poller, but the system call is ours.
	raw, err := tcp.SyscallConn()
	if err != nil { // closed already
		return accepted, nil
	}

	c := &conn{Conn: accepted, refused: l.refused, raw: raw}
	c.readable = c.readAhead
	return c, nil
}

// conn is a TCP connection that reads ahead. It hides the methods that a
// *net.TCPConn has beyond net.Conn: its WriteTo would miss what has been read ahead.
type conn struct {
	net.Conn
	refused  func(code int)
	raw      syscall.RawConn
	readable func(fd uintptr) bool // readAhead, made once

	skipped bool                  // the last read was for one byte, and got none
	ahead   *[readAheadBytes]byte // nil when nothing is unread
	unread  []byte                // part of ahead

	// The arguments and results of readAhead.
	p       []byte // gets the first bytes
	n       int    // how many bytes p got
	readErr error
}

var readBuffers = sync.Pool{New: func() any { return new([readAheadBytes]byte) }}

// Read is as net.Conn's, but a read of one byte gets none the first time, because
// that is how net/http watches for a closed connection. A caller that needs the byte
// reads again.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 1 && !c.skipped {
		c.skipped = true
		return 0, nil
	}

	c.skipped = false

	if c.ahead != nil {
		return c.readUnread(p), nil
	}
	if len(p) >= readAheadBytes/2 { // the caller has room enough itself
		return c.Conn.Read(p)
	}

	// The arguments go through fields, because a closure would allocate for each read.
	c.p, c.n, c.readErr = p, 0, nil
	err := c.raw.Read(c.readable)
	c.p = nil
	if err == nil {
		return c.n, c.readErr
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		op.Op = "read" // it was "raw-read"; net/http knows the other
	}

	return c.n, err
}

// readUnread copies bytes that were read ahead into p.
func (c *conn) readUnread(p []byte) int {
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	if len(c.unread) == 0 {
		readBuffers.Put(c.ahead)
		c.ahead, c.unread = nil, nil
	}
	return n
}

// readAhead reads once, into p and what follows it, and returns false if nothing has
// come yet. An error or the end counts as something.
func (c *conn) readAhead(fd uintptr) bool {
	b := readBuffers.Get().(*[readAheadBytes]byte)
	n, err := syscall.Read(int(fd), b[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), b[:])
	}

	// What does not fit into p stays in the buffer for the next calls.
	if n > 0 {
		c.n = copy(c.p, b[:n])
		if c.n < n {
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

// Write is as net.Conn's. It counts the answers that net/http sends by itself, which
// have no date.
func (c *conn) Write(p []byte) (int, error) {
	if code := refusalCode(p); code != 0 && c.refused != nil {
		c.refused(code)
	}
	return c.Conn.Write(p)
}

// refusalCode returns the status code of an answer that net/http sends by itself, 0
// for anything else.
func refusalCode(answer []byte) int {
	const status = "HTTP/1.1 "
	const digits = 3
	if len(answer) <= len(status)+digits || answer[len(status)] < '4' || !bytes.HasPrefix(answer, []byte(status)) {
		return 0
	}
	// A handler's answer has a date; net/http's own has none.
	if bytes.Contains(answer, []byte("\r\nDate: ")) {
		return 0
	}

	code, err := strconv.Atoi(string(answer[len(status) : len(status)+digits]))
	if err != nil {
		return 0
	}

	return code
}
