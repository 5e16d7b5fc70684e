//go:build !linux

package rawlog

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

func (o osFile) fill(n int64, stop func() bool) error {
	zeros := make([]byte, fillChunk)
	for off := int64(0); off < n && !stop(); off += fillChunk {
		if _, err := o.f.WriteAt(zeros, off); err != nil {
			return err
		}
	}
	return o.sync()
}
