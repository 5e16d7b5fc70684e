package spark

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed driver.py
var driver []byte

var (
	// ErrMaster is returned (wrapped) when the master does not answer, or its URL has no known form.
	ErrMaster = errors.New("the Spark master")
	// ErrSubmit is returned (wrapped) when spark-submit cannot be run.
	ErrSubmit = errors.New("spark-submit")
	// ErrJob is returned (wrapped) when Spark has given up: a task's process died on
	// several machines, or there is no executor any more.
	ErrJob = errors.New("the Spark job failed")
)

// Cluster says where jobs run.
type Cluster struct {
	Submit  string   // the program spark-submit, or a path of it
	Master  string   // as spark-submit knows it: spark://host:port, local[2], yarn, k8s://…
	Conf    []string // properties for spark-submit, key=value
	Name    string   // that Spark's pages show
	WorkDir string   // for temporary data
	// Started is called when Spark has; it may be nil.
	Started func(cores int, application string)
}

// Job is a job for a cluster. Its fields do not change while it runs.
type Job struct {
	Shards  int      // reduce tasks; 0: one for each core
	Program string   // for the executors' platform
	Map     []string // arguments of the program, without --pack
	Reduce  []string
	Files   []string          // absolute paths of what map and reduce read by name
	Texts   map[string][]byte // files that are made up for them, by name in the working folder
	Dir     string            // the working folder of their names, an absolute path

	ScriptName string // by which map and reduce know the script; for the caller

	// Ended is called with how each task has ended: map tasks by their index, reduce tasks
	// by their shard. Its error, that of the task, ends the job.
	Ended func(phase string, number int, status json.RawMessage) error
}

// Rows are the packed rows of a job, a file for each shard. The caller closes it.
type Rows struct {
	files []*os.File
	dir   string
}

// openRows opens the files of the shards.
func openRows(dir string, shards int) (*Rows, error) {
	rows := &Rows{dir: dir}
	for shard := range shards {
		file, err := os.Open(filepath.Join(dir, strconv.Itoa(shard)))
		if err != nil {
			rows.Close()
			return nil, fmt.Errorf("rows of the job: %w", err)
		}
		rows.files = append(rows.files, file)
	}
	return rows, nil
}

// Readers returns what engine.MergeRows reads.
func (r *Rows) Readers() (readers []io.Reader) {
	for _, file := range r.files {
		readers = append(readers, file)
	}
	return readers
}

// Close removes the rows.
func (r *Rows) Close() {
	for _, file := range r.files {
		file.Close()
	}
	os.RemoveAll(r.dir)
}

// jobFile is what driver.py reads.
type jobFile struct {
	Shards  int               `json:"shards"`
	Archive string            `json:"archive"` // path#folder
	Rows    string            `json:"rows"`    // folder
	Cancel  string            `json:"cancel"`  // file that appears when the job is to end
	Tasks   []json.RawMessage `json:"tasks"`
}

// masterTimeout is how long a master may take to accept a connection. Spark itself tries
// for a minute, and then says little.
const masterTimeout = 10 * time.Second

// checkMaster connects to a standalone master. Of a list one is enough.
func checkMaster(ctx context.Context, master string) error {
	list, standalone := strings.CutPrefix(master, "spark://")
	known := standalone || strings.HasPrefix(master, "local") || master == "yarn" || strings.HasPrefix(master, "k8s://")
	if !known {
		return fmt.Errorf("%w %q: there are spark://HOST:PORT, local[N], yarn and k8s://URL", ErrMaster, master)
	}
	if !standalone {
		return nil
	}

	// Standby masters are in the list too, so one that accepts a connection is enough.
	var last error
	for address := range strings.SplitSeq(list, ",") {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%w %q: %w", ErrMaster, master, err)
		}

		dialer := net.Dialer{Timeout: masterTimeout}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		last = err
	}
	return fmt.Errorf("%w %s does not answer: %w", ErrMaster, master, last)
}
