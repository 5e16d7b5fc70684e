package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic      = "telemetry"
	group      = "readers"
	partitions = 3
)

// bed is a fake cluster and a real raw log.
type bed struct {
	*kfake.Cluster
	security Security
	client   *kgo.Client
	dir      string
	log      *rawlog.Log
}

// newBed returns a cluster with these options besides its own, and a client of it,
// which security says how to make.
func newBed(t *testing.T, security Security, opts ...kfake.Opt) *bed {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(2), kfake.SeedTopics(partitions, topic))...)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(c.Close)
	secured, err := security.options()
	if err != nil {
		t.Fatal(err)
	}

	client, err := kgo.NewClient(append(secured, kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(client.Close)
	b := &bed{Cluster: c, security: security, client: client, dir: t.TempDir()}
	b.log = ingesttest.Log(t, b.dir, func(o *rawlog.Options) { o.Reserve = 0 })
	return b
}

// produce sends messages with the IDs <prefix>0, <prefix>1, … to all partitions.
func (b *bed) produce(t *testing.T, prefix string, n int) {
	t.Helper()
	rs := make([]*kgo.Record, n)
	for i := range rs {
		rs[i] = &kgo.Record{Key: fmt.Append(nil, prefix, i), Value: []byte("{}"), Partition: int32(i % partitions)}
	}
	b.send(t, rs...)
}

func (b *bed) send(t *testing.T, rs ...*kgo.Record) {
	t.Helper()
	if err := b.client.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// start runs a source until the returned function is called, which waits for it.
func (b *bed) start(t *testing.T, log Log, reg prometheus.Registerer) (stop func()) {
	t.Helper()
	s, err := New(log, Options{Brokers: b.ListenAddrs(), Topic: topic, Group: group, Security: b.security, MaxBody: 1000, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// committed returns the sum of the group's offsets.
func (b *bed) committed(t *testing.T) (n int64) {
	t.Helper()
	offsets, err := kadm.NewClient(b.client).FetchOffsets(t.Context(), group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

// waitCommitted waits until the group has read n messages.
func (b *bed) waitCommitted(t *testing.T, n int64) {
	t.Helper()
	ingesttest.Wait(t, func() bool { return b.committed(t) >= n })
	if got := b.committed(t); got != n {
		t.Fatalf("offsets committed: %d, want %d", got, n)
	}
}

// stored closes the raw log and counts the submissions by path.
func (b *bed) stored(t *testing.T) map[string]int {
	t.Helper()
	if err := b.log.Close(); err != nil {
		t.Fatal(err)
	}

	got := map[string]int{}
	for _, s := range ingesttest.Stored(t, b.dir) {
		path, _, _ := strings.Cut(s, "=")
		got[path]++
	}
	return got
}

// each requires n paths with that prefix, each exactly once.
func each(t *testing.T, got map[string]int, prefix string, n int) {
	t.Helper()
	for i := range n {
		if id := fmt.Sprint(prefix, i); got[id] != 1 {
			t.Errorf("%s is stored %d times", id, got[id])
		}
	}
}

func TestTopicToRawLog(t *testing.T) {
	b := newBed(t, Security{})
	b.produce(t, "before", 2500) // more than two rounds
	reg := prometheus.NewRegistry()
	stop := b.start(t, b.log, reg)
	// What is poison to one message must not be to the next.
	b.send(t,
		&kgo.Record{Value: []byte("{}"), Partition: 1},
		&kgo.Record{Key: []byte("deleted"), Partition: 1},
		&kgo.Record{Key: []byte("huge"), Value: make([]byte, 1001), Partition: 1},
		&kgo.Record{Key: []byte("tab\tand\nnewline"), Value: []byte("{}"), Partition: 1},
	)
	b.produce(t, "after", 30)
	b.waitCommitted(t, 2534)
	stop()
	got := b.stored(t)
	each(t, got, "before", 2500)
	each(t, got, "after", 30)
	if got["tab\tand\nnewline"] != 1 {
		t.Error("an ID with a tab is not in the raw log")
	}

	unnamed := 0
	for path := range got {
		if strings.HasPrefix(path, "kafka/telemetry/1/") {
			unnamed++
		}
	}
	if unnamed != 2 || len(got) != 2533 {
		t.Errorf("%d without key or too large, %d in all", unnamed, len(got))
	}

	const want = `# HELP telemetry_kafka_messages_total Messages consumed, by what became of them.
# TYPE telemetry_kafka_messages_total counter
telemetry_kafka_messages_total{class="appended"} 2531
telemetry_kafka_messages_total{class="bad_envelope"} 0
telemetry_kafka_messages_total{class="missing_id"} 1
telemetry_kafka_messages_total{class="skipped"} 1
telemetry_kafka_messages_total{class="too_large"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// refusing refuses until allowed.
type refusing struct {
	Log
	mu      sync.Mutex // protects what follows
	refused int
	allowed bool
}

func (r *refusing) Append(ctx context.Context, subs ...rawlog.Submission) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.allowed {
		r.refused++
		return rawlog.ErrReserve
	}
	return r.Log.Append(ctx, subs...)
}

func TestRefusedMessagesAreFetchedAgain(t *testing.T) {
	b := newBed(t, Security{})
	b.produce(t, "id", 100)
	log := &refusing{Log: b.log}
	stop := b.start(t, log, nil)
	ingesttest.Wait(t, func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return log.refused >= 3
	})
	if n := b.committed(t); n != 0 {
		t.Errorf("%d messages committed that are not durable", n)
	}

	log.mu.Lock()
	log.allowed = true
	log.mu.Unlock()
	b.waitCommitted(t, 100)
	stop()
	got := b.stored(t)
	each(t, got, "id", 100)
}

func TestRebalanceLosesAndDoublesNothing(t *testing.T) {
	b := newBed(t, Security{})
	const rounds, perRound = 6, 300
	stop := b.start(t, b.log, nil)
	for i := range rounds {
		b.produce(t, fmt.Sprintf("r%d-", i), perRound)
		next := b.start(t, b.log, nil) // a second member joins; the first leaves
		b.produce(t, fmt.Sprintf("s%d-", i), perRound)
		stop()
		stop = next
	}

	b.waitCommitted(t, 2*rounds*perRound)
	stop()
	got := b.stored(t)
	for i := range rounds {
		each(t, got, fmt.Sprintf("r%d-", i), perRound)
		each(t, got, fmt.Sprintf("s%d-", i), perRound)
	}
}

// A commit that is lost means that the messages come again: at least once.
func TestLostCommitDeliversAgain(t *testing.T) {
	b := newBed(t, Security{})
	b.produce(t, "id", 50)
	fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: -1})
	reg := prometheus.NewRegistry()
	stop := b.start(t, b.log, reg)
	ingesttest.Wait(t, func() bool { return fault.Hits() > 0 && sum(t, reg) >= 50 })
	stop()
	fault.Remove()
	stop = b.start(t, b.log, nil)
	b.waitCommitted(t, 50)
	stop()
	twice := 0
	for id, n := range b.stored(t) {
		if n < 1 {
			t.Errorf("%s is lost", id)
		}
		if n > 1 {
			twice++
		}
	}
	if twice == 0 {
		t.Error("nothing came twice, so no commit was lost")
	}
}

// sum returns how many messages a source has counted.
func sum(t *testing.T, reg *prometheus.Registry) (n float64) {
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range families {
		for _, m := range f.Metric {
			n += m.Counter.GetValue()
		}
	}
	return n
}

func TestNewRefusesOptions(t *testing.T) {
	for _, o := range []Options{{}, {Brokers: []string{"127.0.0.1:1"}, Topic: "t"}} {
		if s, err := New(nil, o); err == nil {
			s.close()
			t.Errorf("%+v is accepted", o)
		}
	}
}

// A source that never finds a broker stops when it is told.
func TestNoBroker(t *testing.T) {
	s, err := New(nil, Options{Brokers: []string{"127.0.0.1:1"}, Topic: topic, Group: group})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
}
