package ingest

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Metrics counts what happens to submissions on their way. Label values are
// bounded: status codes, classes, at most maxChannels channels and maxReasons
// reasons of filters, and the last maxDays days. It is safe for concurrent use.
type Metrics struct {
	requests  *prometheus.CounterVec // by code
	byCode    [600]prometheus.Counter
	bytes     prometheus.Counter
	latency   prometheus.Histogram
	sync      prometheus.Histogram
	batch     prometheus.Histogram
	records   *prometheus.CounterVec // by channel
	invalid   *prometheus.CounterVec // by class, channel and day of receipt
	filtered  *prometheus.CounterVec // by reason
	forgotten prometheus.Counter
	over      *prometheus.CounterVec // by kind
	lost      prometheus.Counter
	damaged   prometheus.Counter
	strange   prometheus.Counter
	conflict  prometheus.Counter
	failed    prometheus.Counter

	channels, reasons boundedSet

	mu   sync.Mutex    // protects days
	days []schema.Date // that invalid has series of, oldest first
}

const namespace = "telemetry"

// latencyBuckets reach from a fast disk's sync to a client that waits long.
var latencyBuckets = prometheus.ExponentialBuckets(0.0002, 2, 16) // 0.2 ms to 6.5 s

// NewMetrics returns metrics that are registered with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	// All metrics begin with the same name.
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}

	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}

	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	}

	m := &Metrics{
		requests:  vec("requests_total", "Requests to the public listener.", "code"),
		bytes:     counter("received_bytes_total", "Bytes of the bodies that were made durable."),
		latency:   histogram("request_duration_seconds", "Time from a request's head to its answer.", latencyBuckets),
		sync:      histogram("raw_log_commit_seconds", "Time to write and sync a batch of submissions.", latencyBuckets),
		batch:     histogram("raw_log_batch_submissions", "Submissions made durable by one sync.", prometheus.ExponentialBuckets(1, 2, 12)),
		records:   vec("records_total", "Records published.", "channel"),
		invalid:   vec("invalid_total", "Submissions quarantined, by the day of their receipt: the last ones that came.", "class", "channel", "day"),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{Name: "telemetry_forgotten_total", Help: "Submissions that were dropped because their client asked to be forgotten."}),
		filtered:  vec("filtered_total", "Submissions that the ingest filter dropped.", "reason"),
		over:      vec("over_limit_total", "Submissions whose new partition, or other new value, became OTHER because there were too many.", "kind"),
		lost:      counter("raw_log_lost_bytes_total", "Bytes of raw logs passed over as damage."),
		damaged:   counter("raw_logs_damaged_total", "Raw logs of which not all could be read; they are kept in state/damaged."),
		conflict:  counter("conflicts_total", "Records published whose document ID another one has, with another body."),
		strange:   counter("raw_folder_strangers_total", "Files in raw/ that are no raw logs, and stay there."),
		failed:    counter("raw_log_failures_total", "Batches that could not be made durable."),
		channels:  boundedSet{max: maxChannels},
		reasons:   boundedSet{max: maxReasons},
	}

	// Series of usual codes exist from the start, and counting them needs no lookup.
	reg.MustRegister(m.requests, m.bytes, m.latency, m.sync, m.batch, m.records, m.invalid, m.filtered, m.forgotten, m.over, m.lost, m.damaged, m.strange, m.conflict, m.failed)
	for _, code := range []int{200, 202, 204, 400, 404, 405, 411, 413, 500, 503, 507} {
		m.byCode[code] = m.requests.WithLabelValues(strconv.Itoa(code))
	}

	return m
}

// request counts an answered request.
func (m *Metrics) request(code int, took time.Duration) {
	m.Answered(code)
	m.latency.Observe(took.Seconds())
}

// Answered counts an answer; see FewerReads.
func (m *Metrics) Answered(code int) {
	if c := m.byCode[min(max(code, 0), len(m.byCode)-1)]; c != nil {
		c.Inc()
	} else {
		m.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	}
}

// Committed counts a batch of submissions; see rawlog.Options.
func (m *Metrics) Committed(submissions int, took time.Duration, err error) {
	m.sync.Observe(took.Seconds())
	m.batch.Observe(float64(submissions))
	if err != nil {
		m.failed.Inc()
	}
}

// Converted counts what became of a raw log.
func (m *Metrics) Converted(s worker.Stats) {
	for _, p := range s.Published {
		channel := m.channels.bounded(p.Dims[schema.Channel])
		if !p.Quarantined {
			m.records.WithLabelValues(channel).Add(float64(p.Records))
			continue
		}

		// The class is the folder of the segment in the quarantine.
		class := strings.SplitN(p.Path, "/", 3)[1] // invalid/<class>/…
		day := m.dayLabel(schema.Date(p.Dims[schema.SubmissionDate]))
		m.invalid.WithLabelValues(class, channel, day).Add(float64(p.Records))
	}

	// A script may make up any number of reasons, so those are bounded too.
	m.forgotten.Add(float64(s.Forgotten))
	for reason, n := range s.Filtered {
		m.filtered.WithLabelValues(m.reasons.bounded(reason)).Add(float64(n))
	}

	for kind, values := range s.OverLimit {
		for _, n := range values {
			m.over.WithLabelValues(kind).Add(float64(n))
		}
	}

	m.lost.Add(float64(s.BytesLost))
	m.conflict.Add(float64(s.Conflicts))
	m.damaged.Add(float64(len(s.Kept)))
}

// Stranger counts a file in raw/ that is no raw log, once.
func (m *Metrics) Stranger() { m.strange.Inc() }

// maxDays bounds the days of receipt that have series of their own.
const maxDays = 8

// olderDay is the label of the days before those.
const olderDay = "older"

// dayLabel returns the label of a day, which is olderDay for one before the last
// maxDays that came. A new day takes the place of the oldest, whose series go.
func (m *Metrics) dayLabel(day schema.Date) string {
	m.mu.Lock()
	defer m.mu.Unlock()

	i, found := slices.BinarySearch(m.days, day)
	switch {
	case found:
		return string(day)
	case len(m.days) == maxDays && i == 0:
		return olderDay
	case len(m.days) == maxDays:
		m.invalid.DeletePartialMatch(prometheus.Labels{"day": string(m.days[0])})
		m.days = slices.Delete(m.days, 0, 1)
		i--
	}

	m.days = slices.Insert(m.days, i, day)
	return string(day)
}

// RegisterBacklog adds gauges of the data folder's backlog and free space. Their
// values are read when the metrics are.
func RegisterBacklog(reg prometheus.Registerer, data *layout.Data) {
	gauge := func(name, help string, read func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
	}

	// The folder is listed when the metrics are read, not each time it changes.
	backlog := func(of func(intake.Backlog) float64) func() float64 {
		return func() float64 {
			b, _ := intake.ReadBacklog(data.Root(), time.Now()) // zero if raw/ cannot be read
			return of(b)
		}
	}

	gauge("raw_log_backlog_logs", "Raw logs that wait for conversion.", backlog(func(b intake.Backlog) float64 { return float64(b.Logs) }))
	gauge("raw_log_backlog_bytes", "Bytes of raw logs that wait for conversion.", backlog(func(b intake.Backlog) float64 { return float64(b.Bytes) }))
	gauge("raw_log_backlog_seconds", "Age of the oldest raw log that waits for conversion.", backlog(func(b intake.Backlog) float64 { return b.Oldest }))
	gauge("free_bytes", "Free space on the data folder's disk.", func() float64 {
		n, _ := rawlog.FreeSpace(data.Root())
		return float64(n)
	})
}

const (
	maxChannels = 50 // with series of their own; schemas name four
	maxReasons  = 50 // of filters, which should name few
)

// usualChannels always have series of their own: clients that make up channels cannot
// take their places.
var usualChannels = []string{"release", "esr", "beta", "aurora", "nightly", "default", schema.Unknown}

// boundedSet is a set of label values that stops growing.
type boundedSet struct {
	max int

	mu   sync.Mutex // protects seen
	seen map[string]bool
}

// bounded returns value, or OTHER if there are max different ones already besides the
// usual ones.
func (b *boundedSet) bounded(value string) string {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.seen[value] || slices.Contains(usualChannels, value) {
		return value
	}
	if len(b.seen) >= b.max {
		return schema.Other
	}
	// There is room for one more.
	if b.seen == nil {
		b.seen = map[string]bool{}
	}

	b.seen[value] = true
	return value
}
