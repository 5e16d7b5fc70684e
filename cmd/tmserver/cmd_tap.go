package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/tap"
)

// tapCmd prints submissions while a server receives them.
type tapCmd struct {
	Admin     string   `env:"TMSERVER_ADMIN_URL" default:"http://127.0.0.1:8081" placeholder:"URL" help:"Admin address of the server."`
	Token     string   `env:"TMSERVER_ADMIN_TOKEN" placeholder:"TOKEN" help:"Bearer token of the admin address. Better given in the environment."`
	Tag       string   `placeholder:"TAG" help:"Only submissions with this X-Debug-ID, the debug view tag of Glean."`
	SourceTag string   `placeholder:"TAG" help:"Only submissions with this tag in X-Source-Tags."`
	Namespace string   `placeholder:"NAME" help:"Only submissions of this namespace; telemetry is that of old Firefox pings."`
	Type      string   `placeholder:"TYPE" help:"Only submissions of this type."`
	Where     []string `sep:"none" placeholder:"DIM=VALUES" help:"Only records of such partitions, as in tmrun; repeatable."`
	Count     int      `short:"n" placeholder:"N" help:"End after N submissions; 0 for no end."`
	JSON      bool     `help:"Print each as a line of JSON."`
}

func (*tapCmd) Help() string {
	return `Prints submissions within a second after a server has stored them, decoded, with what
becomes of them and why, as if they were converted now. A debug view for clients:

  tmserver tap --tag my-tag

shows what an application sends whose debug view tag is my-tag. Of each submission it prints

  time  namespace/type  ID  published PARTITION
                            quarantined CLASS: why
                            dropped: the reason of the ingest filter
                            forgotten: the client asked for that
                            waiting: its histogram definitions are not cached

and the record, or the body. Whether it is a repeat is found out later. The same comes as
Server-Sent Events from GET /tap of the admin address, whose parameters are tag, source_tag,
namespace, type and where. What comes too fast is left out and counted.

EXIT STATUS: 0 done, or the server ended; 1 failed; 2 usage; 130 interrupted.`
}

func (c *tapCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Count < 0 {
		return cli.Usage("--count %d: want at least 0", c.Count)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.Admin, "/")+"/tap?"+c.query().Encode(), nil)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // the status says it too
		return fmt.Errorf("%s: %s: %s", c.Admin, response.Status, cli.Printable(strings.TrimSpace(string(text))))
	}

	return c.print(st, response.Body)
}

// query returns the parameters of the request.
func (c *tapCmd) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"tag": c.Tag, "source_tag": c.SourceTag, "namespace": c.Namespace, "type": c.Type} {
		if value != "" {
			query.Set(name, value)
		}
	}
	query["where"] = c.Where
	return query
}

// maxEventBytes bounds a line of the server: an event has a ping of at most a megabyte.
const maxEventBytes = 4 << 20

// print prints the events of a stream until it ends, or there were enough.
func (c *tapCmd) print(st *cli.State, stream io.Reader) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxEventBytes)
	failed := false // the next data is a message
	for n := 0; lines.Scan(); {
		text, isData := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case lines.Text() == ": listening":
			st.Log.Info("listening", "admin", c.Admin)
		case lines.Text() == "event: failed":
			failed = true
		case isData && failed:
			st.Log.Warn("a submission could not be shown", "err", text)
			failed = false
		case isData:
			if err := c.printEvent(st.Stdout, text); err != nil {
				return err
			}
			if n++; n == c.Count {
				return nil
			}
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return nil
}

// printEvent prints one event.
func (c *tapCmd) printEvent(w io.Writer, text string) error {
	if c.JSON {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	var event tap.Event
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		return fmt.Errorf("an event of the server: %w", err)
	}

	// The head: one line.
	outcome := event.Outcome
	if event.Class != "" {
		outcome += " " + event.Class
	}
	if event.Reason != "" {
		outcome += ": " + event.Reason
	}
	if event.Partition != "" {
		outcome += " " + event.Partition
	}
	if event.Missed > 0 {
		outcome += fmt.Sprintf(" (%d before it are not shown)", event.Missed)
	}
	head := fmt.Sprintf("%s  %s/%s  %s  %s", event.Time.UTC().Format("15:04:05.000"), event.Namespace, event.Type, event.ID, outcome)
	if _, err := fmt.Fprintln(w, cli.Printable(head)); err != nil {
		return err
	}

	// What a client sent must not reach the terminal as it is.
	if event.Text != "" {
		_, err := fmt.Fprintf(w, "  %s\n", cli.Printable(event.Text))
		return err
	}
	if event.Ping == nil {
		_, err := fmt.Fprintf(w, "  %d bytes, too large to be shown\n", event.Bytes)
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, event.Ping, "  ", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "  %s\n", cli.PrintableText(indented.String()))
	return err
}
