package rawlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
)

// The format of raw logs; FORMAT.md has the pictures. Versions 0 to 2 are the
// predecessor's, 3 is that of our older releases; they are only read. 4 is what Log
// writes.
const (
	// VersionAuto makes a Reader detect the version from the content. Version 0,
	// which cannot be told from noise, is never detected.
	VersionAuto = -1
	// Version is the version that is written.
	Version = 4
	// firstWithSums is the first version whose files have a head and whose entries have
	// sums.
	firstWithSums = 3

	separator        = 0x1e // first byte of an entry since version 1
	maxAddressBytes  = 255  // the address's length is one byte
	entryHeaderBytes = 16   // of a v2 entry: separator, lengths, time
	sumBytes         = 4
	summedBytes      = entryHeaderBytes + sumBytes // from here on the sum covers everything again
	// entryOverhead is what a v4 entry adds to country, path, request and body.
	entryOverhead = summedBytes + 2

	// MaxPathBytes is the longest path an entry may carry; longer means damage.
	MaxPathBytes = 10 << 10
	// DefaultMaxBody is the longest body accepted unless configured otherwise,
	// the predecessor's limit.
	DefaultMaxBody = 200 << 10
	// MaxBodyLimit is the largest value that may be configured. It bounds the
	// memory that one damaged length can make a reader allocate.
	MaxBodyLimit = 16 << 20

	// maxMillis is a receive time that no clock shows (the year 2248); later
	// means damage.
	maxMillis = 1 << 43
)

// ErrVersion is returned by Reader.Next when it cannot detect the version of a raw
// log.
var ErrVersion = errors.New("not recognised as a raw log of version 1, 2, 3 or 4")

// ErrNewer is returned by Reader.Next for a raw log that a later version of this program
// wrote, in a format that this one does not know.
var ErrNewer = errors.New("a newer format, of a later version of this program")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// VersionOf returns the version that a raw log's name states (".v1." to ".v4."), or
// VersionAuto.
func VersionOf(name string) int {
	// A host may be called v1: the first mark counts.
	found, at := VersionAuto, len(name)
	for version, mark := range []string{1: ".v1.", 2: ".v2.", 3: ".v3.", 4: ".v4."} {
		if i := strings.Index(name, mark); mark != "" && i >= 0 && i < at {
			found, at = version, i
		}
	}
	return found
}

// AppendEntry appends the v4 entry of s, as it stands in a file with that salt,
// to dst. The path must not be longer than MaxPathBytes, the body not longer
// than MaxBodyLimit; the address is not written, the country is.
func AppendEntry(dst []byte, sub *Submission, salt uint32) []byte {
	start := len(dst)
	dst = appendEntryHead(dst, sub, len(sub.Body))
	dst = append(dst, sub.Body...)

	// The sum covers what is in front of it, too, so it comes last.
	entry := dst[start:]
	putSum(entry, sumEntry(entry)^salt)
	return dst
}

// appendEntryHead appends a v4 entry up to its body, which will have bodyBytes. Its sum
// is still zero.
func appendEntryHead(dst []byte, sub *Submission, bodyBytes int) []byte {
	dst = append(dst, separator, byte(len(sub.Country)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(sub.Path)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(bodyBytes))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sub.Time.UnixMilli()))
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(sub.Request)))

	dst = append(dst, sub.Country...)
	dst = append(dst, sub.Path...)
	return append(dst, sub.Request...)
}

// sumEntry returns the CRC32C of an entry since version 3 without its sum field.
func sumEntry(entry []byte) uint32 {
	sum := crc32.Update(0, castagnoli, entry[:entryHeaderBytes])
	return crc32.Update(sum, castagnoli, entry[summedBytes:])
}

// putSum stores the sum of an entry since version 3, which the file's salt has been xored into.
func putSum(entry []byte, salted uint32) {
	binary.LittleEndian.PutUint32(entry[entryHeaderBytes:], salted)
}

// entryHeader is the decoded head of an entry of any version.
type entryHeader struct {
	address, path, request, body int // lengths
	fixed                        int // bytes before the address
	millis                       uint64
	sum                          uint32 // since version 3
}

// size returns the length of the whole entry.
func (h entryHeader) size() int { return h.fixed + h.address + h.path + h.request + h.body }

// fixedBytes is how long the fixed part of an entry is, by version.
var fixedBytes = [...]int{16, 15, 16, summedBytes, entryOverhead}

// parseEntryHeader decodes the head of an entry of that version at the start of b,
// of which len(b) >= fixedBytes[version]. It reports whether the head is plausible.
func parseEntryHeader(b []byte, version, maxBody int) (header entryHeader, ok bool) {
	le := binary.LittleEndian
	header.fixed = fixedBytes[version]

	// Lengths stay unsigned until they are checked.
	var path, body uint32
	switch version {
	case 0:
		path = le.Uint32(b)
		body = le.Uint32(b[4:])
		header.millis = le.Uint64(b[8:])
	case 1:
		path = uint32(le.Uint16(b[1:]))
		body = le.Uint32(b[3:])
		header.millis = le.Uint64(b[7:])
	default:
		header.address = int(b[1])
		path = uint32(le.Uint16(b[2:]))
		body = le.Uint32(b[4:])
		header.millis = le.Uint64(b[8:])
	}
	if version >= firstWithSums {
		header.sum = le.Uint32(b[entryHeaderBytes:])
	}
	if version == Version {
		header.request = int(le.Uint16(b[summedBytes:]))
	}

	header.path, header.body = int(path), int(body)
	ok = (version == 0 || b[0] == separator) && path <= MaxPathBytes && uint64(body) <= uint64(maxBody) &&
		header.request <= MaxRequestBytes && header.millis < maxMillis
	return header, ok
}

const (
	// fileHeaderBytes is the length of the head of a raw log since version 3.
	fileHeaderBytes = 32
	fileMagicV3     = "TMRAW3\r\n"
	fileMagic       = "TMRAW4\r\n"
	// flagRecycled says that the file was another raw log before: remains of that,
	// not zeros, may follow the last entry.
	flagRecycled = 1
)

// fileHeader is the head of a raw log since version 3.
type fileHeader struct {
	// version is that of the entries; append writes Version, whatever this is.
	version int
	// salt is xored into every entry's sum, so that neither remains of a recycled
	// file nor an entry that a client put into its body can pass for an entry.
	salt  uint32
	flags uint32
	// size is the length of the finished file in bytes; 0 while it is written.
	size uint64
}

// append appends the encoded head to dst.
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
func parseFileHeader(b []byte) (header fileHeader, ok bool) {
	if len(b) < fileHeaderBytes {
		return header, false
	}
	switch string(b[:len(fileMagic)]) {
	case fileMagic:
		header.version = Version
	case fileMagicV3:
		header.version = firstWithSums
	default:
		return header, false
	}

	le := binary.LittleEndian
	header = fileHeader{version: header.version, salt: le.Uint32(b[8:]), flags: le.Uint32(b[12:]), size: le.Uint64(b[16:])}
	return header, le.Uint32(b[28:]) == crc32.Checksum(b[:28], castagnoli)
}

// isNewer says whether a head is that of a raw log of a later version, and not a damaged
// one of ours.
func isNewer(head []byte) bool {
	if len(head) < fileHeaderBytes || string(head[:5]) != fileMagic[:5] || string(head[6:8]) != fileMagic[6:] {
		return false
	}
	version := head[5]
	if version <= fileMagic[5] || version > '9' {
		return false
	}

	// With a version of ours in its place, its checksum would match.
	for _, magic := range []string{fileMagic, fileMagicV3} {
		ours := append([]byte(magic), head[len(magic):fileHeaderBytes]...)
		if _, ok := parseFileHeader(ours); ok {
			return false
		}
	}
	return true
}

// AppendHead appends the head of a v4 raw log that is not finished to dst, for
// writers other than Log: entries made by AppendEntry with the same salt follow.
func AppendHead(dst []byte, salt uint32) []byte {
	return fileHeader{salt: salt}.append(dst)
}
