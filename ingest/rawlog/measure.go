package rawlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// Speed is how fast a disk makes batches of one size durable, written as a raw log is.
type Speed struct {
	BatchBytes int
	// Overwritten says that the batches replaced others, as in a recycled file. Else the
	// file was preallocated.
	Overwritten bool
	// BytesPerSecond is the median of all turns.
	BytesPerSecond float64
	// Slowest is how long the slowest hundredth of the batches took at least.
	Slowest time.Duration
}

// measuredBatches are the sizes that Measure tries, whole disk blocks.
var measuredBatches = []int{64 << 10, 256 << 10, 1 << 20}

const (
	// measuredBytes is how much one turn writes for one size.
	measuredBytes = 32 << 20
	// measuredName is the file in the folder; no server takes it for a raw log.
	measuredName = newPrefix + "bench."
)

// Measure writes batches into a file of the folder for about that long, at least one turn
// of each size, in a preallocated file and then over what is there. The turns of all
// sizes alternate, because what else the disk does changes. The file is removed.
func Measure(ctx context.Context, folder *os.Root, duration time.Duration) (speeds []Speed, err error) {
	return measure(ctx, rootDisk{folder}, duration, measuredBytes)
}

func measure(ctx context.Context, d disk, duration time.Duration, bytes int) (speeds []Speed, err error) {
	rates := map[Speed][]float64{} // by a Speed without results
	times := map[Speed][]time.Duration{}
	for start, turn := time.Now(), 0; turn == 0 || time.Since(start) < duration; turn++ {
		for _, batch := range measuredBatches {
			name := measuredName + strconv.Itoa(os.Getpid())
			err := measureFile(ctx, d, name, batch, bytes, func(overwritten bool, took []time.Duration) {
				key := Speed{BatchBytes: batch, Overwritten: overwritten}
				times[key] = append(times[key], took...)

				var all time.Duration
				for _, one := range took {
					all += one
				}
				rates[key] = append(rates[key], float64(batch*len(took))/max(all, 1).Seconds())
			})
			if err != nil {
				return nil, fmt.Errorf("measure the disk: %w", err)
			}
		}
	}

	for _, overwritten := range []bool{false, true} {
		for _, batch := range measuredBatches {
			speed := Speed{BatchBytes: batch, Overwritten: overwritten}
			sorted := slices.Sorted(slices.Values(times[speed]))
			perSecond := slices.Sorted(slices.Values(rates[speed]))
			speed.BytesPerSecond, speed.Slowest = perSecond[len(perSecond)/2], sorted[len(sorted)*99/100]
			speeds = append(speeds, speed)
		}
	}
	return speeds, nil
}

// measureFile writes so many bytes into a new file, and once more over them. It passes on
// how long each batch took.
func measureFile(ctx context.Context, d disk, name string, batch, bytes int, done func(overwritten bool, took []time.Duration)) (err error) {
	file, err := d.create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.close(), d.remove(name)) }()
	file.allocate(0, int64(bytes))

	// Not zeros: some disks do not store those.
	block := makeBlocks(batch)
	for i := range block {
		block[i] = byte(i*i>>8 ^ i)
	}

	for _, overwritten := range []bool{false, true} {
		var took []time.Duration
		for off := 0; off < bytes; off += batch {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			start := time.Now()
			if err := file.append(block, int64(off)); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		done(overwritten, took)
	}
	return nil
}
