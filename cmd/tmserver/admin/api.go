package admin

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// API answers requests about jobs.
type API struct {
	Manager *jobs.Manager
	Scripts *jobs.Scripts // nil: the server has no folder of scripts
}

// route is an endpoint of the API.
type route struct {
	pattern string // of http.ServeMux
	handle  func(*API, http.ResponseWriter, *http.Request) error
}

// routes are the endpoints of the API; openapi.json describes them.
var routes = []route{
	{"GET /api/v1/openapi.json", (*API).document},
	{"GET /api/v1/role", (*API).role},
	{"GET /api/v1/scripts", (*API).listScripts},
	{"GET /api/v1/scripts/{name}", (*API).getScript},
	{"GET /api/v1/scripts/{name}/source", (*API).getSource},
	{"GET /api/v1/declarations", (*API).declarations},
	{"GET /api/v1/scripts/{name}/backfill", (*API).getBackfill},
	{"POST /api/v1/scripts/{name}/backfill", (*API).startBackfill},
	{"DELETE /api/v1/scripts/{name}/backfill", (*API).cancelBackfill},
	{"GET /api/v1/jobs", (*API).listJobs},
	{"POST /api/v1/jobs", (*API).startJob},
	{"GET /api/v1/jobs/{id}", (*API).getJob},
	{"DELETE /api/v1/jobs/{id}", (*API).cancelJob},
	{"GET /api/v1/jobs/{id}/events", (*API).followJob},
	{"GET /api/v1/jobs/{id}/log", (*API).getLog},
	{"GET /api/v1/jobs/{id}/profile", (*API).getProfile},
	{"GET /api/v1/jobs/{id}/results/{result}", (*API).getResult},
}

//go:embed openapi.json
var openAPI []byte

// maxRequestBytes bounds the body of a request.
const maxRequestBytes = 32 << 20

// Register adds the API to the admin address.
func (a *API) Register(mux *http.ServeMux) {
	for _, route := range routes {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := route.handle(a, w, r); err != nil {
				writeError(w, err)
			}
		})
	}
}

// writeJSON answers with JSON.
func writeJSON(w http.ResponseWriter, code int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(text, '\n')) // an error is that of a client that has gone
	return nil
}

// errNotFound is what an unknown script answers.
var errNotFound = errors.New("there is no such script")

// writeError answers with the reason and its status.
func writeError(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, jobs.ErrRequest):
		code = http.StatusBadRequest
	case errors.Is(err, jobs.ErrUnknown), errors.Is(err, errNotFound):
		code = http.StatusNotFound
	case errors.Is(err, jobs.ErrFull):
		code = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "10")
	}

	writeJSON(w, code, map[string]string{"error": err.Error()})
}

func (a *API) document(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openAPI)
	return nil
}

func (a *API) role(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]Role{"role": RoleOf(r.Context())})
}

func (a *API) listScripts(w http.ResponseWriter, _ *http.Request) error {
	scripts := []api.Script{}
	if a.Scripts != nil {
		scripts = a.Scripts.List()
	}
	return writeJSON(w, http.StatusOK, map[string]any{"scripts": scripts})
}

func (a *API) getScript(w http.ResponseWriter, r *http.Request) error {
	if a.Scripts != nil {
		if script, ok := a.Scripts.Get(r.PathValue("name")); ok {
			return writeJSON(w, http.StatusOK, script)
		}
	}
	return errNotFound
}

func (a *API) getSource(w http.ResponseWriter, r *http.Request) error {
	if a.Scripts == nil {
		return errNotFound
	}

	source, err := a.Scripts.Source(r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, source)
}

// declarations answers with what scripts see, for the completion of an editor.
func (a *API) declarations(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, declare.Completions())
}

func (a *API) getBackfill(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if a.Scripts == nil {
		return errNotFound
	}
	found, err := a.Scripts.Backfilled(name)
	if err != nil {
		return err
	}

	// Days stay when their script has gone.
	if _, ok := a.Scripts.Get(name); !ok && found.Backfill == nil {
		return errNotFound
	}
	return writeJSON(w, http.StatusOK, found)
}

func (a *API) startBackfill(w http.ResponseWriter, r *http.Request) error {
	var days api.Range
	if err := readJSON(w, r, &days); err != nil {
		return err
	}
	if a.Scripts == nil {
		return errNotFound
	}
	backfill, err := a.Scripts.Backfill(r.PathValue("name"), days)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, backfill)
}

func (a *API) cancelBackfill(w http.ResponseWriter, r *http.Request) error {
	if a.Scripts == nil {
		return errNotFound
	}
	if err := a.Scripts.CancelBackfill(r.PathValue("name")); err != nil {
		return err
	}
	return a.getBackfill(w, r)
}

func (a *API) listJobs(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"jobs": a.Manager.Runs(r.URL.Query().Get("script"))})
}

// readJSON reads the body of a request.
func readJSON(w http.ResponseWriter, r *http.Request, value any) error {
	// A form of another site cannot send this type.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return fmt.Errorf("%w: Content-Type %q: want application/json", jobs.ErrRequest, r.Header.Get("Content-Type"))
	}

	// An unknown field is a mistake of the client, which silence would hide.
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return fmt.Errorf("%w: %w", jobs.ErrRequest, err)
	}
	return nil
}

func (a *API) startJob(w http.ResponseWriter, r *http.Request) error {
	var request api.Request
	if err := readJSON(w, r, &request); err != nil {
		return err
	}

	run, err := a.start(request)
	if err != nil {
		return err
	}

	w.Header().Set("Location", apiPrefix+"jobs/"+run.ID)
	return writeJSON(w, http.StatusAccepted, run)
}

// start starts a script of the folder, or one that came with the request.
func (a *API) start(request api.Request) (api.Run, error) {
	switch {
	case request.Script == "":
		return a.Manager.Start(request, jobs.Order{Cause: api.ByRequest})
	case a.Scripts == nil:
		return api.Run{}, fmt.Errorf("%w: this server has no folder of scripts", jobs.ErrRequest)
	}
	return a.Scripts.Start(request.Script, request, api.ByRequest)
}

func (a *API) getJob(w http.ResponseWriter, r *http.Request) error {
	run, _, err := a.Manager.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, run)
}

func (a *API) cancelJob(w http.ResponseWriter, r *http.Request) error {
	if err := a.Manager.Cancel(r.PathValue("id")); err != nil {
		return err
	}
	return a.getJob(w, r)
}

// keepAlive is how often a stream without news says that it is alive.
const keepAlive = 15 * time.Second

// followJob streams the run at each change, as server-sent events, until it has ended.
func (a *API) followJob(w http.ResponseWriter, r *http.Request) error {
	run, changed, err := a.Manager.Get(r.PathValue("id"))
	if err != nil {
		return err
	}

	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	stream.SetWriteDeadline(time.Time{}) // a job may take longer than other answers
	stream.SetReadDeadline(time.Time{})

	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()

	for {
		// Each event is the whole run, so a client that missed one has missed nothing.
		text, err := json.Marshal(run)
		if err != nil {
			return err
		}

		name := "progress"
		if run.State.Ended() {
			name = "end"
		}
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, text)
		if stream.Flush() != nil || run.State.Ended() {
			return nil
		}

		// Wait for the next change, with a sign of life now and then.
		for alive := true; alive; {
			select {
			case <-r.Context().Done():
				return nil
			case <-changed:
				alive = false
			case <-ticker.C:
				io.WriteString(w, ": alive\n\n")
				stream.Flush()
			}
		}

		run, changed, err = a.Manager.Get(run.ID)
		if err != nil { // it was removed meanwhile
			return nil
		}
	}
}

func (a *API) getLog(w http.ResponseWriter, r *http.Request) error {
	file, err := a.Manager.OpenLog(r.PathValue("id"))
	if err != nil {
		return err
	}
	defer file.Close()

	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.Copy(w, file)
	return nil
}

func (a *API) getProfile(w http.ResponseWriter, r *http.Request) error {
	found, err := a.Manager.Profile(r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// resultTypes are the media types of results by the ending of their names.
var resultTypes = map[string]string{
	"jsonl": "application/jsonl", "tsv": "text/tab-separated-values; charset=utf-8", "csv": "text/csv; charset=utf-8",
	"parquet": "application/vnd.apache.parquet",
}

func (a *API) getResult(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("result")
	file, err := a.Manager.OpenResult(r.PathValue("id"), name)
	if err != nil {
		return err
	}
	defer file.Close()

	// What a script wrote is downloaded, never shown as a page.
	w.Header().Set("Content-Type", resultTypes[name[strings.LastIndexByte(name, '.')+1:]])
	w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(name))
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}
