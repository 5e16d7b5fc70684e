package segment

import (
	"bufio"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
)

// idBlockBytes is how much of an ID index is read at once: the IDs of 50,000 records.
const idBlockBytes = 1 << 20

// IDReader reads the ID index of a segment, from the first record to the last. It has one
// block in memory, however many records there are.
type IDReader struct {
	ids, times io.Reader
	left       int64 // records
}

// IDs checks the ID index, and returns what reads it. r must stay open meanwhile.
func (ix *Index) IDs(r io.ReaderAt) (*IDReader, error) {
	size := ix.Records * entryBytes
	block := make([]byte, min(size, idBlockBytes))
	sum := crc32.New(crcTable)
	for at := int64(0); at < size; at += int64(len(block)) {
		block = block[:min(int64(len(block)), size-at)]
		n, err := r.ReadAt(block, ix.idsAt+at)
		if n < len(block) && err != nil && err != io.EOF {
			return nil, err
		}

		// The sum of a file that is too short does not match.
		sum.Write(block[:n])
	}
	if sum.Sum32() != ix.idsCRC {
		return nil, &CorruptError{Offset: ix.idsAt, Err: errors.New("checksum of the ID index does not match")}
	}

	// All IDs come before all times. Most indexes are in memory now.
	idsSize := ix.Records * idBytes
	if size == int64(len(block)) {
		return &IDReader{bytes.NewReader(block[:idsSize]), bytes.NewReader(block[idsSize:]), ix.Records}, nil
	}
	return &IDReader{
		ids:   bufio.NewReaderSize(io.NewSectionReader(r, ix.idsAt, idsSize), idBlockBytes/2),
		times: bufio.NewReaderSize(io.NewSectionReader(r, ix.idsAt+idsSize, size-idsSize), idBlockBytes/8),
		left:  ix.Records,
	}, nil
}

// Next returns the IDs of the next records: of so many, or of all that are left. They belong
// to the caller.
func (r *IDReader) Next(records int) (IDs, error) {
	count := min(int64(records), r.left)
	r.left -= count
	next := IDs{make([]byte, count*idBytes), make([]byte, count*(entryBytes-idBytes))}
	_, err := io.ReadFull(r.ids, next.ids)
	if err == nil {
		_, err = io.ReadFull(r.times, next.times)
	}
	return next, err
}

// Each calls use with the IDs of all records that are left, part by part.
func (r *IDReader) Each(use func(IDs) error) error {
	for r.left > 0 {
		ids, err := r.Next(idBlockBytes / entryBytes)
		if err == nil {
			err = use(ids)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
