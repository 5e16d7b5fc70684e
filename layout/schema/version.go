package schema

import (
	"fmt"
	"slices"
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
		// 0a1 is the number 0, and then the letters a and the count 1.
		suffix := strings.TrimLeft(text, "0123456789")
		number, err := strconv.ParseInt(strings.TrimSuffix(text, suffix), 10, 64)
		if err != nil {
			return nil, false
		}
		letters := strings.TrimRight(suffix, "0123456789")
		part := versionPart{number: number, release: suffix == "", letters: letters}

		if count := suffix[len(letters):]; count != "" {
			part.count, err = strconv.ParseInt(count, 10, 64)
			if err != nil {
				return nil, false
			}
		}
		parts = append(parts, part)
	}

	return parts, true
}

// compare orders parts: by number; of the same number, a part with letters comes before
// one without.
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
// 29 and 29.0 are the same. Text that is not a version comes before all versions.
func CompareVersions(a, b string) int {
	left, leftOK := parseVersion(a)
	right, rightOK := parseVersion(b)
	// Other text, such as OTHER, has an order too, so that sorting by versions is total.
	switch {
	case !leftOK && !rightOK:
		return strings.Compare(a, b)
	case !leftOK || !rightOK:
		return sign(rightOK)
	}

	// Fill the shorter one with zeros.
	zero := versionPart{release: true}
	for len(left) < len(right) {
		left = append(left, zero)
	}
	for len(right) < len(left) {
		right = append(right, zero)
	}
	return slices.CompareFunc(left, right, versionPart.compare)
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

// compareVersionToBound compares as many parts as the bound has, so that the bound 28
// holds 28.0a1. The bound 28.0 does not hold it, because 0a1 comes before 0.
func compareVersionToBound(version, bound string) int {
	left, _ := parseVersion(version)
	right, _ := parseVersion(bound)
	if len(left) < len(right) {
		return CompareVersions(version, bound)
	}

	// Parts behind those of the bound do not count.
	return slices.CompareFunc(left[:len(right)], right, versionPart.compare)
}
