package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// makeSegment returns a segment with frames of the given numbers of records,
// and the text in it.
func makeSegment(t testing.TB, perFrame ...int) (file, text []byte) {
	t.Helper()
	enc, err := NewEncoder(zstd.SpeedFastest, FrameBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	var out bytes.Buffer
	s, err := NewBuilder(&out, enc)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, records := range perFrame {
		for range records {
			if err := s.Add(fmt.Appendf(nil, "%08x-0000-4000-8000-000000000000", n), fmt.Appendf(nil, `{"n":%d}`, n), uint32(n)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		text = append(text, s.buf...)
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != s.Size() {
		t.Fatalf("segment of %d bytes, want %d", out.Len(), s.Size())
	}
	return out.Bytes(), text
}

// decode reads a whole segment the way a Reader does.
func decode(file []byte) (text []byte, ids IDs, err error) {
	r := bytes.NewReader(file)
	ix, err := ReadIndex(r, int64(len(file)))
	if err != nil {
		return nil, ids, err
	}
	f := NewFrames(r, ix.Frames)
	for {
		b, err := f.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return text, ids, err
		}
		text = append(text, b...)
	}
	reader, err := ix.IDs(r)
	if err == nil {
		ids, err = reader.Next(int(ix.Records))
	}
	return text, ids, err
}

func TestSegmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perFrame := rapid.SliceOfN(rapid.IntRange(1, 20), 0, 10).Draw(rt, "perFrame")
		file, want := makeSegment(t, perFrame...)
		got, ids, err := decode(file)
		if err != nil || !bytes.Equal(got, want) {
			rt.Fatalf("decoded %d bytes, %v; want %d", len(got), err, len(want))
		}
		for i, l := range bytes.Split(bytes.TrimSpace(want), []byte("\n")) {
			id, _, ok := bytes.Cut(l, []byte("\t"))
			if !ok {
				continue // no records
			}
			if got, ms := ids.At(i); got != IDOf(id) || ms != uint32(i) {
				rt.Fatalf("ID %d is %x at %d, want that of %s", i, got, ms, id)
			}
		}
	})
}

// TestDamagedSegment cuts a segment at every byte and flips every byte: the
// reader reports damage or, where nothing of the content is touched, returns all.
func TestDamagedSegment(t *testing.T) {
	file, want := makeSegment(t, 3, 5, 2)
	for n := range file {
		if _, _, err := decode(file[:n]); !isDamage(err) {
			t.Errorf("cut to %d of %d bytes: %v, want a *CorruptError", n, len(file), err)
		}
	}
	for i := range file {
		damaged := bytes.Clone(file)
		damaged[i] ^= 0x10
		got, _, err := decode(damaged)
		if err == nil && !bytes.Equal(got, want) || err != nil && !isDamage(err) {
			t.Errorf("byte %d of %d flipped: %q, %v", i, len(file), got, err)
		}
	}
}

func isDamage(err error) bool {
	_, ok := errors.AsType[*CorruptError](err)
	return ok
}

// TestZstdReadsSegments proves the promise of FORMAT.md: the ordinary tool
// yields the plain lines.
func TestZstdReadsSegments(t *testing.T) {
	file, want := makeSegment(t, 10, 20)
	cmd := exec.Command("zstd", "-dc")
	cmd.Stdin = bytes.NewReader(file)
	got, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("zstd -dc: %d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestIDOf(t *testing.T) {
	lower := []byte("0123abcd-4567-89ab-cdef-0123456789ab")
	if id := IDOf(lower); id[0] != 0x01 || id[15] != 0xab {
		t.Errorf("IDOf(%s) = %x, want its bytes", lower, id)
	}
	seen := map[ID]string{}
	for _, s := range []string{string(lower), strings.ToUpper(string(lower)), "0123abcd4567-89ab-cdef-0123456789ab-", "x", "",
		"zzzzzzzz-4567-89ab-cdef-0123456789ab", "0123abcd-4567-89ab-cdef-0123456789ab "} {
		if other, ok := seen[IDOf([]byte(s))]; ok {
			t.Errorf("IDOf does not tell %q and %q apart", s, other)
		}
		seen[IDOf([]byte(s))] = s
	}
}

func FuzzSegment(f *testing.F) {
	for _, perFrame := range [][]int{{}, {1}, {3, 4}} {
		file, _ := makeSegment(f, perFrame...)
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		text, _, err := decode(file)
		if err != nil && !isDamage(err) && !errors.Is(err, ErrNewer) {
			t.Errorf("decode: %v, want a *CorruptError or ErrNewer", err)
		}
		if err == nil && len(text) > 0 && text[len(text)-1] != '\n' {
			t.Errorf("decode gave %q without an error", text)
		}
		// What is found without the seek table lies in the file, in order.
		end := uint64(0)
		for _, e := range FindFrames(bytes.NewReader(file), int64(len(file))) {
			if e.CompressedOffset < end || e.CompressedSize == 0 {
				t.Fatalf("frame at %d of %d bytes, after %d", e.CompressedOffset, e.CompressedSize, end)
			}
			if end = e.CompressedOffset + uint64(e.CompressedSize); end > uint64(len(file)) {
				t.Fatalf("frame ends at %d of %d", end, len(file))
			}
		}
	})
}
