package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

type genCmd struct {
	Count       int    `default:"100" help:"How many pings."`
	First       int    `default:"0" help:"Number of the first one; ping N of a seed is always the same."`
	Seed        uint64 `default:"1" help:"Which population of browsers."`
	Format      string `default:"lines" enum:"lines,rawlog" help:"lines (id, tab, JSON) or rawlog."`
	RawVersion  int    `default:"3" enum:"1,3" help:"Version of the raw log: 3, or the predecessor's 1."`
	Gzip        bool   `help:"Compress the bodies in a raw log, as browsers do."`
	Output      string `short:"o" type:"path" placeholder:"FILE" help:"Where to write (default: stdout)."`
	Definitions string `type:"path" placeholder:"DIR" help:"Also write the pings' histogram definitions there, laid out as a revision cache."`
}

func (c *genCmd) Help() string {
	return `Makes up realistic pings: 150 to 300 histograms, 20 to 40 kB each. The same seed
and number give the same ping, on any machine.

  tmserver gen --count 100 --definitions cache |
    tmserver convert --stdin --revision-cache cache --offline --date 20140203

EXIT STATUS: 0 done, 1 cannot write, 2 bad flags, 130 interrupted.`
}

func (c *genCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.Count < 0 || c.First < 0 {
		return cli.Usage("--count %d, --first %d: neither can be negative", c.Count, c.First)
	}
	if c.Gzip && c.Format != "rawlog" {
		return cli.WithHint(cli.Usage("--gzip is for raw logs"), "add --format rawlog, or pipe the lines through gzip")
	}
	if c.Definitions != "" {
		if err := gen.WriteCache(c.Definitions); err != nil {
			return err
		}
	}
	out := st.Stdout
	if c.Output != "" {
		f, err := os.Create(c.Output)
		if err != nil {
			return err
		}
		defer func() {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				os.Remove(c.Output) // half of it is of no use
			}
		}()
		out = f
	}
	return c.write(ctx, out)
}

// genBatch is how many pings a worker makes at a time, about 2 MB.
const genBatch = 64

// write makes batches in parallel and writes them in order.
func (c *genCmd) write(ctx context.Context, out io.Writer) error {
	w := bufio.NewWriterSize(out, 1<<20)
	if c.Format == "rawlog" && c.RawVersion == rawlog.Version {
		if _, err := w.Write(rawlog.AppendHead(nil, c.salt())); err != nil {
			return err
		}
	}
	workers := runtime.GOMAXPROCS(0)
	eg, ctx := errgroup.WithContext(ctx)
	turns := make([]chan []byte, workers) // batch i comes from worker i % workers
	for k := range turns {
		turns[k] = make(chan []byte, 1)
		eg.Go(func() error {
			defer close(turns[k])
			g := gen.New(c.Seed)
			for from := k * genBatch; from < c.Count; from += workers * genBatch {
				var batch []byte
				for i := from; i < min(from+genBatch, c.Count); i++ {
					p := g.Ping(c.First + i)
					batch = c.append(batch, &p)
				}
				select {
				case turns[k] <- batch:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
	}
	eg.Go(func() error {
		for i := 0; ; i++ {
			batch, ok := <-turns[i%workers]
			if !ok {
				return w.Flush()
			}
			if _, err := w.Write(batch); err != nil {
				return err
			}
		}
	})
	return eg.Wait()
}

// salt is that of the raw log: fixed, so that the same flags give the same bytes.
func (c *genCmd) salt() uint32 { return uint32(c.Seed) ^ 0x7e1e7e1e }

// append appends p in the chosen format.
func (c *genCmd) append(dst []byte, p *gen.Ping) []byte {
	if c.Format == "lines" {
		dst = append(dst, p.ID...)
		dst = append(dst, '\t')
		dst = append(dst, p.JSON...)
		return append(dst, '\n')
	}
	s := rawlog.Submission{Path: p.Path(), Body: p.JSON, Time: p.Time}
	if c.Gzip {
		s.Body = gzipped(p.JSON)
	}
	if c.RawVersion == rawlog.Version {
		return rawlog.AppendEntry(dst, &s, c.salt())
	}
	le := binary.LittleEndian
	dst = append(dst, 0x1e)
	dst = le.AppendUint16(dst, uint16(len(s.Path)))
	dst = le.AppendUint32(dst, uint32(len(s.Body)))
	dst = le.AppendUint64(dst, uint64(s.Time.UnixMilli()))
	dst = append(dst, s.Path...)
	return append(dst, s.Body...)
}

// gzipped returns body compressed as browsers compress it.
func gzipped(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(body) // a Buffer takes everything
	w.Close()
	return b.Bytes()
}
