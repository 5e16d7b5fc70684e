package dedup

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
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

// entry is one record. Entries are written to files by encoding/binary, which needs
// exported fields of fixed size.
type entry struct {
	ID      segment.ID
	Kind    uint16
	Rank    uint16 // in the kind
	Date    uint32 // YYYYMMDD
	MsOfDay uint32
	Segment uint32 // index in the list
	Record  uint32 // number in the segment
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
	dir    string // of the shards; "" while all entries are in memory
	shards [shardCount]*os.File
	bufs   [shardCount]*bufio.Writer
}

// add adds a copy of the entry.
func (s *entrySet) add(e *entry) error {
	if s.dir != "" {
		return binary.Write(s.bufs[e.ID[15]], binary.LittleEndian, e)
	}

	s.list = append(s.list, *e)
	if len(s.list)*entryBytes < s.memoryBytes {
		return nil
	}
	return s.spread()
}

// spread moves the entries from memory to files.
func (s *entrySet) spread() error {
	dir, err := os.MkdirTemp(s.workDir, "latest-")
	if err != nil {
		return err
	}

	s.dir = dir
	for i := range s.shards {
		if s.shards[i], err = os.Create(fmt.Sprintf("%s/%d", s.dir, i)); err != nil {
			return err
		}
		s.bufs[i] = bufio.NewWriterSize(s.shards[i], 32<<10)
	}

	// With dir set, add writes to the files.
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
	if s.dir == "" {
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
	count := int(size) / binary.Size(entry{})
	s.list = slices.Grow(s.list[:0], count)[:count]
	return binary.Read(bufio.NewReaderSize(file, 1<<20), binary.LittleEndian, s.list)
}

// close removes the files.
func (s *entrySet) close() {
	if s.dir == "" {
		return
	}

	for _, file := range s.shards {
		if file != nil {
			file.Close()
		}
	}
	os.RemoveAll(s.dir)
}
