package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// A version of an application is numbers separated by dots, the last of which may
// have letters behind it: 29.0a1 comes before 29.0b2, and both before 29.0.

// versionPart is one of the parts between dots.
type versionPart struct {
	number  int64
	release bool   // no letters follow
	letters string // such as "a" of 0a1
	count   int64  // such as 1 of 0a1
}

// parseVersion splits a version; ok is false for text that is not a version.
func parseVersion(version string) (parts []versionPart, ok bool) {
	for _, text := range strings.Split(version, ".") {
		digits := strings.TrimLeft(text, "0123456789")
		number, err := strconv.ParseInt(text[:len(text)-len(digits)], 10, 64)
		if err != nil {
			return nil, false
		}

		rest := strings.TrimRight(digits, "0123456789")
		part := versionPart{number: number, release: digits == "", letters: rest}
		if count := digits[len(rest):]; count != "" {
			if part.count, err = strconv.ParseInt(count, 10, 64); err != nil {
				return nil, false
			}
		}
		parts = append(parts, part)
	}

	return parts, true
}

// compare orders parts: by number, then what has letters before what has none.
func (p versionPart) compare(q versionPart) int {
	switch {
	case p.number != q.number:
		return sign(p.number < q.number)
	case p.release != q.release:
		return sign(q.release)
	case p.letters != q.letters:
		return strings.Compare(p.letters, q.letters)
	case p.count != q.count:
		return sign(p.count < q.count)
	}

	return 0
}

// sign is -1 for less, else 1.
func sign(less bool) int {
	if less {
		return -1
	}

	return 1
}

// CompareVersions orders two versions: a negative number if a comes before b, 0 if
// they are the same, a positive number if it comes after. Missing parts are 0, so
// 29 and 29.0 are the same. What is no version comes before all that are.
func CompareVersions(a, b string) int {
	left, leftOK := parseVersion(a)
	right, rightOK := parseVersion(b)
	if !leftOK || !rightOK {
		if leftOK == rightOK {
			return strings.Compare(a, b)
		}

		return sign(rightOK)
	}

	zero := versionPart{release: true}
	for i := range max(len(left), len(right)) {
		p, q := zero, zero
		if i < len(left) {
			p = left[i]
		}
		if i < len(right) {
			q = right[i]
		}
		if order := p.compare(q); order != 0 {
			return order
		}
	}

	return 0
}

func isVersion(value string) bool {
	_, ok := parseVersion(value)

	return ok
}

// versionBound reads a bound of versions.
func versionBound(bound string) (string, error) {
	if !isVersion(bound) {
		return "", fmt.Errorf("%q is no version: want numbers and dots, as 29.0a1", bound)
	}

	return bound, nil
}

// compareVersionToBound compares as many parts as the bound has. A bound that ends
// in a number holds what has letters behind that number only if it is a whole
// version: 28 holds 28.0a1, and 28.0 does not.
func compareVersionToBound(version, bound string) int {
	left, _ := parseVersion(version)
	right, _ := parseVersion(bound)
	for i := range min(len(left), len(right)) {
		if order := left[i].compare(right[i]); order != 0 {
			return order
		}
	}
	if len(left) < len(right) {
		return CompareVersions(version, bound)
	}

	return 0
}
