package shuffle

import (
	"cmp"
	"slices"
	"strings"
)

// radixGroups is how many groups are sorted by digits of their keys at least;
// fewer are sorted by comparing.
const radixGroups = 512

// sorter sorts groups by key: by eight bytes of each key, digit after digit, then what
// they leave open. It reuses its memory from one sort to the next.
//
// It replaces slices.SortFunc with strings.Compare. TestSort compares the two;
// BenchmarkSort pays for it, see docs/BENCHMARKS.md (2026-11-28).
type sorter struct {
	entries, spare []sortEntry
	out            []*Group
}

type sortEntry struct {
	prefix uint64 // 8 bytes of the key, behind those that all keys share
	group  *Group
}

// sort returns pointers to the groups in the order of their keys, which differ, and
// of which all share the first common bytes.
func (s *sorter) sort(groups []Group, common int) []*Group {
	size := len(groups)
	s.entries = slices.Grow(s.entries[:0], size)[:size]
	s.spare = slices.Grow(s.spare[:0], size)[:size]
	s.out = slices.Grow(s.out[:0], size)[:size]
	for i := range groups {
		group := &groups[i]
		s.entries[i] = sortEntry{keyPrefix(group.key, common), group}
	}

	sortEntries(s.entries, s.spare, common)

	// The prefixes are done with; callers get the groups.
	for i, e := range s.entries {
		s.out[i] = e.group
	}
	return s.out
}

// sortEntries sorts entries, whose prefixes begin at common, by key; spare is as long.
func sortEntries(entries, spare []sortEntry, common int) {
	if len(entries) < radixGroups {
		slices.SortFunc(entries, func(a, b sortEntry) int {
			if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
				return c
			}
			return strings.Compare(a.group.key, b.group.key)
		})
		return
	}

	// Sort by the prefixes alone.
	radixSort(entries, spare)

	// Entries of one prefix are neighbours now; sort them by the rest of their keys.
	for lo := 0; lo < len(entries); {
		hi := lo + 1
		for hi < len(entries) && entries[hi].prefix == entries[lo].prefix {
			hi++
		}
		if hi-lo > 1 {
			sortTied(entries[lo:hi], spare[lo:hi], common)
		}
		lo = hi
	}
}

// sortTied sorts entries of one prefix, which begins at common, by what follows.
func sortTied(entries, spare []sortEntry, common int) {
	first := entries[0].group.key
	shared := len(first)
	for _, e := range entries[1:] {
		shared = commonPrefix(first[:shared], e.group.key)
	}

	// Prefixes have zeros behind a key's end: where keys share nothing beyond common
	// they are equal although the keys differ, and digits do not get any further.
	if len(entries) < radixGroups || shared == common {
		slices.SortFunc(entries, func(a, b sortEntry) int { return strings.Compare(a.group.key, b.group.key) })
		return
	}

	// The keys share more: take the eight bytes behind that, and sort by these.
	for i := range entries {
		entries[i].prefix = keyPrefix(entries[i].group.key, shared)
	}
	sortEntries(entries, spare, shared)
}

// radixSort sorts by prefix, digit after digit from the last; digits that all share
// cost no pass.
func radixSort(entries, spare []sortEntry) {
	// Count every digit of all prefixes in one pass.
	var counts [8][256]int
	for _, e := range entries {
		for d := range counts {
			counts[d][byte(e.prefix>>(8*d))]++
		}
	}

	// Move all entries to their places by one digit, back and forth between the slices.
	from, to := entries, spare
	for d := range counts {
		at := &counts[d]
		if at[byte(from[0].prefix>>(8*d))] == len(from) {
			continue
		}

		// Turn the counts into the places where each digit's entries begin.
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}

		for _, e := range from {
			digit := byte(e.prefix >> (8 * d))
			to[at[digit]] = e
			at[digit]++
		}
		from, to = to, from
	}

	if &from[0] != &entries[0] {
		copy(entries, from)
	}
}

// keyPrefix returns the 8 bytes of key behind the first common as a number, zeros
// behind the key's end. It orders keys that differ there as the keys are ordered.
func keyPrefix[T string | []byte](key T, common int) uint64 {
	rest := key[common:]
	if len(rest) >= 8 {
		return uint64(rest[0])<<56 | uint64(rest[1])<<48 | uint64(rest[2])<<40 | uint64(rest[3])<<32 |
			uint64(rest[4])<<24 | uint64(rest[5])<<16 | uint64(rest[6])<<8 | uint64(rest[7])
	}

	// A short key: fill up with zeros.
	var prefix uint64
	for i := range 8 {
		prefix <<= 8
		if i < len(rest) {
			prefix |= uint64(rest[i])
		}
	}
	return prefix
}

// commonPrefix returns how many leading bytes a and b share.
func commonPrefix(a, b string) int {
	shorter := min(len(a), len(b))
	for i := range shorter {
		if a[i] != b[i] {
			return i
		}
	}
	return shorter
}
