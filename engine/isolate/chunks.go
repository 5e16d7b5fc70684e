package isolate

import (
	"bufio"
	"encoding/binary"
	"io"
)

// chunkBytes is how much data makes a chunk.
const chunkBytes = 64 << 10

// chunkWriter writes chunks. After an error it writes no more and returns that error.
type chunkWriter struct {
	w   io.Writer
	buf []byte
	err error
}

// Write implements io.Writer. It collects p until there is a chunk.
func (c *chunkWriter) Write(p []byte) (int, error) {
	c.buf = append(c.buf, p...)
	if len(c.buf) >= chunkBytes {
		c.flush()
	}
	return len(p), c.err
}

// flush writes what is collected as a chunk.
func (c *chunkWriter) flush() error {
	if len(c.buf) == 0 || c.err != nil {
		return c.err
	}

	// A chunk is its length, then its bytes; a length of 0 is the end.
	head := binary.AppendUvarint(nil, uint64(len(c.buf)))
	_, c.err = c.w.Write(head)
	if c.err == nil {
		_, c.err = c.w.Write(c.buf)
	}

	c.buf = c.buf[:0]
	return c.err
}

// end writes the rest and the end.
func (c *chunkWriter) end() error {
	if c.flush() == nil {
		_, c.err = c.w.Write([]byte{0})
	}
	return c.err
}

// chunkReader reads chunks up to their end, which is its io.EOF.
type chunkReader struct {
	r     *bufio.Reader
	left  uint64 // of the chunk
	ended bool
}

// Read implements io.Reader.
func (c *chunkReader) Read(p []byte) (int, error) {
	// Begin the next chunk.
	if c.left == 0 && !c.ended {
		size, err := binary.ReadUvarint(c.r)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}

		c.left = size
		c.ended = size == 0
	}
	if c.ended {
		return 0, io.EOF
	}

	// A pipe that ends inside a chunk, or without the last, was cut short.
	size, err := c.r.Read(p[:min(uint64(len(p)), c.left)])
	c.left -= uint64(size)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return size, err
}
