package measures

import (
	"bytes"
	"context"
	"io"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// vote is a client's vote in a day and partition. Votes are divided down to 1/vote.
const vote = 1 << 32

// Group is what values of a measure have in common, beside the partition.
type Group struct {
	OS, Process, Key, Bucketing string
}

// Cell is the sum of the values of one group in one partition.
type Cell struct {
	Partition int // number in Day.Partitions
	Group
	Bounds []int    // lower bounds of the buckets; nil: Labels
	Labels []string // of the buckets

	Pings   uint64
	Votes   uint64    // of clients, in 1/vote
	Counts  []float64 // by bucket
	Shares  []uint64  // of the votes, by bucket
	Sum     float64   // of the samples of those that have a sum
	Samples float64   // of those
}

// maxLabels bounds the labels of a cell; more count as otherLabel. maxKeys bounds the keys
// of a measure in a day, and maxGroups its groups: those that are new then have otherLabel
// for a key.
const (
	maxLabels  = 100
	maxKeys    = 200
	maxGroups  = 5_000
	otherLabel = "(other)"
)

// cellKey finds a cell of a measure.
type cellKey struct {
	partition int
	group     Group
}

// measure is one measure of a day in the making.
type measure struct {
	kind  string
	pings uint64
	keys  map[string]bool
	cells map[cellKey]*Cell
}

// dayBuild sums up a day. It belongs to one goroutine.
type dayBuild struct {
	tree        *layout.Tree
	definitions Definitions

	clients    map[uint64]uint32 // pings, by hash of client and partition
	partitions map[schema.Dims]int
	list       []schema.Dims
	measures   map[string]*measure
	records    int64
	anonymous  int64 // records without a client
	revision   string

	// Of the current record.
	partition int
	os        string
	vote      uint64
}

// build sums up the segments of a day.
func build(ctx context.Context, tree *layout.Tree, segments []layout.Segment, definitions Definitions) (*dayBuild, error) {
	b := &dayBuild{
		tree: tree, definitions: definitions,
		clients:    map[uint64]uint32{},
		partitions: map[schema.Dims]int{},
		measures:   map[string]*measure{},
	}

	// First, how many pings each client shares its vote between.
	err := b.each(ctx, segments, func(_ []byte, who identity) {
		if who.client != "" {
			b.clients[b.clientKey(who.client)]++
		}
	})
	if err != nil {
		return nil, err
	}

	// Then the values, each with its client's share of the vote.
	reader := newPingReader(definitions, b.add)
	err = b.each(ctx, segments, func(ping []byte, who identity) {
		b.records++
		b.os = clip(who.os)
		b.vote = 0

		// A client without an ID has no vote, but its pings count.
		if who.client != "" {
			b.vote = vote / uint64(b.clients[b.clientKey(who.client)])
		} else {
			b.anonymous++
		}

		if who.revision != "" {
			b.revision = who.revision
		}

		reader.read(ctx, ping, who)
	})

	return b, err
}

// clientKey is a hash of a client in the current partition.
func (b *dayBuild) clientKey(client string) uint64 {
	// The factor (2^64 by the golden ratio) spreads the keys of neighbouring partitions.
	return xxhash.Sum64String(client) + uint64(b.partition)*0x9e3779b97f4a7c15
}

// each calls do with every record that is valid JSON.
func (b *dayBuild) each(ctx context.Context, segments []layout.Segment, do func(ping []byte, who identity)) error {
	for _, segment := range segments {
		if !segment.InColumns() {
			b.enter(segment.Dims)
			if err := b.lines(ctx, segment, do); err != nil {
				return err
			}
			continue
		}

		// One part after the other, because each has dimensions of its own.
		for _, part := range segment.Parts {
			b.enter(part.Dims)
			only := segment
			only.Parts = []layout.Part{part}
			if err := b.lines(ctx, only, do); err != nil {
				return err
			}
		}
	}

	return nil
}

// enter makes a partition the current one.
func (b *dayBuild) enter(dims schema.Dims) {
	number, ok := b.partitions[dims]
	if !ok {
		number = len(b.list)
		b.partitions[dims] = number
		b.list = append(b.list, dims)
	}
	b.partition = number
}

// lines calls do with the records of a segment.
func (b *dayBuild) lines(ctx context.Context, segment layout.Segment, do func(ping []byte, who identity)) error {
	reader, err := b.tree.Open(segment, 0, -1)
	if err != nil {
		return err
	}
	defer reader.Close()

	for {
		if err := ctx.Err(); err != nil {
			return err
		}

		lines, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}

		for line := range bytes.Lines(lines) {
			_, ping, _ := bytes.Cut(line, []byte{'\t'})
			ping = bytes.TrimSpace(ping)

			// A record that is no JSON object has no measures.
			if len(ping) == 0 || ping[0] != '{' || jsonscan.Valid(ping) != nil {
				continue
			}

			do(ping, identify(ping))
		}
	}
}

// add counts a value in its cell.
func (b *dayBuild) add(v *value) {
	var samples float64
	// All counts are checked before the cell changes, so that a value counts as a whole.
	for i, count := range v.counts {
		if count < 0 || math.IsInf(count, 0) || count != math.Trunc(count) {
			return // no count; records of today have none of these
		}

		samples += v.counts[i]
	}

	cell := b.cell(v)
	cell.Pings++
	if v.hasSum {
		cell.Sum += v.sum
		cell.Samples += samples
	}

	// A ping without samples says nothing about shares, so its client has no vote here.
	if samples > 0 {
		cell.Votes += b.vote
	}

	// Labels are numbered by cell, bounds are the same in all.
	for i, count := range v.counts {
		if count == 0 {
			continue
		}

		at := i
		if v.labels != nil {
			at = cell.label(v.labels[i])
		}

		cell.Counts[at] += count
		cell.Shares[at] += uint64(float64(b.vote) * (count / samples))
	}
}

// cell returns the cell of a value.
func (b *dayBuild) cell(v *value) *Cell {
	name := v.measure
	if len(name) > maxLabel {
		name = clip(name)
	}

	m := b.measures[name]
	if m == nil {
		m = &measure{kind: v.kind, keys: map[string]bool{}, cells: map[cellKey]*Cell{}}
		b.measures[name] = m
	}

	m.pings++

	key := cellKey{b.partition, Group{OS: b.os, Process: clip(v.process), Key: clip(v.key), Bucketing: v.bucketing}}
	cell := m.cells[key]
	if cell != nil && (v.labels != nil || len(cell.Counts) == len(v.counts)) {
		return cell
	}

	// A new one; of the same bucketing, but another number of buckets, it has its own.
	if cell != nil {
		key.group.Bucketing += " (" + itoa(len(v.counts)) + ")"
	} else if !m.keys[key.group.Key] {
		if len(m.keys) >= maxKeys || len(m.cells) >= maxGroups {
			key.group.Key = otherLabel
		}
		m.keys[key.group.Key] = true
	}

	if cell = m.cells[key]; cell == nil || cell.Labels == nil && len(cell.Counts) != len(v.counts) {
		cell = &Cell{Partition: b.partition, Group: key.group, Bounds: v.bounds}
		if v.labels == nil {
			cell.Counts = make([]float64, len(v.counts))
			cell.Shares = make([]uint64, len(v.counts))
		}
		m.cells[key] = cell
	}

	return cell
}

// label returns the bucket of a label.
func (c *Cell) label(label string) int {
	if at := slices.Index(c.Labels, label); at >= 0 {
		return at
	}

	// Too many labels: the new one shares a bucket with others.
	if len(c.Labels) >= maxLabels {
		label = otherLabel
		if at := slices.Index(c.Labels, label); at >= 0 {
			return at
		}
	}

	c.Labels = append(c.Labels, label)
	c.Counts = append(c.Counts, 0)
	c.Shares = append(c.Shares, 0)
	return len(c.Labels) - 1
}
