package rawlog

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// BenchmarkReader reads a raw log of 20 MB in memory.
func BenchmarkReader(b *testing.B) {
	const salt = 7
	log := AppendHead(nil, salt)
	s := Submission{Path: "2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9", Body: bytes.Repeat([]byte("x"), 5000), Time: time.UnixMilli(1378800000123)}
	for range 4000 {
		log = AppendEntry(log, &s, salt)
	}

	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(log), Version)
		n := 0
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 4000 {
			b.Fatalf("%d submissions", n)
		}
	}
}

// BenchmarkEntry makes the entry of a submission of 5 kB and frees it.
func BenchmarkEntry(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 5000)
	now := time.UnixMilli(1378800000123)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		e := NewEntry(&Submission{Path: "2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9", Time: now}, len(body))
		copy(e.Body(), body)
		e.Seal()
		e.Free()
	}
}
