package engine

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Options says how to run a job. None of them changes the output.
type Options struct {
	Mappers   int          // map tasks at a time, at least 1
	Reducers  int          // reduce tasks at a time, at least 1
	Memory    int64        // bytes of sorted runs that stay in memory; more go to WorkDir
	WorkDir   string       // for spilled data; "" is the system's temporary folder
	MaxErrors int64        // failures (see RejectError) that do not end the job; -1: any number
	MaxOutput int64        // bytes that the job may write; 0 is no limit
	Log       *slog.Logger // never nil
	Progress  *Progress    // filled while the job runs; may be nil
	Cache     Cache        // of map results; nil: none
	CacheKey  []byte       // identifies the job in Cache: everything that decides what map emits, but for look-ups
	// SameLookups says whether what a cached task has looked up, a Mapper's Lookups, would
	// be the same now. Nil: never, so that only tasks that looked up nothing are cached.
	// Safe for concurrent use.
	SameLookups func(lookups string) bool
	Rejected    func(error) // called with each failure that is tolerated; nil, or safe for concurrent use

	sizes shuffle.Sizes // the same for every job; only tests change them
}

// DefaultOptions uses every processor and 128 MiB.
func DefaultOptions() Options {
	processors := runtime.GOMAXPROCS(0)
	return Options{Mappers: processors, Reducers: processors, Memory: 128 << 20, Log: slog.New(slog.DiscardHandler)}
}

// validate checks the options and fills in what may be missing.
func (o *Options) validate() error {
	switch {
	case o.Mappers < 1:
		return fmt.Errorf("number of mappers must be greater than zero, not %d", o.Mappers)
	case o.Reducers < 1:
		return fmt.Errorf("number of reducers must be greater than zero, not %d", o.Reducers)
	case o.Memory < 0:
		return fmt.Errorf("memory must not be negative, but is %d", o.Memory)
	}

	// What may be missing.
	if o.WorkDir == "" {
		o.WorkDir = os.TempDir()
	}
	if o.Progress == nil {
		o.Progress = &Progress{}
	}

	// Zero unless a test has set them.
	if o.sizes == (shuffle.Sizes{}) {
		o.sizes = shuffle.DefaultSizes()
	}
	return nil
}

// Progress counts what is done; its fields may be read at any time.
type Progress struct {
	Tasks, TasksDone atomic.Int64
	BytesDone        atomic.Int64 // compressed
	Records          atomic.Int64
	Shards, Reduced  atomic.Int64
}

// Stats is what a job did.
type Stats struct {
	TaskStats
	Tasks  int
	Cached int // tasks whose result was in the cache
	Keys   int64
	Rows   int64 // written
	// UndefinedRows is how many of the rows have an undefined cell.
	UndefinedRows int64
	Spilled       int64 // bytes
}

// TaskStats is what one task did.
type TaskStats struct {
	Records  int64 `json:"records"`
	RawBytes int64 `json:"rawBytes"` // decompressed
	Rejected int64 `json:"rejected"` // records
	Failed   int64 `json:"failed"`   // other calls that were rejected
	Emitted  int64 `json:"emitted"`
	// Undefined is how many of the emitted pairs hold undefined, in the key or the value.
	Undefined int64 `json:"undefined,omitempty"`
	// Effects says that mapping has done more than emit; see Mapper.
	Effects bool `json:"effects,omitempty"`
	// Lookups is what mapping has read beside its input; see Mapper. That of a job is "".
	Lookups string `json:"lookups,omitempty"`
	// Columns are the columns that were read of segments in columns, sorted, and
	// ColumnBytes what these took in the files.
	Columns     []string `json:"columns,omitempty"`
	ColumnBytes int64    `json:"columnBytes,omitempty"`
}

// addColumns counts columns that were read.
func (s *TaskStats) addColumns(names []string, bytes int64) {
	s.ColumnBytes += bytes
	for _, name := range names {
		if at, found := slices.BinarySearch(s.Columns, name); !found {
			s.Columns = slices.Insert(s.Columns, at, name)
		}
	}
}

// Add adds what another task did.
func (s *TaskStats) Add(t TaskStats) {
	s.Records += t.Records
	s.RawBytes += t.RawBytes
	s.Rejected += t.Rejected
	s.Failed += t.Failed
	s.Emitted += t.Emitted
	s.Undefined += t.Undefined
	s.Effects = s.Effects || t.Effects
	s.addColumns(t.Columns, t.ColumnBytes)
}
