package layout

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

//go:embed telemetry_schema.json
var defaultSchema []byte

// DefaultSchema returns the dimensions of a data folder without a schema file:
// the values that the predecessor allowed at the end of its life.
func DefaultSchema() *Schema {
	s, err := ParseSchema(defaultSchema)
	if err != nil {
		panic("layout: the built-in schema: " + err.Error())
	}
	return s
}

// Data is a server's data folder, open for writing. It is safe for concurrent
// use, by several processes too.
type Data struct {
	dir    string
	root   *os.Root
	disk   disk
	schema *Schema
	seen   *seen      // nil: not wanted
	remote *blobStore // where segments are published; nil: here
}

// OpenData opens a data folder and makes what is missing: the folder itself,
// raw/, published/, invalid/ and state/. The schema is read once; an error in
// the schema file wraps ErrSchema. The caller closes the Data.
func OpenData(dir string) (*Data, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Data{dir: dir, root: root, disk: disk{root: root}}
	if err := d.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	return d, nil
}

func (d *Data) prepare() error {
	touched := map[string]bool{}
	for _, name := range []string{RawDir, PublishedDir, InvalidDir, StagingDir} {
		if err := d.disk.mkdirAll(name, touched); err != nil {
			return err
		}
	}
	for name := range touched {
		if err := d.disk.syncDir(name); err != nil {
			return err
		}
	}
	doc, err := d.root.ReadFile(SchemaFile)
	if errors.Is(err, fs.ErrNotExist) {
		d.schema = DefaultSchema()
		return nil
	}
	if err == nil {
		d.schema, err = ParseSchema(doc)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", SchemaFile, err)
	}
	return nil
}

// Root is the folder; every access by a name that came from outside goes
// through it. The caller must not close it.
func (d *Data) Root() *os.Root { return d.root }

// Dir is the folder's name as it was given to OpenData.
func (d *Data) Dir() string { return d.dir }

// Schema is the folder's dimension schema.
func (d *Data) Schema() *Schema { return d.schema }

// Tree returns the folder's published records, for reading; without the
// quarantined ones if they are published elsewhere. It is valid until the Data is
// closed and need not be closed itself.
func (d *Data) Tree() *Tree {
	if d.remote != nil {
		return newTree(d.remote.url, d.remote, true)
	}
	return newTree(d.dir, localStore{d.root, true}, true)
}

// Close releases the folder. Writers must have ended.
func (d *Data) Close() error {
	err := d.root.Close()
	if d.remote != nil {
		err = errors.Join(err, d.remote.close())
	}
	return err
}

// partitionDir is the folder of a partition relative to published/ or
// invalid/<class>/, and prefix how the names of its segments begin.
func (p Dims) partitionDir() string {
	return path.Join(p[Reason], p[AppName], p[Channel], p[Version])
}
