package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// TestTorture runs a server under load, and everything that an operator can do to it, and
// kills both at random moments. In the end every ID that was acknowledged is stored
// exactly once, in the data folder and in what was restored from backups, and check finds
// nothing. Retention runs with clocks that jump.
//
// `go test -tags torture -run Torture ./cmd/tmserver` does so for ten minutes;
// TORTURE_TIME=1h changes that, and TORTURE_SEED=N, which every run prints, makes the same
// decisions again. (The moments of kills depend on the machine, too.)
func TestTorture(t *testing.T) {
	duration := tortureTime
	if testing.Short() {
		duration = 3 * time.Second
	}
	if text := os.Getenv("TORTURE_TIME"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TORTURE_SEED=%d", seed)

	o := newTormentor(t, seed)
	for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); {
		o.round()
	}
	o.finish()
}

// tormentor is the operator of the torture: a data folder, its backups, and what must be
// in them.
type tormentor struct {
	t      *testing.T
	random *rand.Rand
	dir    string // data folder
	backup string
	good   string // folder of a filter that keeps everything
	broken string // folder of a filter that quarantines some
	bodies [][]byte

	rounds  int
	server  *ingesttest.Server // nil: none runs
	clients sync.WaitGroup

	mu    sync.Mutex      // protects what follows
	acked map[string]bool // answered with 200, or imported
	again []submission    // without an answer, to be sent again; the server may have them

	before map[string]map[string]bool // by snapshot: what was acknowledged before it
	noSeen map[string]bool            // snapshots without the index of repeats
}

func newTormentor(t *testing.T, seed uint64) *tormentor {
	o := &tormentor{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), backup: t.TempDir(), good: t.TempDir(), broken: t.TempDir(),
		acked: map[string]bool{}, before: map[string]map[string]bool{}, noSeen: map[string]bool{},
	}
	if err := gen.WriteCache(filepath.Join(o.dir, layout.RevisionCacheDir)); err != nil {
		t.Fatal(err)
	}
	g := gen.New(1)
	for i := range 10 {
		o.bodies = append(o.bodies, gzipped(g.Ping(i).JSON))
	}

	for dir, text := range map[string]string{
		o.good:   `export function ingest(id, dims, ping) { }`,
		o.broken: `export function ingest(id, dims, ping) { if (id.endsWith("7")) return {quarantine: "a mistake"} }`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "ingest.js"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// chance says yes with that probability.
func (o *tormentor) chance(p float64) bool { return o.random.Float64() < p }

// copyAcked returns what is acknowledged now.
func (o *tormentor) copyAcked() map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.acked)
}

// round is the life of one server, with some commands beside it and after it.
func (o *tormentor) round() {
	o.rounds++
	o.serve()
	for range 1 + o.random.IntN(3) {
		o.beside()
	}
	o.endServer()

	for range o.random.IntN(3) {
		o.beside()
	}
	if o.chance(0.3) {
		o.restoreBack()
	}
	if o.chance(0.5) {
		o.restoreElsewhere()
	}
}

// serve starts a server and the clients that load it.
func (o *tormentor) serve() {
	filters := o.good
	if o.chance(0.3) {
		filters = o.broken
	}
	o.server = ingesttest.Serve(o.t, "tmserver", o.dir, "--max-log-size", "200000", "--max-log-age", "500ms", "--reserve", "0",
		"--workers", strconv.Itoa(1+o.random.IntN(2)), "--filters", filters)

	for k := range 4 {
		o.clients.Go(func() { o.submit(o.server.URL, fmt.Sprintf("r%d-c%d", o.rounds, k)) })
	}
	o.pause(400 * time.Millisecond)
}

// submission is what a client sends.
type submission struct {
	id   string
	body []byte
}

// submit posts submissions until the server is gone: what got no answer from another
// server, and new ones with IDs of their own.
func (o *tormentor) submit(url, name string) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; ; i++ {
		next := submission{fmt.Sprintf("%s-%d", name, i), o.bodies[i%len(o.bodies)]}
		o.mu.Lock()
		if n := len(o.again); n > 0 {
			next = o.again[n-1]
			o.again = o.again[:n-1]
		}
		o.mu.Unlock()

		code := 0
		resp, err := client.Post(url+"/submit/telemetry/"+next.id, "application/json", bytes.NewReader(next.body))
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			code = resp.StatusCode
		}

		o.mu.Lock()
		if code == http.StatusOK {
			o.acked[next.id] = true
		} else {
			o.again = append(o.again, next)
		}
		o.mu.Unlock()
		if err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond) // what is stored must be read again and again
	}
}

// endServer kills the server, or ends it as it should be ended.
func (o *tormentor) endServer() {
	if o.chance(0.6) {
		o.t.Logf("round %d: the server is killed", o.rounds)
		o.server.Kill()
	} else {
		o.server.Stop(o.t)
	}
	o.server = nil
	o.clients.Wait()
}

// pause waits for some time, at most so long.
func (o *tormentor) pause(most time.Duration) {
	time.Sleep(time.Duration(o.random.Int64N(int64(most))))
}

// beside runs a command that may run beside a server.
func (o *tormentor) beside() {
	switch o.random.IntN(7) {
	case 0:
		o.run([]int{0, 1, 3}, nil, "convert", "--data-dir", o.dir, "--offline", "--filters", o.good)
	case 1:
		o.run([]int{0, 1}, nil, "compact", "--data-dir", o.dir, "--grace", "0s")
	case 2:
		// A clock that is ahead, as far as to expire everything, or behind.
		jump := []string{"9000h", "-9000h", "24h", "87600h"}[o.random.IntN(4)]
		o.run([]int{0, 1}, []string{clockEnv + "=" + jump}, "compact", "--data-dir", o.dir, "--keep", "30d")
	case 3:
		o.run([]int{0, 1, 3}, nil, "invalid", "replay", "--data-dir", o.dir, "--offline", "--filters", o.good)
	case 4:
		o.importFile()
	default:
		o.save()
	}
}

// run runs a command, and kills it with some probability: at a random moment or at a
// random change of the data folder. It returns its exit code and its stdout.
func (o *tormentor) run(exits []int, env []string, args ...string) (code int, stdout string) {
	o.t.Helper()
	cmd := exec.Command("tmserver", args...)
	cmd.Env = append(os.Environ(), env...)
	how := ""
	var after time.Duration
	switch o.random.IntN(4) {
	case 0:
		after = 20*time.Millisecond + time.Duration(o.random.Int64N(int64(600*time.Millisecond)))
		how = fmt.Sprintf(", killed after %v", after)
	case 1:
		at := o.random.IntN(80)
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAtEnv, at))
		how = fmt.Sprintf(", killed at change %d", at)
	}

	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	cmd.Wait()

	code = cmd.ProcessState.ExitCode()
	o.t.Logf("round %d: %v%s: exit code %d", o.rounds, args, how, code)
	if !slices.Contains(exits, code) && code != killed {
		o.t.Errorf("tmserver %v: exit code %d, want one of %v\n%s%s", args, code, exits, &out, &errs)
	}
	return code, out.String()
}

// always runs a command, again when it was killed, until it ends by itself.
func (o *tormentor) always(exits []int, args ...string) (stdout string) {
	o.t.Helper()
	for {
		code, stdout := o.run(exits, nil, args...)
		if code != killed || o.t.Failed() {
			return stdout
		}
	}
}

// importFile imports a raw log from elsewhere, until that succeeds, and sometimes again.
func (o *tormentor) importFile() {
	name := filepath.Join(o.t.TempDir(), "elsewhere.v4")
	log := rawlog.AppendHead(nil, 7)
	var ids []string
	for i := range 20 {
		id := fmt.Sprintf("import%d-%d-%d", o.rounds, o.random.IntN(1e9), i)
		ids = append(ids, id)
		log = rawlog.AppendEntry(log, &rawlog.Submission{Path: id, Body: o.bodies[i%len(o.bodies)], Time: time.Now()}, 7)
	}
	if err := os.WriteFile(name, log, 0o666); err != nil {
		o.t.Fatal(err)
	}

	for again := true; again; again = o.chance(0.3) {
		for {
			code, _ := o.run([]int{0, 1, 3}, nil, "import", "--data-dir", o.dir, "--offline", "--filters", o.good, name)
			if code == 0 || code == 3 || o.t.Failed() {
				break
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		o.acked[id] = true
	}
}

var snapshotName = regexp.MustCompile(`snapshot ([0-9TZa-f-]+)`)

// save makes a backup, and notes what must be in it.
func (o *tormentor) save() {
	acked := o.copyAcked()
	code, stdout := o.run([]int{0, 1, 3}, nil, "backup", "--data-dir", o.dir, "--keep", "5", o.backup)
	if name := snapshotName.FindStringSubmatch(stdout); name != nil {
		o.before[name[1]] = acked
		o.noSeen[name[1]] = code == 3 // the index of repeats was in use
	}
}

// restoreBack restores an old snapshot over the data folder: old raw logs, segments and
// state beside new ones. No server runs.
func (o *tormentor) restoreBack() {
	if len(o.before) == 0 {
		return
	}
	o.always([]int{0, 3}, "restore", "--data-dir", o.dir, "--force", o.backup)
}

// restoreElsewhere restores the newest snapshot, and requires what was acknowledged before
// it began.
func (o *tormentor) restoreElsewhere() {
	if len(o.before) == 0 {
		return
	}
	dir := filepath.Join(o.t.TempDir(), "restored")
	stdout := o.always([]int{0}, "restore", "--data-dir", dir, o.backup)
	name := snapshotName.FindStringSubmatch(stdout)
	if name == nil {
		o.t.Errorf("restore printed %q", stdout)
		return
	}
	o.require("what was restored from "+name[1], dir, o.before[name[1]], o.noSeen[name[1]])
	if err := os.RemoveAll(dir); err != nil {
		o.t.Fatal(err)
	}
}

// require converts what there is to convert in a data folder, and requires that it has
// these IDs once, and nothing twice (unless there may be repeats), and that check finds
// nothing.
func (o *tormentor) require(what, dir string, want map[string]bool, mayRepeat bool) {
	o.t.Helper()
	o.always([]int{0, 3}, "convert", "--data-dir", dir, "--offline", "--filters", o.good)
	o.always([]int{0, 3}, "invalid", "replay", "--data-dir", dir, "--offline", "--filters", o.good)
	o.always([]int{0}, "compact", "--data-dir", dir, "--grace", "0s")
	o.always([]int{0}, "check", "--data-dir", dir)

	stored := ingesttest.Published(o.t, dir)
	lost, doubled := 0, 0
	for id := range want {
		if stored[id] == 0 {
			lost++
			o.t.Errorf("%s: %s was acknowledged and is not there", what, id)
		}
	}
	for id, n := range stored {
		if n > 1 && !mayRepeat {
			doubled++
			o.t.Errorf("%s: %s is there %d times", what, id, n)
		}
	}
	o.t.Logf("%s: %d acknowledged, %d stored, %d lost, %d doubled", what, len(want), len(stored), lost, doubled)
}

// finish requires everything.
func (o *tormentor) finish() {
	o.t.Logf("%d rounds", o.rounds)
	o.require("the data folder", o.dir, o.copyAcked(), false)
	if len(o.acked) == 0 {
		o.t.Error("nothing was acknowledged")
	}
}
