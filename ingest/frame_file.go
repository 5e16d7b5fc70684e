package ingest

import (
	"encoding/binary"
	"hash/crc32"
)

// fileHeaderBytes is the length of the head of a v3 raw log.
const fileHeaderBytes = 32

const fileMagic = "TMRAW3\r\n"

// flagRecycled says that the file had another life: what follows its last frame
// may be remains of that, not zeros.
const flagRecycled = 1

// fileHeader is the head of a v3 raw log.
type fileHeader struct {
	// salt is xored into every frame's sum, so that neither remains of a recycled
	// file nor a frame that a client put into its body can pass for a frame.
	salt  uint32
	flags uint32
	// size is the length of the finished file in bytes; 0 while it is written.
	size uint64
}

func (h fileHeader) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, fileMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, h.salt)
	dst = binary.LittleEndian.AppendUint32(dst, h.flags)
	dst = binary.LittleEndian.AppendUint64(dst, h.size)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseFileHeader decodes the head at the start of b; ok says whether it is whole.
func parseFileHeader(b []byte) (h fileHeader, ok bool) {
	if len(b) < fileHeaderBytes || string(b[:len(fileMagic)]) != fileMagic {
		return h, false
	}
	le := binary.LittleEndian
	h = fileHeader{salt: le.Uint32(b[8:]), flags: le.Uint32(b[12:]), size: le.Uint64(b[16:])}
	return h, le.Uint32(b[28:]) == crc32.Checksum(b[:28], castagnoli)
}

// AppendHead appends the head of a v3 raw log that is still written to dst, for
// writers other than Log: frames made by AppendFrame with the same salt follow.
// A reader takes such a file as one that was never finished.
func AppendHead(dst []byte, salt uint32) []byte {
	return fileHeader{salt: salt}.append(dst)
}
