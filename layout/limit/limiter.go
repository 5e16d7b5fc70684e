package limit

import (
	"cmp"
	"maps"
	"slices"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Limit is how many new values of a kind are admitted for one day of receipt.
type Limit struct {
	PerLog int // by one raw log; 0: any number
	PerDay int // by all raw logs; 0: any number
}

// None says that l admits everything, and that nothing is recorded for it.
func (l Limit) None() bool { return l.PerLog <= 0 && l.PerDay <= 0 }

// The kinds that package layout limits.
const (
	KindPartition  = "partition"  // a partition of records
	KindQuarantine = "quarantine" // a partition of the quarantine, below its class
	KindType       = "type"       // a namespace and a type of its pings
)

// Limiter decides about the values of one raw log. It belongs to one goroutine.
type Limiter struct {
	index   *Index
	source  key
	horizon uint64 // the last number of the index that counts
	sets    map[setName]*set
	order   []setName // of sets, as they came first
	excess  map[string]*Excess
}

// setName names the values of one kind and day.
type setName struct {
	kind string
	day  schema.Date
}

// set is the values of one kind and day that are admitted.
type set struct {
	known map[key]bool // those that the raw log sees, and its own
	added []key        // its own, in order
}

// Admit says whether a value may be used; see the package's documentation. The kind is
// one of the program's, not a client's. An error is the index's.
func (l *Limiter) Admit(kind string, day schema.Date, value string, limit Limit) (bool, error) {
	if limit.None() {
		return true, nil
	}

	name := setName{kind, day}
	values := l.sets[name]
	if values == nil {
		known, err := l.index.load(name, l.horizon)
		if err != nil {
			return false, err
		}
		values = &set{known: known}
		l.sets[name] = values
		l.order = append(l.order, name)
	}

	k := keyOf(value)
	switch {
	case values.known[k]:
		return true, nil
	case limit.PerLog > 0 && len(values.added) >= limit.PerLog, limit.PerDay > 0 && len(values.known) >= limit.PerDay:
		l.exceeded(kind).add(value)
		return false, nil
	}

	values.known[k] = true
	values.added = append(values.added, k)
	return true, nil
}

// Record makes the new values durable. Call it just before the commit. It writes nothing
// if there was nothing to decide.
func (l *Limiter) Record() error {
	if len(l.excess) == 0 && !slices.ContainsFunc(l.order, func(n setName) bool { return len(l.sets[n].added) > 0 }) {
		return nil
	}
	return l.index.record(l)
}

// exceeded returns the Excess of a kind.
func (l *Limiter) exceeded(kind string) *Excess {
	if l.excess[kind] == nil {
		l.excess[kind] = &Excess{}
	}
	return l.excess[kind]
}

// Excess returns how often values were over the limit, by kind and value: the most
// frequent ones, each at least as often as it is said; "" is for the rest. It is empty if
// none were.
func (l *Limiter) Excess() map[string]map[string]int64 {
	listed := map[string]map[string]int64{}
	for kind, excess := range l.excess {
		listed[kind] = excess.list()
	}
	return listed
}

const (
	// maxCandidates bounds the values that an Excess tells apart.
	maxCandidates = 256
	// maxListed is how many of them are listed.
	maxListed = 20
	// maxListedBytes bounds one listed value.
	maxListedBytes = 300
)

// Excess finds the most frequent ones of any number of values in bounded memory, by the
// algorithm of Misra and Gries: a value that comes more than once in maxCandidates times is
// among the candidates.
type Excess struct {
	total      int64
	candidates map[string]int64
}

// add counts a value.
func (e *Excess) add(value string) {
	e.total++
	value = value[:min(len(value), maxListedBytes)]
	if _, known := e.candidates[value]; !known && len(e.candidates) >= maxCandidates {
		// All lose one, and those that have none left make room.
		for candidate := range e.candidates {
			e.candidates[candidate]--
		}
		maps.DeleteFunc(e.candidates, func(_ string, n int64) bool { return n <= 0 })
		return
	}

	if e.candidates == nil {
		e.candidates = map[string]int64{}
	}
	e.candidates[value]++
}

// list returns the counts of the most frequent values, and under "" of the rest.
func (e *Excess) list() map[string]int64 {
	values := slices.SortedFunc(maps.Keys(e.candidates), func(a, b string) int {
		return cmp.Or(cmp.Compare(e.candidates[b], e.candidates[a]), cmp.Compare(a, b))
	})

	listed := map[string]int64{}
	rest := e.total
	for _, value := range values[:min(len(values), maxListed)] {
		listed[value] = e.candidates[value]
		rest -= e.candidates[value]
	}
	if rest > 0 {
		listed[""] = rest
	}
	return listed
}
