package backend

import (
	"errors"
	"io"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Spill returns the files, beside a staged segment, for the IDs of very many records.
func (d *Disk) Spill(staged string) segment.Spill {
	ids, times := spillNames(staged)
	return segment.Spill{
		IDs:   d.Appender(ids),
		Times: d.Appender(times),
		Open: func() (io.ReadCloser, io.ReadCloser, error) {
			idFile, err := d.Root.Open(ids)
			if err != nil {
				return nil, nil, err
			}
			timeFile, err := d.Root.Open(times)
			if err != nil {
				return nil, nil, errors.Join(err, idFile.Close())
			}
			return idFile, timeFile, nil
		},
	}
}

// RemoveSpill removes the files of Spill, if there are any.
func (d *Disk) RemoveSpill(staged string) error {
	ids, times := spillNames(staged)
	return errors.Join(d.Remove(ids), d.Remove(times))
}

func spillNames(staged string) (ids, times string) { return staged + ".ids", staged + ".times" }
