package dedup

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

const (
	entryBytes = 40  // of an entry in memory
	shardCount = 256 // files that entries are spread over when memory is full
)

// entry is one record.
type entry struct {
	ID      segment.ID
	Kind    uint16
	Rank    uint16 // in the kind
	Date    uint32 // YYYYMMDD
	MsOfDay uint32
	Segment uint32 // index in the list
	Record  uint32 // number in the segment
}

// storedBytes is the length of an entry in files.
const storedBytes = len(segment.ID{}) + 20

// append appends the entry as files have it.
func (e *entry) append(b []byte) []byte {
	b = append(b, e.ID[:]...)
	b = binary.LittleEndian.AppendUint16(b, e.Kind)
	b = binary.LittleEndian.AppendUint16(b, e.Rank)
	b = binary.LittleEndian.AppendUint32(b, e.Date)
	b = binary.LittleEndian.AppendUint32(b, e.MsOfDay)
	b = binary.LittleEndian.AppendUint32(b, e.Segment)
	return binary.LittleEndian.AppendUint32(b, e.Record)
}

// parseEntry is the inverse of append.
func parseEntry(b []byte) entry {
	fields := b[len(segment.ID{}):]
	return entry{
		ID:      segment.ID(b),
		Kind:    binary.LittleEndian.Uint16(fields),
		Rank:    binary.LittleEndian.Uint16(fields[2:]),
		Date:    binary.LittleEndian.Uint32(fields[4:]),
		MsOfDay: binary.LittleEndian.Uint32(fields[8:]),
		Segment: binary.LittleEndian.Uint32(fields[12:]),
		Record:  binary.LittleEndian.Uint32(fields[16:]),
	}
}

// compare orders the entries of one document from the earliest to the latest.
func (e *entry) compare(f *entry) int {
	return cmp.Or(
		bytes.Compare(e.ID[:], f.ID[:]), cmp.Compare(e.Kind, f.Kind),
		cmp.Compare(e.Rank, f.Rank), cmp.Compare(e.Date, f.Date), cmp.Compare(e.MsOfDay, f.MsOfDay),
		cmp.Compare(e.Segment, f.Segment), cmp.Compare(e.Record, f.Record),
	)
}

func (e *entry) sameDocument(f *entry) bool { return e.ID == f.ID && e.Kind == f.Kind }

// entrySet collects entries in memory, and in files when they become too many. All
// entries of a document come to the same file, so that each file can be sorted alone.
type entrySet struct {
	workDir     string
	memoryBytes int

	list   []entry
	spread bool // all entries are in files
	shards [shardCount]*os.File
	bufs   [shardCount]*bufio.Writer
}

// add adds a copy of the entry.
func (s *entrySet) add(e *entry) error {
	if s.spread {
		shard := s.bufs[e.ID[15]]
		_, err := shard.Write(e.append(shard.AvailableBuffer()))
		return err
	}

	s.list = append(s.list, *e)
	if len(s.list)*entryBytes < s.memoryBytes {
		return nil
	}
	return s.toFiles()
}

// toFiles moves the entries from memory to files. These lose their names at once, so that
// nothing is left of them after a crash.
func (s *entrySet) toFiles() error {
	dir, err := os.MkdirTemp(s.workDir, "latest-")
	if err != nil {
		return err
	}
	for i := range s.shards {
		if s.shards[i], err = os.Create(fmt.Sprintf("%s/%d", dir, i)); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
		s.bufs[i] = bufio.NewWriterSize(s.shards[i], 32<<10)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}

	// From here on, add writes to the files.
	s.spread = true
	for i := range s.list {
		if err := s.add(&s.list[i]); err != nil {
			return err
		}
	}
	s.list = s.list[:0]
	return nil
}

// eachSet calls use with sets of entries, in which every document is whole. A set is
// valid until use returns.
func (s *entrySet) eachSet(use func([]entry)) error {
	if !s.spread {
		use(s.list)
		return nil
	}

	// One shard at a time is in memory.
	for i := range s.shards {
		if err := s.load(i); err != nil {
			return err
		}
		use(s.list)
	}
	return nil
}

// load reads the entries of a shard back into memory.
func (s *entrySet) load(shard int) error {
	if err := s.bufs[shard].Flush(); err != nil {
		return err
	}

	file := s.shards[shard]
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}

	// The memory of the shard before is used again.
	s.list = slices.Grow(s.list[:0], int(size)/storedBytes)
	stored := bufio.NewReaderSize(file, 1<<20)
	var text [storedBytes]byte
	for range int(size) / storedBytes {
		if _, err := io.ReadFull(stored, text[:]); err != nil {
			return err
		}
		s.list = append(s.list, parseEntry(text[:]))
	}
	return nil
}

// close closes the files, which frees their space.
func (s *entrySet) close() {
	for _, file := range s.shards {
		if file != nil {
			file.Close()
		}
	}
}
