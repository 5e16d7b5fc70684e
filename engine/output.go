package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// Sink formats what the reducers write. It is called by one goroutine, in the
// order of the output. Arguments are valid until the call returns.
type Sink interface {
	// Row takes a key and a value, both data.
	Row(key, value []byte) error
	// Line takes a text that the script has formatted itself.
	Line(text []byte) error
	// Record takes an array datum, whose elements are the columns.
	Record(columns []byte) error
	// CSVRecord takes the same for a line of CSV, which a format without lines of text
	// writes as Record.
	CSVRecord(columns []byte) error
	// EndPreamble is called once, behind what the job writes before its first key, such as
	// a head: the rows to come are its result.
	EndPreamble() error
	// Separators sets the field and the record separator of the rows to come.
	Separators(field, record string) error
	// Close writes what is left. It does not close the underlying writer.
	Close() error
}

// ErrOutputLimit is returned when a job writes more than Options.MaxOutput.
var ErrOutputLimit = errors.New("the output exceeds its limit")

// spoolBytes is how much of a shard's output waits in memory for its turn.
const spoolBytes = 16 << 20

// Output is where one reducer writes. Not safe for concurrent use.
type Output struct {
	sink   Sink // nil: spool
	drop   bool // in the preamble of a shard but the first
	dir    string
	budget *outputBudget
	spools *spools

	// The spool is what lies in the file, then what lies in memory.
	file     *os.File
	inFile   int64
	inMemory []byte

	rows      int64
	undefined int64 // rows that have an undefined cell
	spent     int64 // of the budget
}

// entryKind is the first byte of a spooled entry; two fields of uvarint length and
// bytes follow.
type entryKind byte

const (
	entryRow entryKind = iota
	entryLine
	entryRecord
	entrySeparators
	entryCSVRecord
	entryEndPreamble
)

// Rows returns how many rows, lines and records have been written.
func (o *Output) Rows() int64 { return o.rows }

// Row writes a key and its value.
func (o *Output) Row(key, value []byte) error { return o.write(entryRow, key, value) }

// Line writes text as it is, then a newline if the format has lines.
func (o *Output) Line(text []byte) error { return o.write(entryLine, text, nil) }

// Record writes an array datum as columns.
func (o *Output) Record(columns []byte) error { return o.write(entryRecord, columns, nil) }

// CSVRecord writes an array datum as a line of CSV, where the format is text.
func (o *Output) CSVRecord(columns []byte) error { return o.write(entryCSVRecord, columns, nil) }

// endPreamble ends what is written before the first key.
func (o *Output) endPreamble() error { return o.write(entryEndPreamble, nil, nil) }

// Separators sets the separators of this and, being the same script, all shards.
func (o *Output) Separators(field, record string) error {
	return o.write(entrySeparators, []byte(field), []byte(record))
}

// write delivers an entry to the sink, or spools it.
func (o *Output) write(kind entryKind, a, b []byte) error {
	// Separators are needed for the rows of every shard, even in a preamble.
	if o.drop && kind != entrySeparators {
		return nil
	}

	// The budget is shared, so a job that writes too much ends whichever shard that is.
	size := int64(len(a) + len(b))
	if err := o.budget.spend(size); err != nil {
		return err
	}
	o.spent += size
	if kind != entrySeparators && kind != entryEndPreamble {
		o.rows++
	}

	// Undefined values are counted, because a mistyped field looks like them.
	if kind == entryRow && (datum.HasUndefined(a) || datum.HasUndefined(b)) || (kind == entryRecord || kind == entryCSVRecord) && datum.HasUndefined(a) {
		o.undefined++
	}

	if o.sink != nil {
		return deliver(o.sink, kind, a, b)
	}

	// The spool holds the kind, then both fields, each behind its length.
	if o.inMemory == nil {
		o.inMemory = o.spools.get()
	}
	o.inMemory = append(o.inMemory, byte(kind))
	o.inMemory = append(binary.AppendUvarint(o.inMemory, uint64(len(a))), a...)
	o.inMemory = append(binary.AppendUvarint(o.inMemory, uint64(len(b))), b...)

	if len(o.inMemory) >= spoolBytes {
		return o.spill()
	}
	return nil
}

// spill moves what lies in memory to the file.
func (o *Output) spill() error {
	if o.file == nil {
		file, err := os.CreateTemp(o.dir, "tmrun-output-*")
		if err != nil {
			return fmt.Errorf("create output spool: %w", err)
		}
		os.Remove(file.Name()) // the open file stays readable; nothing is left behind
		o.file = file
	}

	written, err := o.file.WriteAt(o.inMemory, o.inFile)
	o.inFile += int64(written)
	o.inMemory = o.inMemory[:0]

	if err != nil {
		return fmt.Errorf("spool output to %s: %w", o.dir, err)
	}
	return nil
}

// mark is a place in a spooled output.
type mark struct{ at, rows, undefined, spent int64 }

// mark returns the place behind what has been written.
func (o *Output) mark() mark {
	return mark{o.inFile + int64(len(o.inMemory)), o.rows, o.undefined, o.spent}
}

// rollBack removes what was spooled behind m.
func (o *Output) rollBack(m mark) {
	// The place is in memory, or in the part that was moved to the file.
	if m.at >= o.inFile {
		o.inMemory = o.inMemory[:m.at-o.inFile]
	} else {
		o.inFile = m.at
		o.inMemory = o.inMemory[:0]
	}

	o.budget.refund(o.spent - m.spent)
	o.rows = m.rows
	o.undefined = m.undefined
	o.spent = m.spent
}

// deliver calls the sink's method for an entry.
func deliver(s Sink, kind entryKind, a, b []byte) error {
	switch kind {
	case entryRow:
		return s.Row(a, b)
	case entryLine:
		return s.Line(a)
	case entryRecord:
		return s.Record(a)
	case entryCSVRecord:
		return s.CSVRecord(a)
	case entryEndPreamble:
		return s.EndPreamble()
	default:
		return s.Separators(string(a), string(b))
	}
}

// replay delivers what was spooled and frees the spool.
func (o *Output) replay(sink Sink) error {
	defer o.close()

	// What lies in the file comes before what lies in memory.
	var r io.Reader = bytes.NewReader(o.inMemory)
	if o.file != nil {
		r = io.MultiReader(io.NewSectionReader(o.file, 0, o.inFile), r)
	}

	spool := bufio.NewReaderSize(r, 64<<10)
	var a, b []byte // reused from entry to entry
	for {
		kind, err := spool.ReadByte()
		if err == io.EOF {
			return nil
		}

		if err == nil {
			a, err = readField(spool, a)
		}
		if err == nil {
			b, err = readField(spool, b)
		}
		if err != nil {
			return fmt.Errorf("read output spool: %w", err)
		}

		if err := deliver(sink, entryKind(kind), a, b); err != nil {
			return err
		}
	}
}

// readField reads a length and so many bytes, into b where it is large enough.
func readField(spool *bufio.Reader, buf []byte) ([]byte, error) {
	size, err := binary.ReadUvarint(spool)
	if err != nil {
		return buf, err
	}

	if uint64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err = io.ReadFull(spool, buf)
	return buf, err
}

// close frees the spool.
func (o *Output) close() {
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}

	if o.inMemory != nil {
		o.spools.put(o.inMemory)
		o.inMemory = nil
	}
}

// spools are the buffers in which the output of one shard after the other waits. Safe
// for concurrent use.
//
// They replace growing a buffer up to spoolBytes for every shard. TestOutputRollsBack and
// TestRunSpillsAndShards run on buffers that were used before; BenchmarkKeys, a key each,
// pays for them, see docs/BENCHMARKS.md (2026-11-28).
type spools struct{ pool sync.Pool }

// get returns an empty buffer.
func (s *spools) get() []byte {
	if buf, ok := s.pool.Get().(*[]byte); ok {
		return *buf
	}
	return nil
}

// put makes a buffer empty and free.
func (s *spools) put(buf []byte) {
	buf = buf[:0]
	s.pool.Put(&buf)
}

// outputBudget counts the bytes that all reducers write. Safe for concurrent use.
type outputBudget struct {
	left      atomic.Int64
	unlimited bool
}

// newOutputBudget returns a budget of so many bytes; 0 is no limit.
func newOutputBudget(bytes int64) *outputBudget {
	budget := &outputBudget{unlimited: bytes <= 0}
	budget.left.Store(bytes)
	return budget
}

// spend returns ErrOutputLimit when the budget is used up.
func (b *outputBudget) spend(bytes int64) error {
	if b.unlimited || b.left.Add(-bytes) >= 0 {
		return nil
	}
	return ErrOutputLimit
}

// refund gives back what was spent.
func (b *outputBudget) refund(bytes int64) { b.left.Add(bytes) }
