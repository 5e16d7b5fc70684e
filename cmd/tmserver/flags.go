package main

import (
	"errors"
	"net/url"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// definitionFlags say where histogram definitions come from.
type definitionFlags struct {
	RevisionCache  string `env:"TMSERVER_REVISION_CACHE" placeholder:"DIR" help:"Folder of cached definitions, <repo>/<revision>/Histograms.json. Default: histogram_cache in the data folder."`
	RevisionServer string `env:"TMSERVER_REVISION_SERVER" default:"https://hg.mozilla.org" placeholder:"URL" help:"Mercurial server to ask for definitions."`
	Offline        bool   `env:"TMSERVER_OFFLINE" help:"Never ask a server; use cached definitions only."`

	fetchesPerMinute int // revisions.Options has it; serve sets it
}

// open returns the cache of definitions; dataDir is the data folder, or "". The caller
// closes it.
func (f *definitionFlags) open(st *cli.State, dataDir string) (*revisions.Cache, error) {
	options := revisions.DefaultOptions()
	options.Dir = f.RevisionCache
	options.Server = f.RevisionServer
	options.Offline = f.Offline
	options.FetchesPerMinute = f.fetchesPerMinute
	options.Log = st.Log

	// The cache of a data folder is part of it.
	if options.Dir == "" && dataDir != "" {
		options.Dir = filepath.Join(dataDir, layout.RevisionCacheDir)
	}

	cache, err := revisions.NewCache(options)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	return cache, nil
}

// revisionFlags say which definitions a ping is converted with; every command that
// converts embeds them.
type revisionFlags struct {
	definitionFlags  `embed:""`
	RevisionFallback string `env:"TMSERVER_REVISION_FALLBACK" enum:"on,off" default:"on" help:"Whether pings without info.revision are converted with the definitions that their channel, build ID and version lead to, by the index of \"tmserver revisions sync\": ${enum}."`

	cache *revisions.Cache // that open opened
}

// open returns the cache of definitions; dataDir is the data folder, or "". The caller
// closes it.
func (f *revisionFlags) open(st *cli.State, dataDir string) (*revisions.Cache, error) {
	cache, err := f.definitionFlags.open(st, dataDir)
	if err != nil {
		return nil, err
	}

	// A damaged history is found now, and not by the first ping that needs it. It is an
	// error only where it cannot be set aside.
	if f.RevisionFallback == "on" {
		if _, err := cache.History(); err != nil {
			return nil, cli.WithHint(cli.Fail(cli.ExitCorrupt, errors.Join(err, cache.Close())), "tmserver revisions sync makes it anew")
		}
	}

	f.cache = cache
	return cache, nil
}

// converterOptions returns the options of every Converter of the command. Call open
// before.
func (f *revisionFlags) converterOptions(schema *schema.Schema) convert.Options {
	options := convert.DefaultOptions()
	options.Schema = schema

	// Pings of a private server name it in their revision.
	server, err := url.Parse(f.RevisionServer)
	if err == nil && server.Host != "" {
		options.RevisionHosts = append(options.RevisionHosts, server.Host)
	}
	if f.RevisionFallback == "on" && f.cache != nil {
		options.Fallback = f.cache
	}
	return options
}

// countryFlags say what is stored of a client's address: nothing, or its country.
type countryFlags struct {
	GeoDB string `name:"geo-db" env:"TMSERVER_GEO_DB" type:"existingfile" placeholder:"FILE" help:"MaxMind database (.mmdb); the country of each client's address becomes info.geoCountry. Default: addresses are not looked at. The address itself is never stored."`
}

// openCountries returns nil if there is no database. The caller closes the result.
func (f *countryFlags) openCountries() (*convert.Countries, error) {
	if f.GeoDB == "" {
		return nil, nil
	}
	countries, err := convert.OpenCountries(f.GeoDB)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	return countries, nil
}
