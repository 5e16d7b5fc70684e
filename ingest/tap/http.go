package tap

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// writeTime is how long a listener may take to read an event.
	writeTime = 30 * time.Second
	// keepAlive is how often a line is sent when nothing comes, so that proxies do not end
	// the connection, and that a listener that has gone is noticed.
	keepAlive = 15 * time.Second
)

// Register adds GET /tap to the endpoints of the admin address.
func (t *Tap) Register(mux *http.ServeMux) { mux.HandleFunc("GET /tap", t.serve) }

// serve sends an event for each selected submission, until the client or the Tap ends.
func (t *Tap) serve(w http.ResponseWriter, r *http.Request) {
	want, err := parseSelection(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	l, ok := t.listen(want)
	if !ok {
		http.Error(w, "too many listen already, or the server stops", http.StatusServiceUnavailable)
		return
	}
	defer t.leave(l)

	// The server's limits are for requests that end.
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		t.o.Log.Debug("tap: no deadline", "err", err)
	}

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")

	// Each event has its own deadline, which ends a listener that does not read.
	send := func(text string) error {
		if err := control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			t.o.Log.Debug("tap: no deadline", "err", err)
		}

		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		return control.Flush()
	}

	// The first line says that from now on nothing is missed.
	if send(": listening\n\n") != nil {
		return
	}

	ctx := r.Context()
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()

	for {
		text := ""
		select {
		case <-ctx.Done():
			return
		case <-t.closed:
			return
		case <-alive.C:
			text = ":\n\n"
		case s := <-l.queue:
			l.bytes.Add(-int64(len(s.Body)))

			event, selected, err := t.event(ctx, s, &l.selection)

			// An error is sent as an event, and the stream goes on.
			if err != nil {
				text = fmt.Sprintf("event: failed\ndata: %q\n\n", err.Error())
			} else if selected {
				event.Missed = l.missed.Swap(0)
				text = encode(event)
			}
		}

		// A record of a partition that is not selected sends nothing.
		if text != "" && send(text) != nil {
			return
		}
	}
}

// encode returns an event as it is sent: JSON has no line ends.
func encode(event Event) string {
	text, err := json.Marshal(event)
	if err != nil {
		return fmt.Sprintf("event: failed\ndata: %q\n\n", err.Error())
	}

	return "data: " + string(text) + "\n\n"
}
