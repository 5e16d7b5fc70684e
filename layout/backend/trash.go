package backend

import (
	"context"
	"errors"
	"io/fs"
	"path"
)

// WithTrash returns a backend that finds a file which was moved to the trash after it was
// listed, so that a running job goes on reading the records that it planned for. The
// trash is a folder of folders, in each of which a file has the path that it came from.
func WithTrash(files Backend, trash string) Backend { return withTrash{files, trash} }

type withTrash struct {
	Backend
	trash string
}

// Open implements Backend.
func (b withTrash) Open(name string) (File, error) {
	file, missing := b.Backend.Open(name)
	if !errors.Is(missing, fs.ErrNotExist) {
		return file, missing
	}

	// The error of the name itself is the one that says something.
	runs, err := b.List(context.Background(), b.trash)
	if err != nil {
		return nil, missing
	}
	for _, run := range runs {
		file, err := b.Backend.Open(path.Join(b.trash, run.Name, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}

	// Perhaps it was restored in the meantime.
	return b.Backend.Open(name)
}
