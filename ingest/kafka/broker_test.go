package kafka

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
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
	addr, logins string // of the listeners without login, and with the login "me" with "secret"
	process      *exec.Cmd
}

func newRealBroker(t *testing.T) *realBroker {
	t.Helper()
	b := &realBroker{jars: jars(t), config: filepath.Join(t.TempDir(), "server.properties")}
	ports := ingesttest.FreePorts(t, 3)
	b.addr, b.logins = fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[2])
	config := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,SASL_PLAINTEXT://127.0.0.1:%[3]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d,SASL_PLAINTEXT://127.0.0.1:%[3]d
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_me="secret";
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[4]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.enable=false
`, ports[0], ports[1], ports[2], filepath.Join(t.TempDir(), "log"))
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

	ingesttest.Wait(t, func() bool {
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

// serve has a real server log in and read the topic into dir.
func serve(t *testing.T, program, dir string, b *realBroker) *ingesttest.Server {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ingesttest.Serve(t, program, dir, "--reserve=0", "--max-log-size=100000", "--kafka-brokers", b.logins, "--kafka-topic", topic, "--kafka-group", group,
		"--kafka-sasl=plain", "--kafka-user=me", "--kafka-password-file", password)
}

// TestRealBroker has a real server read from a real broker, while the broker is
// stopped and killed, and the server is killed. Every message gets into the store
// exactly once, even when all of them are delivered again.
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
	ingesttest.Wait(t, func() bool { // a broker that takes connections may not have registered yet
		_, err := admin.CreateTopic(t.Context(), partitions, 1, nil, topic)
		if err != nil {
			t.Log(err)
		}

		return err == nil || errors.Is(err, kerr.TopicAlreadyExists)
	})
	if got := complaint(t, nil, []string{broker.logins}, Security{Mechanism: "plain", User: "me", Password: "wrong"}); !strings.Contains(got, "SASL_AUTHENTICATION_FAILED") {
		t.Errorf("a wrong password: %s", got)
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
	first := serve(t, program, dir, broker)
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
	first.Kill()
	disturbances++
	sentAll()
	second := serve(t, program, dir, broker)
	produce()()

	offsets := func() kadm.OffsetResponses {
		found, err := admin.FetchOffsets(t.Context(), group)
		if err != nil {
			t.Log(err) // the broker is still coming up
		}

		return found
	}

	readAll := func() bool {
		n := 0
		offsets().Each(func(o kadm.OffsetResponse) { n += int(max(o.At, 0)) })
		return n >= sent
	}

	ingesttest.Wait(t, readAll)
	second.Stop(t)
	begin := kadm.Offsets{}
	for p := range int32(partitions) {
		begin.AddOffset(topic, p, 0, -1)
	}
	if err := admin.CommitAllOffsets(t.Context(), group, begin); err != nil {
		t.Fatal(err)
	}

	third := serve(t, program, dir, broker)
	ingesttest.Wait(t, readAll)
	third.Stop(t)

	// Delivered at least once, stored exactly once.
	got := ingesttest.Published(t, dir)
	for i := range sent {
		if n := got[fmt.Sprint("id", i)]; n != 1 {
			t.Errorf("id%d is stored %d times", i, n)
		}
	}
	if len(got) != sent {
		t.Errorf("%d IDs are stored, %d were sent", len(got), sent)
	}

	again := 0
	logs := first.Log.String() + second.Log.String() + third.Log.String()
	for _, m := range regexp.MustCompile(`repeated=(\d+)`).FindAllStringSubmatch(logs, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}

		again += n
	}

	t.Logf("%d messages, %d disturbances: all stored once, %d were delivered again and dropped", sent, disturbances, again)
	if again < sent || again > sent+disturbances*pollRecords {
		t.Errorf("%d messages were delivered again; want all %d, and at most one round for each disturbance", again, sent)
	}
}
