package dedup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxClaims is how many claims are in memory, at some 90 bytes each, before they go to a
// file. A raw log of pings of 2 kB has as many.
const maxClaims = 1 << 18

// claim says that a raw log has a submission, received on that day.
type claim struct {
	key key
	day uint32 // as the number YYYYMMDD
}

const claimBytes = len(key{}) + 4

func (c *claim) compare(d *claim) int {
	return cmp.Or(bytes.Compare(c.key[:], d.key[:]), cmp.Compare(c.day, d.day))
}

// claims are the submissions that a raw log was the first to have. Most are in a file if
// there are very many: sorted runs, each with a filter in memory of 1.3 bytes a claim, which
// spares nearly all reads. It is not safe for concurrent use.
type claims struct {
	root *os.Root
	name string // of the file, which has no name any more once it is open
	max  int    // claims in memory

	recent map[key]uint32   // the day of a key
	more   map[key][]uint32 // its further days; there are hardly any
	ids    map[idKey]uint32 // the last day of an ID of these
	count  int              // of both

	file *os.File // nil: no run
	runs []run
}

// run is a sorted part of the file.
type run struct {
	start  int64 // offset in the file
	claims int
	filter filter
}

func newClaims(root *os.Root, name string, maximum int) *claims {
	return &claims{root: root, name: name, max: maximum, recent: map[key]uint32{}, more: map[key][]uint32{}, ids: map[idKey]uint32{}}
}

// has says whether there is a claim of a key from the first day to the last.
func (c *claims) has(k key, first, last uint32) (bool, error) {
	if day, ok := c.recent[k]; ok {
		if first <= day && day <= last {
			return true, nil
		}
		for _, day := range c.more[k] {
			if first <= day && day <= last {
				return true, nil
			}
		}
	}

	for i := range c.runs {
		found, err := c.inRun(&c.runs[i], k, first, last)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// hasID says whether there is a claim in memory of an ID from the first day to the last.
func (c *claims) hasID(id idKey, first, last uint32) bool {
	day, ok := c.ids[id]
	return ok && first <= day && day <= last
}

// add adds a claim.
func (c *claims) add(k key, day uint32) error {
	c.ids[k.id()] = day
	if _, ok := c.recent[k]; ok {
		c.more[k] = append(c.more[k], day)
	} else {
		c.recent[k] = day
	}

	c.count++
	if c.count < c.max {
		return nil
	}
	return c.spill()
}

// sortedRecent returns the claims in memory, sorted.
func (c *claims) sortedRecent() []claim {
	sorted := make([]claim, 0, c.count)
	for k, day := range c.recent {
		sorted = append(sorted, claim{k, day})
	}
	for k, days := range c.more {
		for _, day := range days {
			sorted = append(sorted, claim{k, day})
		}
	}
	slices.SortFunc(sorted, func(a, b claim) int { return a.compare(&b) })
	return sorted
}

// spill moves the claims from memory to a new run of the file.
func (c *claims) spill() error {
	if c.file == nil {
		if err := c.openFile(); err != nil {
			return err
		}
	}

	start, err := c.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	added := run{start: start, claims: c.count, filter: newFilter(c.count)}
	text := make([]byte, 0, c.count*claimBytes)
	for _, one := range c.sortedRecent() {
		text = append(text, one.key[:]...)
		text = binary.BigEndian.AppendUint32(text, one.day)
		added.filter.add(one.key)
	}
	if _, err := c.file.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", c.name, err)
	}

	c.runs = append(c.runs, added)
	clear(c.recent)
	clear(c.more)
	clear(c.ids)
	c.count = 0
	return nil
}

// openFile makes the file. It loses its name at once, so that nothing is left of it after
// a crash.
func (c *claims) openFile() error {
	file, err := c.root.OpenFile(c.name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	if err := c.root.Remove(c.name); err != nil {
		return errors.Join(err, file.Close())
	}
	c.file = file
	return nil
}

// searchBlock is how many claims one read has.
const searchBlock = 200

// inRun is has for one run. Keys are hashes, which are spread evenly, so that the place of
// one is nearly known.
func (c *claims) inRun(r *run, k key, first, last uint32) (bool, error) {
	if !r.filter.has(k) {
		return false, nil
	}

	// The first claim that is not before the wanted one lies between low and high.
	wanted := claim{k, first}
	low, high := 0, r.claims
	guess := int(float64(binary.BigEndian.Uint64(k[:])) / (1 << 64) * float64(r.claims))
	var block [searchBlock]claim
	for low < high {
		// Read around the guess, and in the middle if that did not help.
		from := max(low, min(guess, high-1)-searchBlock/2)
		read := block[:min(searchBlock, high-from)]
		if err := c.read(r, from, read); err != nil {
			return false, err
		}

		at, _ := slices.BinarySearchFunc(read, wanted, func(a, b claim) int { return a.compare(&b) })
		switch {
		case at == len(read):
			low = from + len(read)
		case at == 0 && from > low:
			high = from
		default:
			return read[at].key == k && read[at].day <= last, nil
		}
		guess = (low + high) / 2
	}

	// It may be the first one of a block that ended before it.
	if low >= r.claims {
		return false, nil
	}
	if err := c.read(r, low, block[:1]); err != nil {
		return false, err
	}
	return block[0].key == k && block[0].day <= last, nil
}

// read reads claims of a run, from the one with that number on.
func (c *claims) read(r *run, from int, into []claim) error {
	text := make([]byte, len(into)*claimBytes)
	if _, err := c.file.ReadAt(text, r.start+int64(from)*int64(claimBytes)); err != nil {
		return fmt.Errorf("read %s: %w", c.name, err)
	}
	for i := range into {
		into[i] = parseClaim(text[i*claimBytes:])
	}
	return nil
}

func parseClaim(text []byte) claim {
	return claim{key(text[:len(key{})]), binary.BigEndian.Uint32(text[len(key{}):])}
}

// mergeBlock is how many claims of each run are in memory while they are merged.
const mergeBlock = 4096

// all walks all claims in their order; it ends after an error.
func (c *claims) all() iter.Seq2[claim, error] {
	return func(yield func(claim, error) bool) {
		// The head of each list is its smallest claim; lists are few.
		recent := c.sortedRecent()
		lists := []*list{{claims: recent}}
		for i := range c.runs {
			lists = append(lists, &list{from: c, run: &c.runs[i]})
		}

		for {
			var least *list
			for _, l := range lists {
				if err := l.fill(); err != nil {
					yield(claim{}, err)
					return
				}
				if len(l.claims) > 0 && (least == nil || l.claims[0].compare(&least.claims[0]) < 0) {
					least = l
				}
			}
			if least == nil || !yield(least.claims[0], nil) {
				return
			}
			least.claims = least.claims[1:]
		}
	}
}

// list is sorted claims on their way into a merge.
type list struct {
	claims []claim // those that come next
	from   *claims // with a run, of which the next block follows
	run    *run
	next   int
	block  []claim
}

// fill reads the next block if there are no claims left.
func (l *list) fill() error {
	if len(l.claims) > 0 || l.run == nil || l.next == l.run.claims {
		return nil
	}

	if l.block == nil {
		l.block = make([]claim, mergeBlock)
	}
	l.claims = l.block[:min(mergeBlock, l.run.claims-l.next)]
	err := l.from.read(l.run, l.next, l.claims)
	l.next += len(l.claims)
	return err
}

// close removes the file.
func (c *claims) close() error {
	c.recent, c.more, c.ids, c.runs, c.count = nil, nil, nil, nil, 0
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

// filter is a Bloom filter of keys: of those that are not in it, it knows 99 in 100.
type filter []uint64

const (
	filterBits  = 10 // for each key
	filterTests = 7
)

func newFilter(keys int) filter { return make(filter, keys*filterBits/64+1) }

// place returns the word and the bit of a key's i-th test. A key is a hash, so two parts
// of it make as many independent ones as are needed.
func (f filter) place(k key, i uint64) (word uint64, bit uint64) {
	at := (binary.BigEndian.Uint64(k[:]) + i*binary.BigEndian.Uint64(k[8:])) % uint64(64*len(f))
	return at / 64, at % 64
}

func (f filter) add(k key) {
	for i := range uint64(filterTests) {
		word, bit := f.place(k, i)
		f[word] |= 1 << bit
	}
}

func (f filter) has(k key) bool {
	for i := range uint64(filterTests) {
		if word, bit := f.place(k, i); f[word]>>bit&1 == 0 {
			return false
		}
	}
	return true
}

// dayNumber returns a date as a number, in which dates are in order.
func dayNumber(day schema.Date) uint32 {
	n, _ := strconv.ParseUint(string(day), 10, 32) // the dates of receipts have eight digits
	return uint32(n)
}

// dayOf is the inverse of dayNumber.
func dayOf(number uint32) schema.Date { return schema.Date(fmt.Sprintf("%08d", number)) }
