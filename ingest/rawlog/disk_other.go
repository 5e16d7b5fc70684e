//go:build !linux

package rawlog

import "os"

func openDirect(*os.Root, string) (*os.File, error) { return nil, nil }

func (o *osFile) append(b []byte, off int64) error {
	if _, err := o.f.WriteAt(b, off); err != nil {
		return err
	}
	return o.f.Sync()
}

func (*osFile) allocate(off, n int64) {}
