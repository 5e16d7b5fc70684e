package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/limit"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
)

// WriterOptions tune a Writer. The zero value has the defaults.
type WriterOptions struct {
	// MemoryBytes bounds the uncompressed records that wait for their frame, over
	// all partitions; 0 means 96 MiB. MaxIDs and about 1 KiB per partition come on top. Open files: one at a time, and eight
	// while Commit syncs.
	MemoryBytes int
	// MaxIDs bounds the IDs of records that are in memory, 20 bytes each; further ones are
	// in staging files until the commit. 0 means 524,288.
	MaxIDs int
}

const (
	defaultMemoryBytes = 96 << 20
	// maxSourceBytes leaves room in a file name for what staging adds.
	maxSourceBytes = 200
	// MaxIDs bounds the IDs of records in memory, of 20 bytes each and some room to grow: of
	// all partitions of a Writer, and of a compaction. Further ones go to files.
	MaxIDs = 1 << 19
)

// Writer publishes the records of one raw log, all or none: readers see nothing
// before Commit. It belongs to one goroutine.
type Writer struct {
	d        *Data
	source   string   // name of the raw log
	dir      string   // staging folder
	lock     *os.File // of dir
	enc      *zstd.Encoder
	parts    map[partKey]*part
	budget   int // bytes
	maxIDs   int
	buffered int // sum of Buffered over parts, bytes
	ids      int // of records, in memory, over all parts
	msOfDay  uint32
	version  int // of the published records
	attached []*attachment
	remove   []string // at the commit, relative to the data folder
	origin   segment.Origin
	replace  bool   // see ReplaceEarlier
	keepAs   string // see KeepDamaged

	clients    []forget.ID      // of the record that is added next
	clientsSet bool             // else they are read from it
	requests   []forget.Request // see Forget

	repeats *dedup.Recorder // nil: see Data.DropRepeats
	limiter *limit.Limiter  // nil: see Data.LimitPartitions
	err     error           // why the Writer cannot go on
}

// partKey names a part: the top folder and the partition below it.
type partKey struct {
	top  string
	dims schema.Dims
}

// part is the segment of one partition, and where it goes.
type part struct {
	*segment.Builder
	staged      string
	final       string // relative to the data folder
	dims        schema.Dims
	quarantined bool
	clients     forget.Collector // of the records
}

// NewWriter starts to publish the raw log with this base name. It discards what an
// earlier, uncommitted try left, and finishes a committed one first. An error
// wraps ErrBusy while another process converts the same raw log.
func (d *Data) NewWriter(source string, o WriterOptions) (*Writer, error) {
	if source == "" || source[0] == '.' || strings.ContainsAny(source, "/\\\x00") || len(source) > maxSourceBytes {
		return nil, fmt.Errorf("raw log %q: not a file name", source)
	}

	w := &Writer{
		d: d, source: source, dir: path.Join(StagingDir, strings.TrimSuffix(source, FinishedSuffix)),
		parts: map[partKey]*part{}, budget: o.MemoryBytes, version: StorageVersion,
	}
	if w.budget <= 0 {
		w.budget = defaultMemoryBytes
	}
	w.maxIDs = o.MaxIDs
	if w.maxIDs <= 0 {
		w.maxIDs = MaxIDs
	}

	if err := w.start(); err != nil {
		return nil, fmt.Errorf("publish %s: %w", source, err)
	}
	return w, nil
}

// start stages the raw log, and makes what the Writer works with.
func (w *Writer) start() error {
	// The lock of the staging folder keeps other processes from the same raw log.
	lock, err := w.d.folder.Stage(w.dir)
	if err != nil {
		return err
	}

	w.enc, err = segment.NewEncoder(zstd.SpeedFastest, segment.FrameBytes)
	if err == nil && w.d.repeats != nil {
		w.repeats, err = w.d.repeats.Recorder(w.source)
	}
	if err == nil && w.d.limits != nil {
		w.limiter, err = w.d.limits.Limiter(w.source)
	}
	if err != nil {
		lock.Close()
		return err
	}

	w.lock = lock
	return nil
}

// SetTime says when the records that follow were received. Deduplication orders
// the records of one document by it.
func (w *Writer) SetTime(t time.Time) {
	// The zero time is midnight UTC, so Truncate gives the beginning of the day.
	t = t.UTC()
	w.msOfDay = uint32(t.Sub(t.Truncate(24*time.Hour)) / time.Millisecond)
}

// SetVersion sets the storage version (see Segment.Version) of the records that are
// added; without it they are of StorageVersion. Call it before Add.
func (w *Writer) SetVersion(version int) { w.version = version }

// SetOrigin says what was read of the raw log: so many bytes with that CRC32C, in which
// there were so many submissions. The segments carry it. Commit removes the raw log
// only if it is still that. Call it before Commit; without it, the segments say nothing.
func (w *Writer) SetOrigin(bytes int64, crc uint32, submissions int64) {
	w.origin = segment.Origin{Source: w.source, Bytes: bytes, CRC: crc, Submissions: submissions}
}

// KeepDamaged makes Commit move the raw log to a folder for damaged files, instead of
// removing it, and returns where it will be, relative to the data folder: not all of it
// could be read.
func (w *Writer) KeepDamaged() string {
	name := path.Join(DamagedDir, RawDir, w.source)
	w.keepAs = name
	for n := 2; ; n++ {
		// Earlier damaged files of this name stay as they are.
		if _, err := w.d.folder.Root.Lstat(w.keepAs); errors.Is(err, fs.ErrNotExist) {
			return w.keepAs
		}
		w.keepAs = fmt.Sprintf("%s.%d", name, n)
	}
}

// ReplaceEarlier makes Commit replace what the source published before, instead of
// adding to it what is not there. Call it if the source is named after its content, so
// that both were made from the same.
func (w *Writer) ReplaceEarlier() { w.replace = true }

// Repeated says whether the same body (or what stands for it) was received under the same ID within some days
// before or after, in this raw log or another one that was published, so that it must
// not be published again.
// Otherwise Commit records it. It is false without Data.DropRepeats.
func (w *Writer) Repeated(id, body []byte, received time.Time) (bool, error) {
	if w.repeats == nil || w.err != nil {
		return false, w.err
	}

	return w.repeats.Repeated(id, body, received)
}

// Conflicts returns how many submissions had the ID of another one with another body; see
// dedup.Recorder.
func (w *Writer) Conflicts() int64 {
	if w.repeats == nil {
		return 0
	}
	return w.repeats.Conflicts()
}

// ForgetRepeats removes from the index of repeats what earlier conversions of this raw
// log recorded and did not publish. It is for a raw log that goes on under other names,
// which would find themselves there.
func (w *Writer) ForgetRepeats() error {
	if w.repeats == nil || w.err != nil {
		return w.err
	}

	return w.repeats.Forget()
}

// Add appends a record to the partition p, which Schema.Partition returned. id
// and json are copied; neither may hold a newline, id no tab, and the date must be
// YYYYMMDD. A new partition that is over the limit of Data.LimitPartitions becomes its
// overflow. The Writer stays usable after an error that wraps ErrBadRecord or
// ErrRecordTooLarge; not after one that comes from the disk.
func (w *Writer) Add(p schema.Dims, id, json []byte) error {
	return w.add(p, PublishedDir, id, json)
}

// AddRejected appends a submission to the quarantine, published by the same Commit.
func (w *Writer) AddRejected(q Rejected) error {
	// JSON would replace the bytes that are not UTF-8.
	if !utf8.ValidString(q.Path) {
		q.PathBytes = []byte(q.Path)
	}
	doc, err := json.Marshal(q)
	if err != nil {
		return err
	}

	// The ID of a rejected submission may be anything; its line must not break.
	id := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return '_'
		}
		return r
	}, q.ID())
	if id == "" {
		id = schema.Unknown
	}

	// Its time is its own; the one that was set is that of the records.
	ofRecords := w.msOfDay
	defer func() { w.msOfDay = ofRecords }()
	w.SetTime(q.Time)

	return w.add(w.d.schema.Partition(q.dims()), classDir(q.Class), []byte(id), doc)
}

// add appends a record to the partition p below the folder top.
func (w *Writer) add(p schema.Dims, top string, id, json []byte) error {
	if w.err != nil {
		return w.err
	}

	// Readers split at newlines and at the first tab of a line.
	if len(id) == 0 || len(json) == 0 || bytes.ContainsAny(id, "\t\n\r") || bytes.IndexByte(json, '\n') >= 0 {
		return fmt.Errorf("record %.80q: %w", id, ErrBadRecord)
	}
	lineBytes := len(id) + len(json) + 2
	if lineBytes > segment.MaxRecordBytes {
		return fmt.Errorf("record %.80q of %d bytes: %w", id, lineBytes, ErrRecordTooLarge)
	}

	target, err := w.admittedPart(top, p)
	if err != nil {
		return err
	}

	// What is quarantined is packed: it is read.
	if !target.quarantined {
		if !w.clientsSet {
			w.clients, _ = forget.Clients(w.clients[:0], json)
		}
		target.clients.Add(w.clients)
		w.clientsSet = false
	}

	// Only the growth of the buffer is known: Add may write the frame, or not.
	before := target.Buffered()
	w.err = target.Add(id, json, w.msOfDay)
	w.buffered += target.Buffered() - before
	w.ids++
	if w.buffered > w.budget && w.err == nil {
		w.err = w.spill()
	}
	if w.ids > w.maxIDs && w.err == nil {
		w.err = w.spillIDs()
	}

	if w.err != nil {
		w.err = fmt.Errorf("publish %s: %w", w.source, w.err)
	}
	return w.err
}

// admittedPart returns the part of a partition below the folder top, or that of its
// overflow if the partition is over the limit of new ones.
func (w *Writer) admittedPart(top string, p schema.Dims) (*part, error) {
	if known, ok := w.parts[partKey{top, p}]; ok {
		return known, nil
	}

	// Whatever is in a path that begins with a namespace is new to the schema.
	if top == PublishedDir && w.d.schema.IsNamespace(p) {
		admitted, err := w.Admit(limit.KindType, schema.Date(p[schema.SubmissionDate]), p[schema.AppName]+"/"+p[schema.Reason], w.d.maxTypes)
		if err != nil {
			return nil, err
		}
		if !admitted {
			p = schema.WithoutNamespace(p)
		}
	}

	// The partitions of a class of the quarantine are files of their own.
	kind, value := limit.KindPartition, p.String()
	if top != PublishedDir {
		kind, value = limit.KindQuarantine, path.Base(top)+"/"+value
	}

	overflow := w.d.schema.Overflow(p)
	if overflow != p {
		admitted, err := w.Admit(kind, schema.Date(p[schema.SubmissionDate]), value, w.d.maxPartitions)
		if err != nil {
			return nil, err
		}
		if !admitted {
			p = overflow
		}
	}
	return w.part(top, p)
}

// Admit says whether a value that came from outside may be used, as package limit
// describes; what is admitted is recorded with the commit. Without Data.LimitPartitions
// everything is. Call it in the order of the raw log.
func (w *Writer) Admit(kind string, day schema.Date, value string, l limit.Limit) (bool, error) {
	if w.limiter == nil || w.err != nil {
		return true, w.err
	}

	admitted, err := w.limiter.Admit(kind, day, value, l)
	if err != nil {
		w.err = fmt.Errorf("publish %s: %w", w.source, err)
	}
	return admitted, w.err
}

// Excess returns how often values were over their limits so far, by kind and value; see
// limit.Limiter.
func (w *Writer) Excess() map[string]map[string]int64 {
	if w.limiter == nil {
		return nil
	}
	return w.limiter.Excess()
}

// part returns the part of a partition below the folder top, a new one if need be.
func (w *Writer) part(top string, p schema.Dims) (*part, error) {
	key := partKey{top, p}
	if known, ok := w.parts[key]; ok {
		return known, nil
	}

	// The caller got p from Schema.Partition; a value that is not clean is a bug that
	// must not become a path.
	for dim, value := range p {
		if value != schema.Sanitise(dim, value) {
			return nil, fmt.Errorf("partition %q: value %q is not sanitised", p, value)
		}
	}
	if !schema.Date(p[schema.SubmissionDate]).WellFormed() {
		return nil, fmt.Errorf("submission date %q is not YYYYMMDD: %w", p[schema.SubmissionDate], ErrBadRecord)
	}

	// Quarantined submissions are not records of an older version, whatever is imported.
	quarantined := top != PublishedDir
	version := w.version
	if quarantined {
		version = StorageVersion
	}

	// A part of a client's path would keep all of it in memory.
	for dim := range p {
		p[dim] = strings.Clone(p[dim])
	}
	key.dims = p

	staged := path.Join(w.dir, strconv.Itoa(len(w.parts)))
	builder, err := segment.NewBuilder(w.d.folder.Appender(staged), w.enc)
	if err != nil {
		return nil, err
	}

	added := &part{
		Builder:     builder,
		staged:      staged,
		final:       path.Join(top, segmentName(p, version, uniqueOf(w.source, nil))),
		dims:        p,
		quarantined: quarantined,
	}
	w.parts[key] = added
	return added, nil
}

// Abort gives up: what was staged is removed, the raw log stays. It does
// nothing after Commit.
func (w *Writer) Abort() error {
	if w.lock == nil {
		return nil
	}

	// The lock is held until the folder is gone.
	err := w.d.folder.Unstage(w.dir)
	w.close(errors.New("layout: Writer used after Abort"))
	return err
}

// close releases everything; a later use of the Writer returns reason, unless an error
// ended it before. It may be called twice.
func (w *Writer) close(reason error) {
	if w.err == nil {
		w.err = reason
	}
	if w.lock == nil {
		return
	}

	if w.repeats != nil {
		w.repeats.Close() // all its writes are done
	}
	w.enc.Close()
	w.lock.Close()
	w.lock = nil
	w.parts = nil
}
