package cmd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// firefox is a headless Firefox that a test drives by Marionette, Firefox's protocol of
// remote control: messages of JSON, each after its length and a colon.
type firefox struct {
	cmd    *exec.Cmd
	conn   net.Conn
	reader *bufio.Reader
	sent   int // messages so far
}

// firefoxPreferences make a Firefox send all that it has, soon, to a server on this
// machine. Without the first a driven Firefox sends nothing.
const firefoxPreferences = `user_pref("remote.prefs.recommended", false);
user_pref("marionette.port", 0);
user_pref("toolkit.telemetry.server", "http://localhost:PORT");
user_pref("telemetry.fog.test.localhost_port", PORT);
user_pref("datareporting.healthreport.uploadEnabled", true);
user_pref("datareporting.usage.uploadEnabled", true);
user_pref("datareporting.policy.dataSubmissionEnabled", true);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("toolkit.telemetry.initDelay", 1);
user_pref("toolkit.telemetry.newProfilePing.delay", 1000);
user_pref("toolkit.telemetry.shutdownPingSender.enabledFirstSession", true);
user_pref("toolkit.telemetry.minSubsessionLength", 5);
user_pref("toolkit.telemetry.scheduler.tickInterval", 10);
user_pref("toolkit.telemetry.testing.overridePreRelease", true);
user_pref("toolkit.telemetry.testing.disableFuzzingDelay", true);
user_pref("toolkit.telemetry.eventping.minimumFrequency", 0);
user_pref("app.normandy.enabled", false);
`

// startFirefox starts Firefox with this profile, which it makes if there is none.
func startFirefox(t *testing.T, program, profile, serverURL string) *firefox {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(serverURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(profile, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(strings.ReplaceAll(firefoxPreferences, "PORT", port)), 0o666); err != nil {
		t.Fatal(err)
	}

	// Firefox writes the port that it listens on when it listens.
	portFile := filepath.Join(profile, "MarionetteActivePort")
	if err := os.RemoveAll(portFile); err != nil {
		t.Fatal(err)
	}
	f := &firefox{cmd: exec.Command(program, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", profile, "about:blank")}
	f.cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(profile), "MOZ_CRASHREPORTER_DISABLE=1")
	startInGroup(t, f.cmd)
	ingesttest.Wait(t, func() bool {
		text, _ := os.ReadFile(portFile)
		number, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return false
		}
		f.conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", number))
		return err == nil
	})
	t.Cleanup(func() { f.conn.Close() })

	// The first message says who is there.
	f.reader = bufio.NewReader(f.conn)
	if _, err := f.receive(); err != nil {
		t.Fatal(err)
	}
	f.call(t, "WebDriver:NewSession", `{"capabilities": {"alwaysMatch": {}}}`)
	f.call(t, "WebDriver:SetTimeouts", `{"script": 180000}`)
	f.call(t, "Marionette:SetContext", `{"value": "chrome"}`)
	return f
}

func (f *firefox) receive() (json.RawMessage, error) {
	length, err := f.reader.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return nil, err
	}
	message := make([]byte, n)
	_, err = io.ReadFull(f.reader, message)
	return message, err
}

// call sends a command and returns its result. A connection that ends is no error: so
// does Firefox when it quits.
func (f *firefox) call(t *testing.T, command, parameters string) json.RawMessage {
	t.Helper()
	f.sent++
	message := fmt.Sprintf(`[0, %d, %q, %s]`, f.sent, command, parameters)
	if _, err := fmt.Fprintf(f.conn, "%d:%s", len(message), message); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	answer, err := f.receive()
	if err != nil {
		if command == "Marionette:Quit" {
			return nil
		}
		t.Fatalf("%s: %v", command, err)
	}

	// [1, number, error, result]
	var parts [4]json.RawMessage
	if err := json.Unmarshal(answer, &parts); err != nil {
		t.Fatal(err)
	}
	if string(parts[2]) != "null" {
		t.Fatalf("%s: %s", command, parts[2])
	}
	return parts[3]
}

// run runs the body of an async function in the browser and decodes what it returns.
func (f *firefox) run(t *testing.T, body string, result any) {
	t.Helper()
	script, err := json.Marshal(`const done = arguments[arguments.length - 1];
(async () => {` + body + `})().then(value => done({ value }), error => done({ error: String(error) }))`)
	if err != nil {
		t.Fatal(err)
	}
	answer := f.call(t, "WebDriver:ExecuteAsyncScript", fmt.Sprintf(`{"script": %s, "args": [], "newSandbox": true}`, script))
	var returned struct {
		Value struct {
			Value json.RawMessage
			Error string
		}
	}
	if err := json.Unmarshal(answer, &returned); err != nil || returned.Value.Error != "" {
		t.Fatalf("%s: %v %s", body, err, returned.Value.Error)
	}
	if result != nil {
		if err := json.Unmarshal(returned.Value.Value, result); err != nil {
			t.Fatal(err)
		}
	}
}

// quit ends Firefox as a user does. Its last pings are sent by a process of their own,
// which goes on.
func (f *firefox) quit(t *testing.T) {
	t.Helper()
	f.call(t, "Marionette:Quit", `{"flags": ["eAttemptQuit"]}`)
	if err := f.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
