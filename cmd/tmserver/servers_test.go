package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
)

// network forwards connections to an address until it is cut.
type network struct {
	net.Listener
	to  string
	mu  sync.Mutex // protects what follows
	cut bool
	on  map[net.Conn]bool
}

func newNetwork(t *testing.T, to string) *network {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Listener: listener, to: to, on: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close(); n.setCut(true) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go n.forward(conn)
		}
	}()
	return n
}

// setCut cuts the network, with all its connections, or repairs it.
func (n *network) setCut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	for conn := range n.on {
		if cut {
			conn.Close()
		}
	}
}

// add notes a connection, unless the network is cut.
func (n *network) add(conn net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.on[conn] = true
	return !n.cut
}

func (n *network) forward(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", n.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !n.add(conn) || !n.add(server) {
		return
	}

	// Either end ends both.
	go func() {
		io.Copy(server, conn)
		server.Close()
	}()
	io.Copy(conn, server)

	n.mu.Lock()
	delete(n.on, conn)
	delete(n.on, server)
	n.mu.Unlock()
}

// startTool starts a program that only CI must have, and which is killed at the end.
func startTool(t *testing.T, address, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdout = t.Output()
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal("CI skips nothing: ", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ingesttest.Wait(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// balancer starts HAProxy before the servers, and returns its URL.
func balancer(t *testing.T, servers []*ingesttest.Server) string {
	address := fmt.Sprintf("127.0.0.1:%d", ingesttest.FreePorts(t, 1)[0])
	text := "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n option redispatch\n retries 2\n" +
		"listen telemetry\n bind " + address + "\n balance roundrobin\n option httpchk GET /__lbheartbeat__\n"
	for i, server := range servers {
		text += fmt.Sprintf(" server s%d %s check inter 200ms\n", i, strings.TrimPrefix(server.URL, "http://"))
	}
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	startTool(t, address, "haproxy", "-db", "-f", config)
	return "http://" + address
}

// submit posts a submission and says whether it was acknowledged.
func submit(url, id string, body []byte) bool {
	answer, err := http.Post(url+"/submit/telemetry/"+id, "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// TestSeveralServers: three servers behind HAProxy publish in one object store. One is killed,
// and the store's network is cut, in the middle. After a compaction, every acknowledged ID is
// there once, also those that two servers received.
func TestSeveralServers(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("needs HAProxy and versitygw; CI=true runs it")
	}

	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o777); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", ingesttest.FreePorts(t, 1)[0])
	startTool(t, address, "versitygw", "--port", address, "--access", "K", "--secret", "S", "posix", root)
	network := newNetwork(t, address)
	store := backendtest.URL(t, "http://"+network.Addr().String())

	// Small raw logs, so that they are published all the time.
	var dirs []string
	start := func(dir string) *ingesttest.Server {
		return ingesttest.Serve(t, "tmserver", dir, "--publish-to", store, "--max-log-size", "200000", "--workers", "1", "--compact-every", "0")
	}
	var servers []*ingesttest.Server
	for range 3 {
		dir := t.TempDir()
		if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
		servers = append(servers, start(dir))
	}
	url := balancer(t, servers)

	generator := gen.New(1)
	bodies := make([][]byte, 10)
	for i := range bodies {
		bodies[i] = bytes.Clone(generator.Ping(i).JSON)
	}

	// Each client sends a submission until it is acknowledged, as Firefox does.
	const clients, each = 4, 100
	var done atomic.Int64
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%08d-0000-4000-8000-%012d", client, i)
				for !submit(url, id, bodies[i%len(bodies)]) {
				}

				// What happens depends on how many are done, not on the time.
				switch done.Add(1) {
				case clients * each / 4:
					network.setCut(true)
				case clients * each / 2:
					servers[0].Process.Kill()
				case clients * each * 3 / 4:
					network.setCut(false)
				}
			}
		})
	}
	wait.Wait()

	// Two servers receive the same: one answered too late, and the client tried another.
	for i := range 20 {
		id := fmt.Sprintf("%08d-0000-4000-8000-%012d", clients, i)
		if !submit(servers[1].URL, id, bodies[0]) || !submit(servers[2].URL, id, bodies[0]) {
			t.Fatal("a submission was not acknowledged")
		}
	}

	// The disk of the one that was killed is there again. All publish what they have.
	servers[0].Kill()
	servers[0] = start(dirs[0])
	for i, server := range servers {
		server.Stop(t)
		if left, _ := os.ReadDir(filepath.Join(dirs[i], layout.RawDir)); len(left) > 0 {
			t.Errorf("server %d left in raw/: %v", i, left)
		}
	}
	if twice := fmt.Sprintf("%08d-0000-4000-8000-%012d", clients, 0); ingesttest.Published(t, store)[twice] != 2 {
		t.Error("what two servers received was not published by both")
	}

	// Compactions on several hosts: one at a time has the lock.
	compact := func() (string, int) {
		cmd := exec.Command("tmserver", "compact", "--data-dir", store, "--grace", "0s", "--drop-repeats", "--zstd", "")
		said, _ := cmd.CombinedOutput()
		return string(said), cmd.ProcessState.ExitCode()
	}
	var compactions sync.WaitGroup
	for range 3 {
		compactions.Go(func() {
			said, code := compact()
			if code != 0 && !(code == 1 && strings.Contains(said, "another compaction")) {
				t.Errorf("compact ended with %d: %s", code, said)
			}
		})
	}
	compactions.Wait()
	if said, code := compact(); code != 0 {
		t.Errorf("compact ended with %d: %s", code, said)
	}

	stored := ingesttest.Published(t, store)
	for client := range clients + 1 {
		for i := range map[bool]int{true: each, false: 20}[client < clients] {
			id := fmt.Sprintf("%08d-0000-4000-8000-%012d", client, i)
			if stored[id] != 1 {
				t.Errorf("%s was acknowledged and is stored %d times", id, stored[id])
			}
		}
	}
	if len(stored) != clients*each+20 {
		t.Errorf("%d IDs are stored, want %d", len(stored), clients*each+20)
	}
}
