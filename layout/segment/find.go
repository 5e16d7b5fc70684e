package segment

import (
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// FindFrames finds the zstd frames of a segment without its seek table, also
// behind damage. Their uncompressed sizes come from their headers; a short one
// may have none.
//
// No library does that: klauspost's decoder reads frames from the start of a stream,
// and stops at damage. The tests of repair in package upkeep damage segments at every
// place and compare what is found with what was written. Repair is rare, so there is
// no benchmark (2026-11-28).
func FindFrames(r io.ReaderAt, size int64) []Frame {
	var found []Frame
	for at := nextMagic(r, 0, size); at < size; {
		packed, plain := frameSize(r, at, size)
		if packed == 0 {
			// The magic was in compressed data, or the frame is damaged.
			at = nextMagic(r, at+1, size)
			continue
		}

		found = append(found, Frame{
			CompressedOffset: uint64(at), CompressedSize: uint32(packed), DecompressedSize: uint32(plain),
		})
		at = nextMagic(r, at+packed, size)
	}
	return found
}

// FindReplaces returns the Replaces of a trailer that follows the frames, as
// FindFrames found them, of a segment whose seek table is damaged; nil if the
// trailer is damaged too.
func FindReplaces(r io.ReaderAt, size int64, found []Frame) []string {
	at := int64(0)
	if len(found) > 0 {
		last := found[len(found)-1]
		at = int64(last.CompressedOffset) + int64(last.CompressedSize)
	}

	// The size in the trailer's head says where it ends.
	var head [8]byte
	if _, err := r.ReadAt(head[:], at); err != nil || le.Uint32(head[:]) != trailerMagic {
		return nil
	}
	end := at + 8 + int64(le.Uint32(head[4:]))
	if end > size || end-fixedBytes < at+8 {
		return nil
	}

	// The sizes in its fixed part must fit into it.
	var fixed [fixedBytes]byte
	if _, err := r.ReadAt(fixed[:], end-fixedBytes); err != nil || le.Uint32(fixed[40:]) != trailerMagic {
		return nil
	}
	countsBytes := 4 * int64(le.Uint32(fixed[28:]))
	namesBytes := int64(le.Uint32(fixed[32:]))
	covered := countsBytes + namesBytes + fixedBytes
	if covered > end-at-8 || namesBytes == 0 {
		return nil
	}

	// The checksum decides whether the names are those that were written.
	body := make([]byte, covered)
	if _, err := r.ReadAt(body, end-covered); err != nil || crc32.Checksum(body[:covered-4], crcTable) != le.Uint32(body[covered-4:]) {
		return nil
	}
	var trailer Trailer
	trailer.parseNames(string(body[countsBytes : countsBytes+namesBytes]))
	return trailer.Replaces
}

// nextMagic returns where the next zstd frame may begin, at or after that offset.
func nextMagic(r io.ReaderAt, at, size int64) int64 {
	const magic = 0xFD2FB528

	buf := make([]byte, 64<<10)
	for at < size {
		// An error gives fewer bytes, or none, which ends the search.
		n, _ := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		for i := range n - 3 {
			if le.Uint32(buf[i:]) == magic {
				return at + int64(i)
			}
		}
		if n < 4 {
			break
		}

		// The magic may lie across the end of buf.
		at += int64(n - 3)
	}
	return size
}

// frameSize walks over the zstd blocks of the frame that begins there and returns its
// sizes in bytes; 0, 0 if it is damaged or cut off.
func frameSize(r io.ReaderAt, at, size int64) (packed, plain int64) {
	var b [zstd.HeaderMaxSize]byte
	n, _ := r.ReadAt(b[:min(int64(len(b)), size-at)], at)

	var header zstd.Header
	if err := header.Decode(b[:n]); err != nil || header.Skippable || header.FrameContentSize > maxFrameBytes {
		return 0, 0
	}

	// A block's header of three bytes: last, type (2 bits), size (21 bits).
	end := at + int64(header.HeaderSize)
	for last := false; !last; {
		if _, err := r.ReadAt(b[:3], end); err != nil {
			return 0, 0
		}

		block := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		last = block&1 != 0
		switch block >> 1 & 3 {
		case 1: // one byte, repeated
			end += 3 + 1
		case 3: // reserved: this is no frame
			return 0, 0
		default:
			end += 3 + block>>3
		}
	}

	if header.HasCheckSum {
		end += 4
	}
	if end > size {
		return 0, 0
	}
	return end - at, int64(header.FrameContentSize)
}
