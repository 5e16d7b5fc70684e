package rawlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// Reader reads the submissions of one raw log and survives damage: where no
// entry begins it goes on to the next plausible one and counts the bytes between.
// An entry that is cut short is never returned. It is for one goroutine.
type Reader struct {
	// Source is the name that each Submission's Origin carries.
	Source string
	// MaxBody is the longest plausible body in bytes: DefaultMaxBody for versions
	// 0 to 2, MaxBodyLimit for later ones, whose sums guard against wrong lengths.
	// Set it before the first Next to read logs of a server with another limit.
	MaxBody int

	in      window
	version int
	started bool

	head   fileHeader
	salted bool // head.salt is known
	damage damage
}

// NewReader returns a reader of the raw log that r holds from its first
// byte. Version is 0 to 4 or VersionAuto; use VersionOf(name) when there is a
// name. A file with a head says itself whether it is of version 3 or 4. It panics on any other version.
func NewReader(r io.Reader, version int) *Reader {
	if version < VersionAuto || version > Version {
		panic(fmt.Sprintf("rawlog: version %d", version))
	}
	return &Reader{in: window{src: r}, version: version}
}

// Version returns the version being read; VersionAuto until the first Next has
// detected it.
func (r *Reader) Version() int { return r.version }

// Next returns the next submission; its Body is valid until the next call. At
// the end it returns io.EOF, ErrVersion (wrapped) if the version is not
// recognisable, or an error of the underlying reader.
func (r *Reader) Next() (Submission, error) {
	if !r.started {
		if err := r.start(); err != nil {
			return Submission{}, err
		}
	}

	for {
		header, ok := r.entryHere()
		if ok {
			return r.take(header), nil
		}

		// What is here is damage, or the end.
		if r.in.isEmpty() {
			if r.in.err == io.EOF {
				r.end()
			}
			return Submission{}, r.in.err
		}

		r.skip()
	}
}

// start detects the version and reads a file's head.
func (r *Reader) start() error {
	r.started = true
	if isNewer(r.in.peek(fileHeaderBytes)) {
		return fmt.Errorf("%s: %w", r.Source, ErrNewer)
	}

	// Without a name the content decides.
	if r.version == VersionAuto {
		r.version = r.detect()
	}
	// A file may have been renamed, but its head has a checksum.
	if head, ok := parseFileHeader(r.in.peek(fileHeaderBytes)); ok {
		r.version = head.version
	}
	if r.version == VersionAuto {
		if r.in.err != nil && r.in.err != io.EOF {
			return r.in.err
		}
		return fmt.Errorf("%s: %w", r.Source, ErrVersion)
	}

	if r.MaxBody == 0 {
		r.MaxBody = DefaultMaxBody
		if r.version >= firstWithSums {
			r.MaxBody = MaxBodyLimit
		}
	}

	// A damaged head is passed over like other damage; verify finds the salt again.
	if r.version >= firstWithSums {
		r.head, r.salted = parseFileHeader(r.in.peek(fileHeaderBytes))
		if r.salted {
			r.in.consume(fileHeaderBytes)
		}
	}

	return nil
}

// detect returns the version as the predecessor's tools found it: by a head, or
// by reading strictly with each version. More than two entries exactly in place
// are certain; fewer count if no other version has more.
func (r *Reader) detect() int {
	if head, ok := parseFileHeader(r.in.peek(fileHeaderBytes)); ok {
		return head.version
	}

	// The content decides only between the versions with a separator.
	limit := r.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}

	tentative := VersionAuto
	for _, version := range []int{1, 2} {
		count := r.entriesInPlace(version, limit)
		if count == enoughEntries {
			return version
		}
		if count > 0 && tentative == VersionAuto {
			tentative = version
		}
	}

	return tentative
}

// enoughEntries is how many entries exactly in place make a version certain.
const enoughEntries = 3

// entriesInPlace counts the plausible entries of a version that follow each other
// from here on, up to enoughEntries.
func (r *Reader) entriesInPlace(version, maxBody int) (count int) {
	for at := 0; count < enoughEntries; count++ {
		header, ok := r.in.plausible(at, version, maxBody)
		if !ok {
			break
		}
		at += header.size()
	}
	return count
}

// entryHere returns the head of an entry that begins exactly here.
func (r *Reader) entryHere() (entryHeader, bool) {
	header, ok := r.plausible(0)
	if !ok {
		return header, false
	}

	// Version 0 has nothing to check, 1 and 2 have their neighbour, the others a sum.
	switch {
	case r.version == 0:
		return header, true
	case r.version >= firstWithSums:
		return header, r.verify(header)
	}

	return header, r.isFollowed(header.size()) || !r.hasFollowedEntryInside(header)
}

// hasFollowedEntryInside says whether an entry that is followed by another begins
// inside the one here. No separator follows the entry here, so either what comes next
// is damaged or its length is. In the second case its length reaches into whole
// entries.
func (r *Reader) hasFollowedEntryInside(outer entryHeader) bool {
	for at := 1; at < outer.size(); at++ {
		// Only at a separator can an entry begin.
		n := bytes.IndexByte(r.in.peek(outer.size())[at:outer.size()], separator)
		if n < 0 {
			return false
		}
		at += n

		inner, ok := r.plausible(at)
		if ok && r.isFollowed(at+inner.size()) {
			return true
		}
	}

	return false
}

// plausible says whether an entry with believable lengths that is complete
// begins i bytes from here.
func (r *Reader) plausible(i int) (entryHeader, bool) {
	return r.in.plausible(i, r.version, r.MaxBody)
}

// isFollowed says whether a separator or the end of the file stands n bytes from
// here.
func (r *Reader) isFollowed(n int) bool {
	b := r.in.peek(n + 1)
	return len(b) <= n || b[n] == separator
}

// verify checks the sum of the entry here. If the file's head was damaged, a
// salt on which two adjacent entries agree is taken for the file's.
func (r *Reader) verify(header entryHeader) bool {
	salt := r.saltOf(0, header)
	if r.salted {
		return salt == r.head.salt
	}

	next, ok := r.plausible(header.size())
	if !ok || r.saltOf(header.size(), next) != salt {
		return false
	}

	r.head.salt = salt
	r.salted = true
	return true
}

// saltOf returns the salt with which the sum of the entry i bytes from here is
// right.
func (r *Reader) saltOf(i int, h entryHeader) uint32 {
	end := i + h.size()
	return h.sum ^ sumEntry(r.in.peek(end)[i:end])
}

// take consumes the entry here and returns its submission.
func (r *Reader) take(header entryHeader) Submission {
	sub := Submission{
		Time:   time.UnixMilli(int64(header.millis)).UTC(),
		Origin: Origin{Log: r.Source, Offset: r.in.off},
	}

	// Address and path are copied; the body is lent.
	rest := r.in.peek(header.size())[header.fixed:header.size()]
	address, rest := string(rest[:header.address]), rest[header.address:]
	if r.version >= firstWithSums {
		sub.Country = address
	} else {
		sub.Address = address
	}

	sub.Path, rest = string(rest[:header.path]), rest[header.path:]
	sub.Request, rest = Request(rest[:header.request]), rest[header.request:]
	sub.Body = rest[:header.body:header.body]

	r.in.consume(header.size())
	r.damage.endBetween()
	return sub
}

// WholeBytes reads a raw log that may still be written and returns where its last whole
// entry ends; -1 if only the end of the file can be that: the version is unknown, or one
// of the predecessor's, whose entries have no sum.
func WholeBytes(name string, content io.Reader) (int64, error) {
	entries := NewReader(content, VersionOf(name))
	end := int64(fileHeaderBytes)
	for {
		_, err := entries.Next()
		switch {
		case errors.Is(err, ErrVersion) || entries.version < firstWithSums:
			return -1, nil
		case err == io.EOF:
			return end, nil
		case err != nil:
			return 0, err
		}
		end = entries.in.off
	}
}
