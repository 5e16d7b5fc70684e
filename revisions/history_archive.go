package revisions

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// ErrBadArchive is returned (wrapped) for an archive that Export did not write,
// or that was damaged since.
var ErrBadArchive = errors.New("bad archive of revisions")

// Cached returns the revisions whose definitions are on disk, ordered by
// repository and revision.
func (c *Cache) Cached() (refs []Ref, err error) {
	if c.root == nil {
		return nil, nil
	}

	err = fs.WalkDir(c.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ref, ok := refOfFile(name); ok && d.Type().IsRegular() {
			refs = append(refs, ref)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("revision cache: %w", err)
	}

	return refs, nil
}

// refOfFile is the inverse of Ref.file.
func refOfFile(name string) (ref Ref, ok bool) {
	dir, file := path.Split(name)
	repo, revision := path.Split(strings.TrimSuffix(dir, "/"))
	ref, err := NewRef(strings.TrimSuffix(repo, "/"), revision)
	return ref, err == nil && file == definitionsFile && ref.file() == name
}

// Export writes all definitions on disk and the index as a gzipped tar, laid out
// as the cache's folder, the index last. The same cache gives the same bytes.
// Definitions that do not parse are left out.
func (c *Cache) Export(w io.Writer) (files int, err error) {
	refs, err := c.Cached()
	if err != nil {
		return 0, err
	}

	h, err := c.History()
	if err != nil {
		return 0, err
	}

	gz := gzip.NewWriter(w)
	tw := tar.NewWriter(gz)
	// Damaged files are left out rather than handed on.
	for _, ref := range refs {
		text, err := c.root.ReadFile(ref.file())
		if err != nil {
			return files, fmt.Errorf("export: %w", err)
		}
		_, damage := c.checkSum(ref, text)
		if damage == nil {
			_, damage = c.parse(text)
		}
		if damage != nil {
			err := damage
			c.o.Log.Warn("cached definitions are damaged", "revision", ref, "err", err)
			continue
		}
		if err := archive(tw, ref.file(), text); err != nil {
			return files, fmt.Errorf("export: %w", err)
		}

		files++
	}

	// The index comes last, so that an archive that was cut short has none.
	if err := errors.Join(archive(tw, indexFile, h.format()), tw.Close(), gz.Close()); err != nil {
		return files, fmt.Errorf("export: %w", err)
	}

	return files, nil
}

// archive writes one file with a fixed time, so that archives are reproducible.
func archive(tw *tar.Writer, name string, text []byte) error {
	hdr := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := tw.WriteHeader(hdr); err != nil {
		return err
	}
	_, err := tw.Write(text)
	return err
}

// Import adds the files of an archive that Export wrote to the cache. Every file is
// checked before it is written. Of a repository that both indexes know, the longer
// history stays. Errors wrap ErrBadArchive or are the disk's; the files before the
// damage are in the cache then.
func (c *Cache) Import(r io.Reader) (files int, err error) {
	if c.root == nil {
		return 0, errors.New("import: there is no cache folder")
	}

	gz, err := gzip.NewReader(r)
	if err != nil {
		return 0, badArchive(err)
	}

	// Files come one by one; each is checked whole before it is written.
	tr := tar.NewReader(gz)
	complete := false
	for {
		hdr, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return files, badArchive(err)
		}

		ref, text, err := readMember(tr, hdr)
		if err != nil {
			return files, badArchive(err)
		}

		// The index comes last: with it the archive is complete.
		if ref == (Ref{}) {
			if err := c.mergeHistory(text); err != nil {
				return files, err
			}
			complete = true
			continue
		}
		if _, err := c.parse(text); err != nil {
			return files, badArchive(fmt.Errorf("%s: %w", hdr.Name, err))
		}

		files++
		if err := c.importDefinitions(ref, text); err != nil {
			return files, err
		}
	}

	// The gzip sum comes last, behind what tar reads.
	if _, err := io.Copy(io.Discard, gz); err != nil {
		return files, badArchive(err)
	}
	if !complete {
		return files, badArchive(errors.New("there is no index"))
	}

	return files, nil
}

func badArchive(err error) error { return fmt.Errorf("import: %w: %w", ErrBadArchive, err) }

// readMember reads one file of an archive, definitions or (with a zero Ref) the
// index. No other file is allowed.
func readMember(tr *tar.Reader, hdr *tar.Header) (ref Ref, text []byte, err error) {
	ref, isRef := refOfFile(hdr.Name)
	limit := int64(maxDefinitionsBytes)
	switch {
	case hdr.Typeflag != tar.TypeReg || !isRef && hdr.Name != indexFile:
		return ref, nil, fmt.Errorf("unexpected file %q", hdr.Name)
	case !isRef:
		ref, limit = Ref{}, maxIndexBytes
	}
	if hdr.Size > limit {
		return ref, nil, fmt.Errorf("%s is longer than %d bytes", hdr.Name, limit)
	}

	text, err = io.ReadAll(tr)
	return ref, text, err
}

// importDefinitions writes ref's definitions to disk, unless they are there.
func (c *Cache) importDefinitions(ref Ref, text []byte) error {
	if old, err := c.readDisk(ref); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := c.writeDefinitions(ref, text); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

// mergeHistory adds an archive's index to the local one. Errors wrap ErrBadArchive
// or are the disk's.
func (c *Cache) mergeHistory(text []byte) error {
	other, err := parseHistory(text)
	if err != nil {
		return badArchive(err)
	}

	h, err := c.History()
	if errors.Is(err, ErrBadHistory) {
		h, err = &History{}, nil
	}
	if err != nil {
		return err
	}

	// The longer history of a repository has what the shorter one has, and more.
	for repo, r := range other.Repos() {
		if len(r.Definitions) >= len(h.Repo(repo).Definitions) {
			h = h.with(repo, r)
		}
	}

	return c.saveHistory(h)
}
