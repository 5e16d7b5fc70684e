//go:build !linux

package ingest

func (o osFile) writeAt(b [][]byte, off int64) error {
	for _, p := range b {
		n, err := o.f.WriteAt(p, off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (o osFile) sync() error { return o.f.Sync() }

func (osFile) allocate(off, n int64) {}
