package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// jobClient makes requests to the API of a server; cmd/tmserver/admin/openapi.json
// describes it.
type jobClient struct {
	server string // URL without a path
	token  string // "" is none
}

// do makes a request; an answer that is no success is an error. The caller closes the body.
func (c *jobClient) do(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+"/api/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}

	// The server takes JSON only, which a form of another page cannot send.
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}

	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer.Body, nil
	}

	defer answer.Body.Close()
	return nil, answerError(answer)
}

// answerError is the error of an answer that is no success.
func answerError(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	var reason struct{ Error string }
	if json.Unmarshal(text, &reason) != nil {
		reason.Error = strings.TrimSpace(string(text))
	}

	err := fmt.Errorf("the server answers %s: %s", answer.Status, reason.Error)
	switch answer.StatusCode {
	case http.StatusBadRequest:
		return cli.Fail(cli.ExitUsage, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return cli.WithHint(cli.Fail(cli.ExitFailed, err), "the environment variable "+tokenVariable+" has the token of an operator")
	case http.StatusTooManyRequests:
		return cli.WithHint(cli.Fail(cli.ExitFailed, err), "try again later")
	}
	return err
}

// start starts a job.
func (c *jobClient) start(ctx context.Context, request api.Request) (run api.Run, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return run, err
	}

	answer, err := c.do(ctx, http.MethodPost, "jobs", body)
	if err != nil {
		return run, err
	}
	defer answer.Close()
	return run, json.NewDecoder(answer).Decode(&run)
}

// cancel cancels a job.
func (c *jobClient) cancel(ctx context.Context, id string) error {
	answer, err := c.do(ctx, http.MethodDelete, "jobs/"+id, nil)
	if err != nil {
		return err
	}
	return answer.Close()
}

// How often a stream that broke is opened again, and how long to wait before.
const (
	maxStreamTries = 5
	streamWait     = time.Second
)

// follow calls show at each change of a job, until it has ended, and returns it as it is then.
func (c *jobClient) follow(ctx context.Context, run api.Run, show func(api.Run)) (api.Run, error) {
	// A stream may break while the job goes on, so it is opened again.
	for try := 1; ; try++ {
		err := c.stream(ctx, &run, show)
		if run.State.Ended() || ctx.Err() != nil {
			return run, nil
		}
		if try == maxStreamTries {
			return run, fmt.Errorf("job %s: the stream of its events ended: %w", run.ID, errors.Join(err, io.ErrUnexpectedEOF))
		}

		// A short wait, because the server may be restarting.
		select {
		case <-ctx.Done():
		case <-time.After(streamWait):
		}
	}
}

// stream reads one stream of events into run.
func (c *jobClient) stream(ctx context.Context, run *api.Run, show func(api.Run)) error {
	events, err := c.do(ctx, http.MethodGet, "jobs/"+run.ID+"/events", nil)
	if err != nil {
		return err
	}
	defer events.Close()

	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}

		// Lines without data are names of events and signs of life.
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}

		var now api.Run
		if err := json.Unmarshal([]byte(data), &now); err != nil {
			return err
		}
		*run = now
		show(now)

		if now.State.Ended() {
			return nil
		}
	}
}

// getJSON reads what the server answers into value.
func (c *jobClient) getJSON(ctx context.Context, path string, value any) error {
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	return json.NewDecoder(answer).Decode(value)
}

// copy writes what the server answers.
func (c *jobClient) copy(ctx context.Context, path string, w io.Writer) error {
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer answer.Close()

	_, err = io.Copy(w, answer)
	return err
}

// copyChecked is copy, which fails unless the SHA-256 of the content is sum, in hexadecimal.
func (c *jobClient) copyChecked(ctx context.Context, path string, w io.Writer, sum string) error {
	hash := sha256.New()
	if err := c.copy(ctx, path, io.MultiWriter(w, hash)); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("%s: the checksum is %s, not %s", path, got, sum)
	}
	return nil
}
