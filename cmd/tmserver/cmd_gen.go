package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// genCmd makes up pings.
type genCmd struct {
	Count       int    `default:"100" help:"How many pings."`
	First       int    `default:"0" help:"Number of the first one; ping N of a seed is always the same."`
	Seed        uint64 `default:"1" help:"Which population of browsers."`
	Format      string `default:"lines" enum:"lines,rawlog" help:"lines (id, tab, JSON) or rawlog."`
	RawVersion  int    `default:"4" enum:"1,4" help:"Version of the raw log: 4, or the predecessor's 1."`
	Gzip        bool   `help:"Compress the bodies in a raw log, as browsers do."`
	Output      string `short:"o" type:"path" placeholder:"FILE" help:"Where to write (default: stdout)."`
	Definitions string `type:"path" placeholder:"DIR" help:"Also write the pings' histogram definitions there, laid out as a revision cache."`
}

func (c *genCmd) Help() string {
	return `Makes up realistic pings: 150 to 300 histograms, 20 to 40 kB each. The same seed
and number give the same ping, on any machine.

  tmserver gen --count 100 --definitions cache |
    tmserver convert --stdin --revision-cache cache --offline --date 20140203

EXIT STATUS: 0 done; 1 cannot write; 2 usage; 130 interrupted.`
}

func (c *genCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Count < 0 || c.First < 0 {
		return cli.Usage("--count %d, --first %d: neither can be negative", c.Count, c.First)
	}
	if c.Gzip && c.Format != "rawlog" {
		return cli.WithHint(cli.Usage("--gzip is for raw logs"), "add --format rawlog, or pipe the lines through gzip")
	}

	// No server has the definitions of the made-up revisions.
	if c.Definitions != "" {
		if err := gen.WriteCache(c.Definitions); err != nil {
			return err
		}
	}
	if c.Output == "" {
		return c.write(ctx, st.Stdout)
	}
	return c.writeFile(ctx)
}

// writeFile writes --output; after an error there is no file, or the one of before.
func (c *genCmd) writeFile(ctx context.Context) error {
	out, err := cli.OpenOutput(c.Output, nil)
	if err != nil {
		return err
	}
	defer out.Discard()

	if err := c.write(ctx, out); err != nil {
		return err
	}
	return out.Commit()
}

// genBatchPings is how many pings a goroutine makes at a time, about 2 MB.
const genBatchPings = 64

// write makes batches in parallel and writes them in order.
func (c *genCmd) write(ctx context.Context, out io.Writer) error {
	buffered := bufio.NewWriterSize(out, 1<<20)

	// Only version 3 has a head; lines and version 1 begin with the first ping.
	if c.Format == "rawlog" && c.RawVersion == rawlog.Version {
		if _, err := buffered.Write(rawlog.AppendHead(nil, c.salt())); err != nil {
			return err
		}
	}

	// Worker k makes the batches k, k+workers, k+2*workers …, one ahead of the writer.
	workers := runtime.GOMAXPROCS(0)
	batches := make([]chan []byte, workers)
	group, ctx := errgroup.WithContext(ctx)
	for worker := range batches {
		batches[worker] = make(chan []byte, 1)
		group.Go(func() error {
			defer close(batches[worker])
			return c.makeBatches(ctx, worker*genBatchPings, workers*genBatchPings, batches[worker])
		})
	}

	// The first worker without a batch has none because there is no more.
	group.Go(func() error {
		for batchNumber := 0; ; batchNumber++ {
			batch, ok := <-batches[batchNumber%workers]
			if !ok {
				return buffered.Flush()
			}

			if _, err := buffered.Write(batch); err != nil {
				return err
			}
		}
	})
	return group.Wait()
}

// makeBatches makes the batches that begin with the pings from, from+step, from+2*step ….
func (c *genCmd) makeBatches(ctx context.Context, from, step int, batches chan<- []byte) error {
	// A generator makes any ping of its seed, so each worker has its own.
	generator := gen.New(c.Seed)
	for ; from < c.Count; from += step {
		var batch []byte
		for i := from; i < min(from+genBatchPings, c.Count); i++ {
			ping := generator.Ping(c.First + i)
			batch = c.append(batch, &ping)
		}

		select {
		case batches <- batch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// salt is that of the raw log: fixed, so that the same flags give the same bytes.
func (c *genCmd) salt() uint32 { return uint32(c.Seed) ^ 0x7e1e7e1e }

// append appends p in the chosen format.
func (c *genCmd) append(dst []byte, ping *gen.Ping) []byte {
	if c.Format == "lines" {
		dst = append(dst, ping.ID...)
		dst = append(dst, '\t')
		dst = append(dst, ping.JSON...)
		return append(dst, '\n')
	}

	sub := rawlog.Submission{Path: ping.Path(), Body: ping.JSON, Time: ping.Time}
	if c.Gzip {
		sub.Body = gzipped(ping.JSON)
	}
	if c.RawVersion == rawlog.Version {
		return rawlog.AppendEntry(dst, &sub, c.salt())
	}
	return appendEntryV1(dst, &sub)
}

// appendEntryV1 appends s as the predecessor's raw logs have it; FORMAT.md of
// package rawlog describes the fields. The product writes version 4 only.
func appendEntryV1(dst []byte, sub *rawlog.Submission) []byte {
	dst = append(dst, 0x1e)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(sub.Path)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(sub.Body)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sub.Time.UnixMilli()))
	dst = append(dst, sub.Path...)
	return append(dst, sub.Body...)
}

// gzipped returns body compressed as browsers compress it.
func gzipped(body []byte) []byte {
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	packer.Write(body) // a Buffer accepts everything
	packer.Close()
	return packed.Bytes()
}
