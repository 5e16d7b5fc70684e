// Package ingesttest has what the tests of ingest, of the packages below it and of
// tmserver share: the shared test data, a ping with its definitions, a raw log, a
// server in a process of its own. Package rawlog, which this one imports, has helpers
// of its own.
//
// To add a helper: put it into the file of its noun, with testing.TB as its first
// parameter and t.Helper() as its first statement. What it opens it closes in
// t.Cleanup.
package ingesttest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions"
)

// sharedData returns the folder of the shared test data, which stands beside the work tree,
// as seen from a package of its first or second level.
func sharedData() string {
	const near, far = "../../shared/data", "../../../shared/data"
	if _, err := os.Stat(near); err == nil {
		return near
	}
	return far
}

// Shared returns a file of ../shared/data, unpacked if its name ends in .gz; the
// test is skipped where it is missing, but in CI it fails.
func Shared(t testing.TB, name string) []byte {
	t.Helper()
	// In CI the shared data must be there.
	b, err := os.ReadFile(filepath.Join(sharedData(), name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if strings.HasSuffix(name, ".gz") {
		gz, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			b, err = io.ReadAll(gz)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	return b
}

// Cache is the warm revision cache of ../shared/data.
func Cache(t testing.TB) *revisions.Cache {
	t.Helper()
	o := revisions.DefaultOptions()
	o.Dir, o.Offline = filepath.Join(sharedData(), "histogram_cache"), true
	c, err := revisions.NewCache(o)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { c.Close() })
	return c
}

// Submissions returns the submissions of a raw log, their bodies copied.
func Submissions(t testing.TB, log []byte, version int) []rawlog.Submission {
	t.Helper()
	subs, _ := read(t, log, version)
	return subs
}

// read returns the submissions of a raw log, and how many bytes of it are lost.
func read(t testing.TB, log []byte, version int) (subs []rawlog.Submission, lost int64) {
	t.Helper()
	r := rawlog.NewReader(bytes.NewReader(log), version)
	for {
		s, err := r.Next()
		if err == io.EOF {
			return subs, r.BytesLost()
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Body = bytes.Clone(s.Body)
		subs = append(subs, s)
	}
}

// DefinitionsText is a Histograms.json with one histogram of each kind, one of an
// unknown kind, and one whose size is a name.
const DefinitionsText = `{
	"FLAG": {"kind": "flag"}, "LIN": {"kind": "linear", "high": 40, "n_buckets": 5}, "SIZED": {"kind": "enumerated", "n_values": "kCount"},
	"ODD": {"kind": "odd"},
	"GC": {"kind": "exponential", "high": 16384, "n_buckets": 5}
}`

// Definitions returns Always for every revision; those with 404 in them are not
// found, for those with 503 the server does not answer.
type Definitions struct{ Always *revisions.Spec }

func (f Definitions) Spec(_ context.Context, r revisions.Ref) (*revisions.Spec, error) {
	switch {
	case strings.Contains(r.Revision, "404"):
		return nil, fmt.Errorf("%s: %w", r, revisions.ErrNotFound)
	case strings.Contains(r.Revision, "503"):
		return nil, fmt.Errorf("%s: %w", r, revisions.ErrUnavailable)
	}
	return f.Always, nil
}

// AtHand returns Always for the revisions for which Spec does.
func (f Definitions) AtHand(r revisions.Ref) *revisions.Spec {
	spec, err := f.Spec(context.Background(), r)
	if err != nil {
		return nil
	}
	return spec
}

// Revision is the member of Info that names the revision, Info the info of Ping.
const (
	Revision = `"revision":"http://hg.mozilla.org/try/rev/0123456789ab"`
	Info     = `"info":{"reason":"idle-daily","appName":"Firefox","appVersion":"23.0.1","appUpdateChannel":"release","appBuildID":"2013",` + Revision + `}`
)

// Ping returns a classic ping with these histograms, a list of members.
func Ping(histograms string) string {
	return `{"ver":1,"histograms":{` + histograms + `},` + Info + `}`
}

// Converted returns the record of Ping, given what the histograms became.
func Converted(histograms string) string {
	return strings.Replace(Ping(histograms), `"ver":1`, `"ver":2`, 1)
}

// PerCore reports MB per second of processor time, which other programs on the
// machine disturb less than wall-clock time. Call the result at the end.
func PerCore(b *testing.B, bytes int64) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}

	b.SetBytes(bytes)
	b.ReportAllocs()
	before := used()
	return func() { b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(used()-before).Seconds(), "MB/core-s") }
}

// Log returns a Log in the folder dir, with the default options as change (unless
// nil) has changed them. It is closed at the test's end.
func Log(t testing.TB, dir string, change func(*rawlog.Options)) *rawlog.Log {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}

	o := rawlog.DefaultOptions()
	if change != nil {
		change(&o)
	}

	l, err := rawlog.Open(root, o)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		l.Close()
		root.Close()
	})

	return l
}

// Stored returns what the raw logs of the folder dir hold, finished or not, as
// "path=body", sorted.
func Stored(t testing.TB, dir string) []string {
	t.Helper()
	var got []string
	for _, s := range StoredSubmissions(t, dir) {
		got = append(got, s.Path+"="+string(s.Body))
	}
	slices.Sort(got)
	return got
}

// StoredSubmissions returns what the raw logs of the folder dir hold, finished or not.
func StoredSubmissions(t testing.TB, dir string) (submissions []rawlog.Submission) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "telemetry*"))
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range names {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) { // finished, and renamed, meanwhile
			return StoredSubmissions(t, dir)
		}
		if err != nil {
			t.Fatal(err)
		}

		of, lost := read(t, b, rawlog.Version)
		submissions = append(submissions, of...)
		if lost > 0 {
			t.Errorf("%s: %d bytes lost", name, lost)
		}
	}
	return submissions
}

// Countries returns the name of a MaxMind database in which 1.0.0.0/8 is in
// Germany and 2001:db8::/32 in Fiji.
func Countries(t testing.TB) string {
	t.Helper()
	// Reserved networks are allowed, because the test networks are reserved.
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-Country", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}

	for cidr, code := range map[string]string{"1.0.0.0/8": "DE", "2001:db8::/32": "FJ"} {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}); err != nil {
			t.Fatal(err)
		}
	}

	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}

	name := filepath.Join(t.TempDir(), "countries.mmdb")
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}

	return name
}

// Certificate returns the files of a certificate for 127.0.0.1, which signs
// itself, and of its key.
func Certificate(t testing.TB) (certFile, keyFile string) {
	t.Helper()
	// A new key for each test: no secret lies in the repository.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}

	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return certFile, keyFile
}
