package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"
)

// repair replaces a damaged segment by what can be read of it and keeps the
// damaged file in state/damaged. The caller holds the lock of compaction.
//
//  1. The damaged file gets its second name, below state/damaged.
//  2. What can be read is staged as a segment.
//  3. The commit renames that over the damaged file (or beside an old file,
//     which is then removed). With nothing to stage it only removes.
//
// Killed anywhere, it is repeated or finished.
func (d *Data) repair(name string) (done string, err error) {
	s := Segment{Path: name}
	if !s.parseSegmentName(path.Base(name)) {
		return "", fmt.Errorf("repair %s: no segment", name)
	}
	aside := path.Join(DamagedDir, name)
	touched := map[string]bool{path.Dir(aside): true}
	if err := d.disk.mkdirAll(path.Dir(aside), touched); err != nil {
		return "", err
	}
	if err := d.disk.link(name, aside); err != nil {
		return "", err
	}
	if err := d.syncDirs(touched); err != nil {
		return "", err
	}
	enc, err := newEncoder(zstd.SpeedDefault, frameBytes)
	if err != nil {
		return "", err
	}
	defer enc.Close()
	out, err := newSegment(path.Join(CompactDir, "repaired"), enc)
	if err != nil {
		return "", err
	}
	if f, ix, err := d.Tree().index(s); err == nil {
		out.trailer.replaces = ix.replaces
		f.Close()
	}
	err = d.Tree().salvage(s, false, func(lines []byte, ids idIndex) error {
		out.ids.append(ids)
		return out.addFrame(&d.disk, lines, enc.EncodeAll(lines, nil), uint32(ids.len()))
	})
	if err != nil && !isDamaged(err) {
		return "", err
	}
	c := commit{Version: commitVersion, Source: "repair"}
	if out.trailer.records > 0 {
		if err := out.finish(&d.disk); err != nil {
			return "", err
		}
		unique := s.unique
		if unique == "" {
			unique = "0"
		}
		final := path.Join(path.Dir(name), segmentPrefix(s.Dims, s.Version)+unique+".zst")
		c.Rename = [][2]string{{path.Base(out.staged), final}}
		if final != name {
			c.Remove = []string{name}
		}
	} else {
		c.Remove = []string{name}
	}
	if err := d.writeCommit(CompactDir, c); err != nil {
		return "", err
	}
	return fmt.Sprintf("kept %d records, the damaged file is %s", out.trailer.records, aside), d.settle(CompactDir)
}

// link gives a file a second name; one that is there from an earlier try is fine.
func (d *disk) link(name, second string) error {
	if err := d.before(opLink, second); err != nil {
		return err
	}
	if err := d.root.Link(name, second); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// findFrames finds the zstd frames of a segment without its seek table, also
// behind damage. Their uncompressed sizes come from their headers; a short one
// may have none.
func findFrames(r io.ReaderAt, size int64) []seekable.FrameOffsetEntry {
	var found []seekable.FrameOffsetEntry
	for at := nextMagic(r, 0, size); at < size; {
		packed, plain := frameSize(r, at, size)
		if packed == 0 {
			at = nextMagic(r, at+1, size)
			continue
		}
		found = append(found, seekable.FrameOffsetEntry{
			CompressedOffset: uint64(at), CompressedSize: uint32(packed), DecompressedSize: uint32(plain),
		})
		at = nextMagic(r, at+packed, size)
	}
	return found
}

// nextMagic returns where the next zstd frame may begin, at or after that offset.
func nextMagic(r io.ReaderAt, at, size int64) int64 {
	const magic = 0xFD2FB528
	buf := make([]byte, 64<<10)
	for at < size {
		n, _ := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		for i := range n - 3 {
			if binary.LittleEndian.Uint32(buf[i:]) == magic {
				return at + int64(i)
			}
		}
		if n < 4 {
			break
		}
		at += int64(n - 3)
	}
	return size
}

// frameSize walks over the blocks of the frame that begins there and returns its
// sizes; 0, 0 if it is damaged or cut off.
func frameSize(r io.ReaderAt, at, size int64) (packed, plain int64) {
	var b [zstd.HeaderMaxSize]byte
	n, _ := r.ReadAt(b[:min(int64(len(b)), size-at)], at)
	var h zstd.Header
	if err := h.Decode(b[:n]); err != nil || h.Skippable || h.FrameContentSize > maxFrameBytes {
		return 0, 0
	}
	end := at + int64(h.HeaderSize)
	for last := false; !last; {
		if _, err := r.ReadAt(b[:3], end); err != nil {
			return 0, 0
		}
		v := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		last = v&1 != 0
		switch v >> 1 & 3 {
		case 1: // one byte, repeated
			end += 3 + 1
		case 3:
			return 0, 0
		default:
			end += 3 + v>>3
		}
	}
	if h.HasCheckSum {
		end += 4
	}
	if end > size {
		return 0, 0
	}
	return end - at, int64(h.FrameContentSize)
}
