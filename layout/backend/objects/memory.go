package objects

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// memory is a Store for tests. It lives as long as the process.
type memory struct {
	mu      sync.Mutex // guards objects
	objects map[string]memoryObject
}

// memoryObject is never changed, only replaced.
type memoryObject struct {
	text     []byte
	modified time.Time
}

var (
	memoriesMu sync.Mutex // guards memories
	memories   = map[string]*memory{}
)

// openMemory returns the store of that name, the same one each time.
func openMemory(name string) *memory {
	memoriesMu.Lock()
	defer memoriesMu.Unlock()
	if memories[name] == nil {
		memories[name] = &memory{objects: map[string]memoryObject{}}
	}

	return memories[name]
}

// find returns an object, or an error that wraps fs.ErrNotExist.
func (m *memory) find(op, name string) (memoryObject, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok {
		return o, &Error{Op: op, Name: name, Err: fs.ErrNotExist, Final: true}
	}

	return o, nil
}

func (m *memory) Get(_ context.Context, name string, from, to int64) (io.ReadCloser, error) {
	o, err := m.find("get", name)
	if err != nil {
		return nil, err
	}
	if to < 0 {
		to = int64(len(o.text))
	}

	return io.NopCloser(bytes.NewReader(o.text[from:to])), nil
}

func (m *memory) Put(_ context.Context, name string, content Content, create bool) error {
	text, err := readContent(content)
	if err != nil {
		return &Error{Op: "put", Name: name, Err: err, Final: true}
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.objects[name]; taken && create {
		return &Error{Op: "create", Name: name, Err: fs.ErrExist, Final: true}
	}
	m.objects[name] = memoryObject{text, time.Now()}
	return nil
}

func readContent(content Content) ([]byte, error) {
	r, err := content()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (m *memory) List(_ context.Context, prefix string) (entries []Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	// Names that go on after a "/" are listed once, as their folder.
	dirs := map[string]bool{}
	for name, o := range m.objects {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		dir, _, below := strings.Cut(rest, "/")
		switch {
		case !below:
			entries = append(entries, Entry{Name: rest, Bytes: int64(len(o.text))})
		case !dirs[dir]:
			dirs[dir] = true
			entries = append(entries, Entry{Name: dir, Dir: true})
		}
	}

	return entries, nil
}

func (m *memory) Stat(_ context.Context, name string) (Info, error) {
	o, err := m.find("stat", name)
	return Info{Bytes: int64(len(o.text)), Modified: o.modified}, err
}

func (m *memory) Copy(_ context.Context, to, from string) error {
	o, err := m.find("copy", from)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[to] = memoryObject{o.text, time.Now()}
	return nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

func (m *memory) Versions(context.Context, string) ([]Version, error) { return nil, nil }

func (m *memory) At(Version) Store { return m }

func (m *memory) Close() error { return nil }
