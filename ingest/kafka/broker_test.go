package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/aitgithub/telemetry-server/layout"
)

// jars returns the class path of a real broker, as .ci/kafka has put it, or skips.
func jars(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a real broker takes a minute")
	}
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI skips nothing: %s", what)
		}
		t.Skip(what)
	}
	if _, err := exec.LookPath("java"); err != nil {
		missing("java is not installed")
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	found, err := filepath.Glob(filepath.Join(cache, "telemetry-server", "kafka", "*", "complete"))
	if err != nil || len(found) == 0 {
		missing("Kafka is not there; .ci/kafka fetches it")
	}
	return filepath.Join(filepath.Dir(found[len(found)-1]), "*")
}

// realBroker is a Kafka of one node, broker and controller in one (KRaft).
type realBroker struct {
	jars, config string
	addr         string
	process      *exec.Cmd
}

func newRealBroker(t *testing.T) *realBroker {
	t.Helper()
	b := &realBroker{jars: jars(t), config: filepath.Join(t.TempDir(), "server.properties")}
	ports := freePorts(t, 2)
	b.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	config := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
log.dirs=%[3]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.enable=false
`, ports[0], ports[1], filepath.Join(t.TempDir(), "log"))
	if err := os.WriteFile(b.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	format := exec.CommandContext(t.Context(), "java", "-Xmx128m", "-cp", b.jars, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", b.config)
	if out, err := format.CombinedOutput(); err != nil {
		t.Fatalf("format: %v\n%s", err, out)
	}
	b.start(t)
	t.Cleanup(func() { b.stop(t, syscall.SIGKILL) })
	return b
}

// start returns when the broker takes connections.
func (b *realBroker) start(t *testing.T) {
	t.Helper()
	b.process = exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", b.jars, "kafka.Kafka", b.config)
	b.process.Stderr = t.Output()
	if err := b.process.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool {
		conn, err := net.Dial("tcp", b.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (b *realBroker) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	if b.process == nil {
		return
	}
	if err := b.process.Process.Signal(signal); err != nil {
		t.Error(err)
	}
	b.process.Wait() // ends with a signal's or its own status
	b.process = nil
}

// freePorts returns ports of the loopback that nobody listened on just now.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// serve runs a real server that reads the topic into dir, until it is signalled.
func serve(t *testing.T, program, dir, broker string) (stop func(os.Signal)) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	c := exec.Command(program, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen=", "--offline", "--reserve=0",
		"--max-log-size=100000", "--ready-file", ready, "--kafka-brokers", broker, "--kafka-topic", topic, "--kafka-group", group)
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			c.Process.Kill()
			c.Wait()
		}
	})
	wait(t, func() bool { _, err := os.Stat(ready); return err == nil })
	return func(signal os.Signal) {
		t.Helper()
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil && signal != syscall.SIGKILL {
			t.Errorf("the server: %v", err)
		}
	}
}

// TestRealBroker has a real server read from a real broker, while the broker is
// stopped and killed, and the server is killed. Every message gets into the store.
func TestRealBroker(t *testing.T) {
	broker := newRealBroker(t)
	program := filepath.Join(t.TempDir(), "tmserver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/tmserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.addr), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	sent := 0
	produce := func() (sentAll func()) {
		var rs []*kgo.Record
		for range 1000 {
			rs = append(rs, &kgo.Record{Key: fmt.Append(nil, "id", sent), Value: []byte(`{"ver":2,"info":{"appName":"Firefox"}}`)})
			sent++
		}
		done := make(chan error, 1)
		go func() { done <- client.ProduceSync(t.Context(), rs...).FirstErr() }()
		return func() {
			t.Helper()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := t.TempDir()
	stop := serve(t, program, dir, broker.addr)
	produce()()

	disturbances := 0
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		sentAll := produce()
		broker.stop(t, signal)
		disturbances++
		broker.start(t)
		sentAll()
	}
	sentAll := produce()
	stop(syscall.SIGKILL)
	disturbances++
	sentAll()
	stop = serve(t, program, dir, broker.addr)
	produce()()

	wait(t, func() bool {
		n := 0
		offsets, err := admin.FetchOffsets(t.Context(), group)
		offsets.Each(func(o kadm.OffsetResponse) { n += int(max(o.At, 0)) })
		return err == nil && n >= sent
	})
	stop(syscall.SIGTERM)

	got := records(t, dir)
	again := 0
	for i := range sent {
		n := got[fmt.Sprint("id", i)]
		if n == 0 {
			t.Errorf("id%d is lost", i)
		}
		again += max(n-1, 0)
	}
	if len(got) != sent {
		t.Errorf("%d IDs are stored, %d were sent", len(got), sent)
	}
	t.Logf("%d messages, %d disturbances: all stored, %d of them delivered again", sent, disturbances, again)
	if again > disturbances*pollRecords {
		t.Errorf("%d messages were stored again, more than one round for each disturbance", again)
	}
}

// records counts how often each ID is in the published records of dir.
func records(t *testing.T, dir string) map[string]int {
	t.Helper()
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	segments, err := tree.Segments(t.Context(), layout.All())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, seg := range segments {
		r, err := tree.Open(seg, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		for {
			block, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(block) {
				id, _, _ := strings.Cut(string(line), "\t")
				got[id]++
			}
		}
		r.Close()
	}
	return got
}
