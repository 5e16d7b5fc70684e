package rawlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// oldEntry is an entry of one of the predecessor's versions.
func oldEntry(version int, addr, path, body string) []byte {
	le := binary.LittleEndian
	var b []byte
	switch version {
	case 0:
		b = le.AppendUint32(b, uint32(len(path)))
		b = le.AppendUint32(b, uint32(len(body)))
	case 1:
		b = append(b, separator)
		b = le.AppendUint16(b, uint16(len(path)))
		b = le.AppendUint32(b, uint32(len(body)))
	case 2:
		b = append(b, separator, byte(len(addr)))
		b = le.AppendUint16(b, uint16(len(path)))
		b = le.AppendUint32(b, uint32(len(body)))
	}

	b = le.AppendUint64(b, 1378800000123)
	return append(b, addr+path+body...)
}

const testSalt = 0xdecafbad

func newEntry(path, body string) []byte {
	return AppendEntry(nil, &Submission{Path: path, Body: []byte(body), Time: time.UnixMilli(1378800000123)}, testSalt)
}

func head(flags uint32, size uint64) []byte {
	return fileHeader{salt: testSalt, flags: flags, size: size}.append(nil)
}

// entryV3 is an entry of version 3, which our older releases wrote.
func entryV3(path, body string) []byte {
	b := []byte{separator, 2}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(path)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint64(b, 1378800000123)
	sum := crc32.Checksum([]byte(string(b)+"DE"+path+body), castagnoli)
	b = binary.LittleEndian.AppendUint32(b, sum^testSalt)
	return append(b, "DE"+path+body...)
}

// headV3 is the head of an unfinished file of version 3.
func headV3() []byte {
	b := append([]byte("TMRAW3\r\n"), head(0, 0)[len(fileMagic):fileHeaderBytes-4]...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// readAll returns each submission as "path=body".
func readAll(t testing.TB, r *Reader) []string {
	t.Helper()
	got := []string{}
	for {
		s, err := r.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Path+"="+string(s.Body))
	}
}

func TestReader(t *testing.T) {
	f1, f2 := oldEntry(1, "", "a", "{1}"), oldEntry(1, "", "b", "{2}")
	n1, n2, n3 := newEntry("a", "{1}"), newEntry("b", "{2}"), newEntry("c", "{3}")
	longer := bytes.Clone(f1)
	longer[3] += byte(len(f2)) - 4 // the length reaches into the next entry
	badSum := bytes.Clone(n2)
	badSum[len(badSum)-1] ^= 1
	hostile := newEntry("evil", string(AppendEntry(nil, &Submission{Path: "forged", Body: []byte("x")}, 0)))
	hostile[0] = 'x'
	whole := join(head(0, 0), n1, n2, n3)
	logV3 := join(headV3(), entryV3("a", "{1}"), entryV3("b", "{2}"))
	sized := uint64(len(whole))
	brokenHead := bytes.Clone(whole)
	brokenHead[9] ^= 1
	badTime := bytes.Clone(n3)
	badTime[8] ^= 1
	badLength := bytes.Clone(n2)
	badLength[7] = 0xff
	older := func(path string) []byte {
		return AppendEntry(nil, &Submission{Path: path, Body: []byte("old"), Time: time.UnixMilli(1378700000123)}, 1)
	}

	remains := join("emains\x1e of a frame", older("r"), older("s"), older("t"), make([]byte, 500))
	fit := newEntry("fit", string(make([]byte, blockBytes-fileHeaderBytes-entryOverhead-3))) // to the block's end
	// batch is what a log writes at once, behind what is there: entries, then zeros.
	batch := func(parts ...any) []byte {
		b := join(parts...)
		return append(b, make([]byte, blocksUp(len(b))-len(b))...)
	}

	recycled := head(flagRecycled, 0)

	tests := []struct {
		name    string
		version int
		in      []byte
		want    []string
		lost    int64
		tail    int64
	}{
		{"v0", 0, join(oldEntry(0, "", "a", "{1}"), oldEntry(0, "", "b", "{2}")), []string{"a={1}", "b={2}"}, 0, 0},
		{"v0 cannot go on after damage", 0, join(oldEntry(0, "", "a", "{1}"), "\xff\xff\xff\xff", oldEntry(0, "", "b", "{2}")), []string{"a={1}"}, 24, 0},
		{"v1", 1, join(f1, f2), []string{"a={1}", "b={2}"}, 0, 0},
		{"v1 detected", VersionAuto, join(f1, f2), []string{"a={1}", "b={2}"}, 0, 0},
		{"v2 detected", VersionAuto, join(oldEntry(2, "1.2.3.4", "a", "{1}"), oldEntry(2, "", "b", "{2}"), oldEntry(2, "", "c", "{3}")), []string{"a={1}", "b={2}", "c={3}"}, 0, 0},
		{"v1 empty", 1, nil, []string{}, 0, 0},
		{"v1 torn byte at the end", 1, join(f1, "\n"), []string{"a={1}"}, 1, 0},
		{"v1 torn separator at the end", 1, join(f1, "\x1e"), []string{"a={1}"}, 1, 0},
		{"v1 cut short", 1, join(f1, f2[:len(f2)-1]), []string{"a={1}"}, int64(len(f2) - 1), 0},
		{"v1 noise between", 1, join("noise", f1, "more\x1enoise", f2), []string{"a={1}", "b={2}"}, 15, 0},
		{"v1 length too long", 1, join(longer, f2, f1), []string{"b={2}", "a={1}"}, int64(len(f1)), 0},
		{"v3", 3, logV3, []string{"a={1}", "b={2}"}, 0, 0},
		{"v3 detected", VersionAuto, logV3, []string{"a={1}", "b={2}"}, 0, 0},
		{"v3 by its head, whatever its name", 4, logV3, []string{"a={1}", "b={2}"}, 0, 0},
		{"v3 broken head", 3, join("x", logV3[1:]), []string{"a={1}", "b={2}"}, fileHeaderBytes, 0},
		{"v4", 4, whole, []string{"a={1}", "b={2}", "c={3}"}, 0, 0},
		{"v4 detected", VersionAuto, whole, []string{"a={1}", "b={2}", "c={3}"}, 0, 0},
		{"v4 finished", 4, join(head(0, sized), n1, n2, n3), []string{"a={1}", "b={2}", "c={3}"}, 0, 0},
		{"v4 finished and cut", 4, join(head(0, sized), n1, n2), []string{"a={1}", "b={2}"}, int64(len(n3)), 0},
		{"v4 finished, zeros instead of an entry", 4, join(head(flagRecycled, sized), n1, n2, make([]byte, len(n3))), []string{"a={1}", "b={2}"}, int64(len(n3)), 0},
		{"v4 preallocated", 4, join(whole, make([]byte, 9999)), []string{"a={1}", "b={2}", "c={3}"}, 0, 9999},
		{"v4 preallocated, torn", 4, join(whole, "\x1etorn", make([]byte, 9999)), []string{"a={1}", "b={2}", "c={3}"}, 5, 9999},
		{"v4 recycled", 4, join(batch(recycled, n1), remains), []string{"a={1}"}, 0, int64(blockBytes - fileHeaderBytes - len(n1) + len(remains))},
		{"v4 recycled, nothing written", 4, join(recycled, older("r"), older("s"), remains), []string{}, 0, int64(2*len(older("r")) + len(remains))},
		{"v4 recycled, filled with zeros", 4, join(batch(recycled, n1), make([]byte, 9000)), []string{"a={1}"}, 0, int64(blockBytes - fileHeaderBytes - len(n1) + 9000)},
		{"v4 recycled, to the block's end", 4, join(recycled, fit, remains), []string{"fit=" + string(make([]byte, blockBytes-fileHeaderBytes-entryOverhead-3))}, 0, int64(len(remains))},
		{"v4 recycled, remains begin with an entry", 4, join(recycled, fit, older("r"), remains[18:]), []string{"fit=" + string(make([]byte, blockBytes-fileHeaderBytes-entryOverhead-3))}, 0, int64(len(older("r")) + len(remains) - 18)},
		{"v4 recycled, last one damaged", 4, join(batch(recycled, n1, badSum), remains), []string{"a={1}"}, int64(len(badSum)), int64(blockBytes - fileHeaderBytes - len(n1) - len(badSum) + len(remains))},
		{"v4 recycled, last two damaged", 4, join(batch(recycled, n1, badSum, badTime), remains), []string{"a={1}"}, int64(2 * len(badSum)), int64(blockBytes - fileHeaderBytes - len(n1) - 2*len(badSum) + len(remains))},
		{"v4 recycled, last one's length damaged", 4, join(batch(recycled, n1, badLength), remains), []string{"a={1}"}, int64(len(badLength)), int64(blockBytes - fileHeaderBytes - len(n1) - len(badLength) + len(remains))},
		{"v4 recycled, first batch torn", 4, join(recycled, badSum, remains), []string{}, int64(len(badSum)), int64(len(remains))},
		{"v4 recycled, batch torn at a block", 4, join(recycled, fit, badSum, remains), []string{"fit=" + string(make([]byte, blockBytes-fileHeaderBytes-entryOverhead-3))}, int64(len(badSum)), int64(len(remains))},
		{"v4 recycled, one damaged in between", 4, join(batch(recycled, n1, badSum, n3), remains), []string{"a={1}", "c={3}"}, int64(len(badSum)), int64(blockBytes - fileHeaderBytes - 3*len(n1) + len(remains))},
		{"v4 zeroed", 4, make([]byte, 4096), []string{}, 4096, 0}, // its head was synced before it had its name
		{"v4 bad sum", 4, join(head(0, 0), n1, badSum, n3), []string{"a={1}", "c={3}"}, int64(len(badSum)), 0},
		{"v4 broken head", 4, brokenHead, []string{"a={1}", "b={2}", "c={3}"}, fileHeaderBytes, 0},
		{"v4 forged entry in a damaged one", 4, join(head(0, 0), hostile, n1), []string{"a={1}"}, int64(len(hostile)), 0},
	}

	for _, tt := range tests {
		for name, src := range map[string]io.Reader{
			tt.name:                     bytes.NewReader(tt.in),
			tt.name + " byte by byte":   iotest.OneByteReader(bytes.NewReader(tt.in)),
			tt.name + " with early EOF": iotest.DataErrReader(bytes.NewReader(tt.in)),
		} {
			t.Run(name, func(t *testing.T) {
				r := NewReader(src, tt.version)
				if got := readAll(t, r); !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if r.BytesLost() != tt.lost || r.Tail() != tt.tail {
					t.Errorf("lost %d and tail %d, want %d and %d", r.BytesLost(), r.Tail(), tt.lost, tt.tail)
				}
			})
		}
	}
}

// TestEveryVersionIsReadAndNamed writes two entries of each version and reads them
// back, with the version given, by its name, and (but for version 0) detected.
func TestEveryVersionIsReadAndNamed(t *testing.T) {
	if len(fixedBytes) != Version+1 {
		t.Fatalf("fixedBytes has %d versions, want %d", len(fixedBytes), Version+1)
	}

	want := []string{"a={1}", "b={2}"}
	for version := range Version + 1 {
		log := join(oldEntry(version, "", "a", "{1}"), oldEntry(version, "", "b", "{2}"))
		switch version {
		case 3:
			log = join(headV3(), entryV3("a", "{1}"), entryV3("b", "{2}"))
		case Version:
			log = join(head(0, 0), newEntry("a", "{1}"), newEntry("b", "{2}"))
		}

		named := VersionOf(fmt.Sprintf("telemetry.log.v%d.host.1.2", version))
		ways := map[string]int{"given": version, "named": named, "detected": VersionAuto}
		if version == 0 {
			ways = map[string]int{"given": version}
		}

		for way, v := range ways {
			r := NewReader(bytes.NewReader(log), v)
			if got := readAll(t, r); !slices.Equal(got, want) || r.Version() != version {
				t.Errorf("version %d, %s: read %q as version %d", version, way, got, r.Version())
			}
		}
		if version > 0 && named != version {
			t.Errorf("VersionOf a name with v%d is %d", version, named)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, in := range []string{"", "no raw log", "\x00\x00"} {
		if _, err := NewReader(bytes.NewReader([]byte(in)), VersionAuto).Next(); !errors.Is(err, ErrVersion) {
			t.Errorf("Next on %q: %v, want ErrVersion", in, err)
		}
	}

	broken := errors.New("broken disk")
	r := NewReader(iotest.ErrReader(broken), 1)
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("Next: %v, want the reader's error", err)
		}
	}
}

func TestReaderFields(t *testing.T) {
	r := NewReader(bytes.NewReader(join("x", oldEntry(2, "10.0.0.1, 10.0.0.2", "id/%2F", "\x1f\x8b"))), 2)
	r.Source = "telemetry.log.v2.host.1.2"
	s, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}

	got := fmt.Sprintf("%s %q %s %s %+v", s.Path, s.Body, s.Time.Format(time.RFC3339Nano), s.Address, s.Origin)
	want := `id/%2F "\x1f\x8b" 2013-09-10T08:00:00.123Z 10.0.0.1, 10.0.0.2 {Log:telemetry.log.v2.host.1.2 Offset:1}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReaderRealLog(t *testing.T) {
	for name, want := range map[string]struct {
		records int
		lost    int64
	}{
		"telemetry.log.v1.one-real-ping-then-torn": {1, 1},
		"telemetry.log.v1.100-realistic-pings":     {100, 0},
	} {
		f := sharedFile(t, "raw/"+name)
		for _, version := range []int{VersionOf(name), VersionAuto} {
			r := NewReader(bytes.NewReader(f), version)
			n := 0
			for {
				s, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if s.Body[0] != 0x1f || s.Body[1] != 0x8b {
					t.Errorf("%s: body %d is not gzip", name, n)
				}
				n++
			}
			if n != want.records || r.BytesLost() != want.lost {
				t.Errorf("%s: %d records and %d bytes lost, want %+v", name, n, r.BytesLost(), want)
			}
		}
	}
}

// sharedFile returns a file of the shared test data, which stands beside the
// work tree; without it the test is skipped, or fails in CI.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", filepath.FromSlash(name)))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
	return b
}

func FuzzReader(f *testing.F) {
	for v := range 3 {
		f.Add(v, join(oldEntry(v, "", "a", "{1}"), "?", oldEntry(v, "", "b", "{2}")))
	}

	f.Add(3, join(head(0, 0), newEntry("a", "{1}"), "?", newEntry("b", "{2}")))
	f.Add(VersionAuto, join(head(flagRecycled, 99), newEntry("a", "{1}"), newEntry("b", "")))
	f.Add(0, []byte("TMRAW7\r\n000000000000000000000000"))
	f.Fuzz(func(t *testing.T, version int, in []byte) {
		if version < VersionAuto || version > Version {
			return
		}

		r := NewReader(bytes.NewReader(in), version)
		at, inEntries := int64(0), int64(0)
		for {
			s, err := r.Next()
			if errors.Is(err, ErrNewer) {
				return // nothing of it is read
			}
			if err != nil {
				break
			}
			if s.Origin.Offset < at {
				t.Fatalf("entry at %d overlaps one that ends at %d", s.Origin.Offset, at)
			}
			n := int64(fixedBytes[r.Version()] + len(s.Address) + len(s.Country) + len(s.Path) + len(s.Request) + len(s.Body))
			at = s.Origin.Offset + n
			inEntries += n
		}
		if total := inEntries + r.BytesLost() + r.Tail(); at > int64(len(in)) || r.Version() < 3 && r.Version() >= 0 && total != int64(len(in)) {
			t.Fatalf("%d bytes in, but %d in entries, %d lost", len(in), inEntries, r.BytesLost())
		}

		// What surrounds whole entries does not matter.
		clean := NewReader(bytes.NewReader(join(head(0, 0), in, newEntry("x", "1"), newEntry("y", "2"))), 3)
		got := readAll(t, clean)
		if len(got) < 2 || got[len(got)-1] != "y=2" || got[len(got)-2] != "x=1" {
			t.Fatalf("entries after noise are lost: %q", got)
		}
	})
}
