package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	kflate "github.com/klauspost/compress/flate"
	kgzip "github.com/klauspost/compress/gzip"
)

// comparer unpacks with this package and with the two that it must agree with.
type comparer struct {
	d      Decoder
	dst    []byte
	src    bytes.Reader
	gz     [2]gzipReader
	fl     [2]io.ReadCloser
	buffer [2]bytes.Buffer
}

type gzipReader interface {
	io.Reader
	Reset(io.Reader) error
}

func newComparer() *comparer {
	return &comparer{
		gz: [2]gzipReader{new(gzip.Reader), new(kgzip.Reader)},
		fl: [2]io.ReadCloser{flate.NewReader(nil), kflate.NewReader(nil)},
	}
}

// untouched is what fills the memory that must not be written.
const untouched = 0xa5

// memory returns what Gunzip may use: limit bytes that hold something, and some that
// it must leave alone.
func (c *comparer) memory(limit int) []byte {
	if need := limit + 512; len(c.dst) < need {
		c.dst = make([]byte, need)
	}
	for i := range c.dst[limit : limit+512] {
		c.dst[limit+i] = untouched
	}
	return c.dst[:limit+512]
}

// gzip fails t unless Gunzip takes src if and only if the others do, and with the
// same text. It returns what Gunzip did.
func (c *comparer) gzip(t testing.TB, src []byte, limit int) ([]byte, error) {
	t.Helper()
	dst := c.memory(limit)
	got, err := c.d.Gunzip(dst, src, limit)
	if grown, again := c.d.Gunzip(nil, src, limit); !bytes.Equal(grown, got) || !errors.Is(again, err) {
		t.Fatalf("%x: in growing memory %d bytes, %v; else %d, %v", src, len(grown), again, len(got), err)
	}
	var errs [2]error
	for i, r := range c.gz {
		c.src.Reset(src)
		c.buffer[i].Reset()
		if errs[i] = r.Reset(&c.src); errs[i] == nil {
			_, errs[i] = c.buffer[i].ReadFrom(io.LimitReader(r, int64(limit)+1))
		}
	}
	c.judge(t, src, dst, limit, got, err, errs)
	return got, err
}

// deflate does the same with a deflate stream, and anything behind it, which must be
// left alone.
func (c *comparer) deflate(t testing.TB, src []byte, limit int) ([]byte, error) {
	t.Helper()
	dst := c.memory(limit)
	c.d.begin(dst, src, limit)
	err := c.d.blocks()
	got, at := c.d.out[:c.d.end], c.d.at
	// Again, in memory that is too small at first: fast stops wherever it grows.
	c.d.begin(nil, src, limit)
	c.d.out = c.d.out[:min(len(c.d.out), 1+len(src)%300)]
	again := c.d.blocks()
	if !bytes.Equal(c.d.out[:c.d.end], got) || err == nil && c.d.at != at || !errors.Is(again, err) {
		t.Fatalf("%x: in growing memory %d bytes, %v; else %d, %v", src, c.d.end, again, len(got), err)
	}
	c.d.release()
	var errs [2]error
	for i, r := range c.fl {
		c.src.Reset(src)
		c.buffer[i].Reset()
		r.(flate.Resetter).Reset(&c.src, nil)
		_, errs[i] = c.buffer[i].ReadFrom(io.LimitReader(r, int64(limit)+1))
		if used := len(src) - c.src.Len(); err == nil && errs[i] == nil && c.buffer[i].Len() <= limit && at != used {
			t.Fatalf("%x: ends at byte %d, want %d", src, at, used)
		}
	}
	c.judge(t, src, dst, limit, got, err, errs)
	return got, err
}

func (c *comparer) judge(t testing.TB, src, dst []byte, limit int, got []byte, err error, errs [2]error) {
	t.Helper()
	taken := errs[0] == nil && errs[1] == nil
	for i := range c.buffer {
		want := c.buffer[i].Bytes()
		switch n := min(len(got), len(want)); {
		case !bytes.Equal(got[:n], want[:n]):
			t.Fatalf("%x: other text than package %d", src, i)
		case taken && len(want) > limit && !errors.Is(err, ErrTooLong) && !errors.Is(err, ErrCorrupt):
			// Corrupt if a code has no end of block, which shows only later there.
			t.Fatalf("%x: error %v, package %d unpacked more than %d bytes", src, err, i, limit)
		case taken && len(want) <= limit && (err != nil || len(got) != len(want)):
			t.Fatalf("%x: %d bytes, error %v; package %d unpacked %d", src, len(got), err, i, len(want))
		case !taken && err == nil:
			t.Fatalf("%x: no error; package %d: %v", src, i, errs[i])
		}
	}
	if len(got) > limit {
		t.Fatalf("%x: %d bytes, limit %d", src, len(got), limit)
	}
	for i, v := range dst[limit:] {
		if v != untouched {
			t.Fatalf("%x: wrote %d bytes behind the limit of %d", src, i+1, limit)
		}
	}
}
