package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

const (
	// pollRecords bounds a round, and with it how long a rebalance waits and how
	// much is delivered again after a crash.
	pollRecords = 1000
	// fetchBytes bounds what one broker sends at once, compressed as it is.
	fetchBytes = 16 << 20
	// sessionLimit is how long after a member died its Kafka partitions go to others.
	sessionLimit = 10 * time.Second
	// pause is how long the source waits after the disk or a broker failed.
	pause = time.Second
	// commitLimit bounds how long a commit is tried; the next one includes it.
	commitLimit = 10 * time.Second
	// quietLimit is how long no message may come before the source checks whether the
	// brokers can be reached at all: the client tries for ever, and logs nothing.
	quietLimit = time.Minute
)

// Options configure a Source.
type Options struct {
	Brokers []string // host:port of one or more
	Topic   string
	// Group is the consumer group, whose committed offsets say what has been
	// read. A new group begins with the oldest message.
	Group  string
	Format Format
	// Security says how to connect to the brokers.
	Security Security
	// MaxBody is the longest body, in bytes, that is not quarantined as too large; at
	// most, and for zero, rawlog.MaxBodyLimit.
	MaxBody int
	// Registerer gets the counter of messages by class; nil: it is not registered.
	Registerer prometheus.Registerer
	Log        *slog.Logger // nil: none
}

// Log makes submissions durable; *rawlog.Log is one.
type Log interface {
	// Append returns nil when all of subs are durable.
	Append(ctx context.Context, subs ...rawlog.Submission) error
}

var _ Log = (*rawlog.Log)(nil)

// Source consumes a topic as a member of a consumer group.
type Source struct {
	raw    Log
	o      Options
	client *kgo.Client
	counts map[class]prometheus.Counter

	refused bool // the last round was not durable; belongs to Run
}

// New returns a Source that appends to raw. It does not wait for a broker; Run
// must be called, which closes it. The error is about the options.
func New(raw Log, o Options) (*Source, error) {
	if len(o.Brokers) == 0 || o.Topic == "" || o.Group == "" {
		return nil, errors.New("kafka: brokers, topic and group are all needed")
	}
	// Zero means the most that an entry of the raw log holds.
	if o.MaxBody <= 0 || o.MaxBody > rawlog.MaxBodyLimit {
		o.MaxBody = rawlog.MaxBodyLimit
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}

	client, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}

	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "telemetry", Name: "kafka_messages_total", Help: "Messages consumed, by what became of them.",
	}, []string{"class"})
	if o.Registerer != nil {
		if err := o.Registerer.Register(vec); err != nil {
			client.Close()
			return nil, fmt.Errorf("kafka: %w", err)
		}
	}

	// Every class has its series from the start.
	s := &Source{raw: raw, o: o, client: client, counts: map[class]prometheus.Counter{}}
	for _, c := range classes {
		s.counts[c] = vec.WithLabelValues(string(c))
	}

	return s, nil
}

// newClient returns a client that consumes o.Topic as a member of o.Group.
func newClient(o Options) (*kgo.Client, error) {
	secured, err := o.Security.options()
	if err != nil {
		return nil, err
	}

	return kgo.NewClient(append(secured,
		kgo.ClientID("telemetry-server"),
		kgo.SeedBrokers(o.Brokers...),
		kgo.ConsumerGroup(o.Group),
		kgo.ConsumeTopics(o.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(sessionLimit),
		// Offsets are committed after the messages are durable, and Kafka partitions
		// are not reassigned in between.
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.WithLogger(clientLog{o.Log}),
	)...)
}

// Run consumes until ctx ends. Then it finishes its round, commits it and leaves the
// group. While no broker answers or the disk fails, it waits and tries again.
func (s *Source) Run(ctx context.Context) {
	defer s.close()
	s.reach(ctx)
	for ctx.Err() == nil {
		if s.round(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// reach logs why no broker can be used, if so: it is down, it needs TLS or does
// not, it knows another password.
func (s *Source) reach(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, commitLimit)
	defer cancel()
	err := s.client.Ping(limited)
	if err == nil || ctx.Err() != nil {
		return
	}

	if errors.Is(err, io.EOF) { // some brokers answer so to a client that they do not know
		err = fmt.Errorf("the broker closed the connection; does it want TLS, or another login? (%w)", err)
	}

	s.o.Log.Error("no Kafka broker can be used; it is tried again", "brokers", s.o.Brokers,
		"tls", s.o.Security.TLS, "sasl", s.o.Security.Mechanism, "user", s.o.Security.User, "err", err)
}

// round polls, appends and commits once. It reports whether to go on at once.
func (s *Source) round(ctx context.Context) bool {
	defer s.client.AllowRebalance()
	fetches, ok := s.poll(ctx)
	if fetches.NumRecords() == 0 || ctx.Err() != nil {
		return ok // what was polled, if anything, is not committed
	}

	// All messages of the round become one batch.
	subs := make([]rawlog.Submission, 0, fetches.NumRecords())
	counts := map[class]int{}
	now := time.Now()
	fetches.EachRecord(func(r *kgo.Record) {
		sub, class := s.read(r, now)
		counts[class]++
		if class.toStore() {
			subs = append(subs, sub)
		}
	})

	// From here on ctx does not end the round: what is durable is to be committed.
	ctx = context.WithoutCancel(ctx)
	if err := s.raw.Append(ctx, subs...); err != nil {
		if !s.refused {
			s.o.Log.Error("messages are not durable and will be fetched again", "messages", len(subs), "err", err)
		}
		s.refused = true
		s.rewind(fetches)
		return false
	}

	if s.refused {
		s.refused = false
		s.o.Log.Info("messages are durable again")
	}
	for c, n := range counts {
		s.counts[c].Add(float64(n))
	}

	limited, cancel := context.WithTimeout(ctx, commitLimit)
	defer cancel()
	if err := s.client.CommitUncommittedOffsets(limited); err != nil {
		s.o.Log.Warn("cannot commit offsets; the messages may come again", "err", err)
	}

	return ok
}

// poll returns the next messages, perhaps none. It reports whether all Kafka
// partitions could be fetched.
func (s *Source) poll(ctx context.Context) (fetches kgo.Fetches, ok bool) {
	limited, cancel := context.WithTimeout(ctx, quietLimit)
	defer cancel()
	fetches = s.client.PollRecords(limited, pollRecords)
	if ctx.Err() != nil {
		return fetches, false
	}

	// A long silence may mean that there is nothing, or that no broker answers.
	if fetches.NumRecords() == 0 && errors.Is(fetches.Err0(), context.DeadlineExceeded) {
		s.reach(ctx)
		return fetches, true
	}

	ok = true
	fetches.EachError(func(topic string, partition int32, err error) {
		s.o.Log.Warn("cannot fetch from Kafka", "topic", topic, "partition", partition, "err", err)
		ok = false
	})

	return fetches, ok
}

// rewind makes the next poll begin where this one began.
func (s *Source) rewind(fetches kgo.Fetches) {
	begin := map[string]map[int32]kgo.EpochOffset{}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		if begin[p.Topic] == nil {
			begin[p.Topic] = map[int32]kgo.EpochOffset{}
		}

		// A Kafka partition may come more than once: its first message counts.
		first := p.Records[0]
		known, ok := begin[p.Topic][p.Partition]
		if !ok || first.Offset < known.Offset {
			begin[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: first.LeaderEpoch, Offset: first.Offset}
		}
	})

	s.client.SetOffsets(begin)
}

// close leaves the group, so that other members need not wait for the session to
// expire. It gives up after commitLimit if no broker answers.
func (s *Source) close() {
	ctx, cancel := context.WithTimeout(context.Background(), commitLimit)
	defer cancel()
	s.client.AllowRebalance()
	if err := s.client.LeaveGroupContext(ctx); err != nil {
		s.o.Log.Warn("cannot leave the consumer group", "err", err)
	}
	s.client.Close()
}

// clientLog writes the client's errors to a log. Its warnings would only repeat them.
type clientLog struct{ log *slog.Logger }

func (clientLog) Level() kgo.LogLevel { return kgo.LogLevelError }

func (l clientLog) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	l.log.Error("kafka client: "+msg, keyvals...)
}
