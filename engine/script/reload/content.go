package reload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFileBytes bounds a file: one that lies in the folder by mistake must not fill
// the memory.
const maxFileBytes = 8 << 20

// sum identifies what a file holds, with what it imports.
type sum [sha256.Size]byte

// content is what was found under a name: a text, or why there is no text.
type content struct {
	text []byte
	err  error
}

// read reads a file. It follows symbolic links.
func read(path string) content {
	// Opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a file", path)
	}

	if err != nil {
		return content{err: err}
	}

	file, err := os.Open(path)
	if err != nil {
		return content{err: err}
	}
	defer file.Close()

	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%s: longer than %d bytes", path, maxFileBytes)
	}

	return content{text, err}
}

func (c content) missing() bool { return errors.Is(c.err, fs.ErrNotExist) }

// own is the sum of the content alone. An error is a content of its own kind.
func (c content) own() sum {
	if c.err != nil {
		return sha256.Sum256([]byte("\x00" + c.err.Error()))
	}
	return sha256.Sum256(c.text)
}

// sum is the sum of the content and of the files at the paths imports.
func (c content) sum(imports []string) sum {
	first := c.own()
	if len(imports) == 0 {
		return first
	}

	// A change of any of the files is a change of what was compiled.
	all := sha256.New()
	all.Write(first[:])
	for _, path := range imports {
		imported := importedSum(path)
		all.Write(imported[:])
	}

	return sum(all.Sum(nil))
}

// importedSum is the sum of a file that another one imports: a data file may be larger
// than a script. An error is a content of its own kind.
func importedSum(path string) sum {
	// Opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return read(path).own()
	}

	file, err := os.Open(path)
	if err != nil {
		return content{err: err}.own()
	}
	defer file.Close()

	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return content{err: err}.own()
	}
	return sum(hash.Sum(nil))
}
