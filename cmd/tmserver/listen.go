package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"golang.org/x/net/netutil"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/cmd/tmserver/admin"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/tap"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// buildHTTP listens on the public address and on the admin address, if there is one,
// and announces them. Connections wait until start.
func (s *serving) buildHTTP(ctx context.Context) (part, error) {
	s.tap = s.newTap()
	handler, closeHandler, err := s.publicHandler()
	if err != nil {
		return part{}, err
	}

	// The public server is the first one, for listenAll and announce.
	servers := []*http.Server{s.c.newServer(s.c.Listen, handler, s.publicTLS, s.st.Log)}
	if s.c.AdminListen != "" {
		servers = append(servers, s.c.newServer(s.c.AdminListen, newAdmin(s.registry, s.guard(), s.health.handler(), s.registerJobs, s.newPage().register, s.tap.Register), s.adminTLS, s.st.Log))
	}

	// A ready file of a former run must not say that this one is ready.
	if err := s.c.removeReadyFile(); err != nil {
		return part{}, errors.Join(err, closeHandler())
	}

	opened := &httpServers{servers: servers, drainTime: s.c.DrainTime, failed: s.failed}
	opened.listeners, err = s.listenAll(servers, s.metrics.Answered)
	if err == nil {
		err = s.c.announce(s.st, opened.listeners)
	}
	if err == nil {
		s.submitURL.set(scheme(s.c.public()) + "://" + opened.listeners[0].Addr().String())
	}
	for _, listener := range opened.listeners {
		s.addresses = strings.TrimSpace(s.addresses + " " + listener.Addr().String())
	}
	if err == nil {
		s.notify(daemon.SdNotifyReady)
	}
	if err != nil {
		return part{}, errors.Join(err, opened.close(), closeHandler())
	}

	return part{
		start: opened.start,
		stop: func() error {
			s.notify(daemon.SdNotifyStopping)
			err := s.c.removeReadyFile()

			// Load balancers get the time to see that the server is not ready.
			s.health.draining.Store(true)
			time.Sleep(s.c.DrainDelay)
			opened.stop(context.WithoutCancel(ctx)) // the signal must not end the requests in hand
			return err
		},
		close: func() error {
			s.tap.Close() // or its listeners would hold up the end
			return errors.Join(opened.stopAdmin(), opened.close(), closeHandler(), s.c.removeReadyFile())
		},
	}, nil
}

// guard says who may use the admin address.
func (s *serving) guard() admin.Guard {
	return admin.Guard{Token: s.c.AdminToken, ViewerToken: s.c.ViewerToken, Listen: s.c.AdminListen, Now: s.st.Now}
}

// newTap returns what shows submissions at the admin address, converted as they will be.
func (s *serving) newTap() *tap.Tap {
	options := s.folder.workerOptions()
	options.Definitions = s.folder.definitions.Local()
	return tap.New(tap.Options{
		Conversion: worker.New(s.folder.Data, options).Conversion,
		Forgotten:  s.folder.Data.Forgotten,
		Log:        s.st.Log,
	})
}

// publicHandler returns the handler of the public address, and what closes what it uses.
func (s *serving) publicHandler() (_ http.Handler, closeAll func() error, err error) {
	var closers []func() error
	closeAll = func() error {
		var errs []error
		for _, close := range closers {
			errs = append(errs, close())
		}
		return errors.Join(errs...)
	}

	// Limits, and what answers are made of.
	options := ingest.DefaultHandlerOptions()
	options.MaxBody = s.c.MaxBody
	options.MaxPath = s.c.MaxPath
	options.MaxInFlight = s.budget.inFlight
	options.Schema = s.folder.Schema()
	options.Definitions = s.folder.definitions.Local()
	options.Converter = func() *convert.Converter { return convert.New(s.folder.definitions.Local(), s.folder.options) }
	if s.c.FetchForClients {
		options.Definitions = s.folder.definitions.Clients()
		options.Converter = func() *convert.Converter { return convert.New(s.folder.definitions.Clients(), s.folder.options) }
	}
	options.Tap = s.tap
	options.Version = cli.Version()
	options.Status = statusOf(s.folder, &s.overLimit, s.health, s.st.Now)
	options.Health = s.health.handler()
	options.Metrics = s.metrics
	options.Log = s.st.Log

	// Clients' addresses, of which at most the country is stored.
	options.TrustedProxies, err = s.c.trustedProxies()
	if err != nil {
		return nil, nil, err
	}
	options.Shares = ingest.Shares{
		AddressRequests: s.budget.ofAddress,
		AddressRate:     s.c.MaxAddressRate,
		NamespaceRate:   s.c.MaxNamespaceRate,
	}
	options.Countries, err = s.c.openCountries()
	if err != nil {
		return nil, nil, err
	}
	if options.Countries != nil {
		closers = append(closers, options.Countries.Close)
	}

	// The log of requests is for operators.
	if s.c.RequestLog != "" {
		file, err := openAppended(s.c.RequestLog)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		closers = append(closers, file.Close)
		s.reloaders.add(file.reopen)
		options.RequestLog = slog.New(slog.NewJSONHandler(file, nil))
		options.RequestLogEvery = s.c.RequestLogEvery
	}

	return ingest.NewHandler(s.log, options), closeAll, nil
}

// trustedProxies returns the networks of the proxies whose X-Forwarded-For counts.
func (c *serveCmd) trustedProxies() (networks []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, cli.Usage("--trusted-proxies: %w", err)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// announce tells people and scripts where the server listens.
func (c *serveCmd) announce(st *cli.State, listeners []net.Listener) error {
	// The lines of stdout are those of the file.
	text := ""
	for i, listener := range listeners {
		text += fmt.Sprintf("%s %s://%s\n", []string{"listening", "admin"}[i], scheme([]bool{c.public(), c.admin()}[i]), listener.Addr())
	}
	if _, err := fmt.Fprint(st.Stdout, text); err != nil {
		return err
	}

	if c.ReadyFile == "" {
		return nil
	}

	// A script that sees the file sees all of it.
	out, err := cli.OpenOutput(c.ReadyFile, nil)
	if err != nil {
		return err
	}
	defer out.Discard()

	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	return out.Commit()
}

// scheme is that of an address.
func scheme(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// removeReadyFile removes the ready file, if there is one. A device or a pipe stays.
func (c *serveCmd) removeReadyFile() error {
	if c.ReadyFile == "" {
		return nil
	}

	info, err := os.Stat(c.ReadyFile)
	if err == nil && info.Mode().IsRegular() {
		err = os.Remove(c.ReadyFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// notify tells systemd the state of the server, where systemd started it (Type=notify in
// kit/tmserver.service).
func (s *serving) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.st.Log.Warn("systemd does not take a notification", "state", state, "err", err)
	}
}

// Timeouts of a connection, for clients that are slow on purpose or have gone.
const (
	headTimeout = 10 * time.Second
	bodyTimeout = time.Minute // for a whole request, its head included
	idleTimeout = 2 * time.Minute
	// maxHeadBytes has room for the longest path and the usual header fields.
	maxHeadBytes = 32 << 10
)

// newServer returns a server for an address, with TLS unless config is nil.
func (c *serveCmd) newServer(addr string, h http.Handler, config *tls.Config, log *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(config != nil)
	protocols.SetUnencryptedHTTP2(c.H2C)

	return &http.Server{
		Addr:              addr,
		Handler:           h,
		TLSConfig:         config,
		Protocols:         &protocols,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      bodyTimeout + 30*time.Second, // counted from the end of the head
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// withAddressCode makes a malformed address, or one that no name server knows, an error of
// usage. One that is in use is not.
func withAddressCode(err error) error {
	_, malformed := errors.AsType[*net.AddrError](err)
	unknown, isName := errors.AsType[*net.DNSError](err)
	if malformed || isName && unknown.IsNotFound {
		return cli.Fail(cli.ExitUsage, err)
	}
	return err
}

// listenAll opens the servers' addresses. The first one, which is public, takes a
// limited number of connections; for refused see ingest.FewerReads.
func (s *serving) listenAll(servers []*http.Server, refused func(code int)) ([]net.Listener, error) {
	var listeners []net.Listener
	for i, server := range servers {
		listener, err := net.Listen("tcp", server.Addr)
		if err != nil {
			return listeners, withAddressCode(err)
		}

		// More connections wait in the kernel, unaccepted.
		if i == 0 {
			trusted, err := s.c.trustedProxies()
			if err != nil {
				return append(listeners, listener), err
			}
			listener = ingest.LimitConnections(ingest.FewerReads(listener, refused), s.budget.ofAddress, trusted, nil)
			listener = netutil.LimitListener(listener, s.budget.connections)
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

// httpServers are servers with an open listener each.
type httpServers struct {
	servers   []*http.Server
	listeners []net.Listener
	drainTime time.Duration
	failed    chan<- error // the first error of a server that ends by itself

	serving sync.WaitGroup
}

// start accepts connections.
func (h *httpServers) start() {
	for i, server := range h.servers {
		h.serving.Go(func() {
			serve := server.Serve
			if server.TLSConfig != nil {
				serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
			}

			// stop closes a server on purpose; any other end stops the program.
			err := serve(h.listeners[i])
			if errors.Is(err, http.ErrServerClosed) {
				return
			}

			select {
			case h.failed <- fmt.Errorf("serve %s: %w", server.Addr, err):
			default: // another one has failed too
			}
		})
	}
}

// stop stops accepting submissions, and returns when all requests in hand are answered or
// drainTime has passed. The admin server, which is not the first one, goes on: it says
// that the server is not ready, and how far it is.
func (h *httpServers) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, h.drainTime)
	defer cancel()

	if h.servers[0].Shutdown(ctx) != nil {
		h.servers[0].Close() // clients that have not sent all by now get no answer
	}
}

// stopAdmin ends the other servers, and waits for the end of all.
func (h *httpServers) stopAdmin() error {
	var errs []error
	for _, server := range h.servers[1:] {
		errs = append(errs, server.Close())
	}

	h.serving.Wait()
	return errors.Join(errs...)
}

// close closes the listeners; those that served are closed already.
func (h *httpServers) close() error {
	var errs []error
	for _, l := range h.listeners {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
