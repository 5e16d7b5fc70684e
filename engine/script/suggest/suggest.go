// Package suggest finds what a wrong name may have meant: in goes a name that is
// not known, and those that are; out comes the nearest.
package suggest

import "strings"

// Nearest returns the candidate that differs from name by at most a third of its
// letters, the first of the nearest, or "".
func Nearest(name string, candidates []string) string {
	best, least := "", len(name)/3+1
	for _, candidate := range candidates {
		changes := distance(strings.ToLower(name), strings.ToLower(candidate))
		if changes < least || changes == least && best == "" {
			best, least = candidate, changes
		}
	}

	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b of a (the optimal string alignment distance).
func distance(a, b string) int {
	// Three rows of the table of distances between prefixes: a swap needs the row
	// before the last.
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}

	for j := range rows[1] {
		rows[1][j] = j
	}

	for i := 1; i <= len(a); i++ {
		before, previous, current := rows[0], rows[1], rows[2]
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)

			swapped := i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1]
			if swapped {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		rows = [3][]int{previous, current, before}
	}

	return rows[1][len(b)]
}
