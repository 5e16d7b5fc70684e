package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert/schemas"
)

// schemaFlags say whether pings are checked against JSON Schemas.
type schemaFlags struct {
	Schemas      string `env:"TMSERVER_SCHEMAS" type:"existingdir" placeholder:"DIR" help:"Check pings against the JSON Schemas of DIR, NAMESPACE/TYPE/TYPE.VERSION.schema.json as in mozilla-pipeline-schemas. Default: they are not checked."`
	SchemaSample string `env:"TMSERVER_SCHEMA_SAMPLE" default:"100%" placeholder:"PCT" help:"With --schemas: share of document IDs that are checked, such as 1%."`
	SchemaErrors string `env:"TMSERVER_SCHEMA_ERRORS" enum:"quarantine,count" default:"quarantine" help:"With --schemas: whether pings that fail are quarantined as schema_error, or only counted (${enum})."`
}

// load compiles the schemas; nil if there are none to check.
func (f *schemaFlags) load() (*schemas.Checker, error) {
	if f.Schemas == "" {
		return nil, nil
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(f.SchemaSample, "%"), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return nil, cli.Usage("--schema-sample %q: want 0%% to 100%%", f.SchemaSample)
	}

	checker, err := schemas.Load(f.Schemas)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	checker.Sample = uint32(math.Round(percent * 100))
	checker.Quarantine = f.SchemaErrors == "quarantine"
	return checker, nil
}

// watchSchemas loads the schemas again at SIGHUP, and shows what was checked.
func (s *serving) watchSchemas(checker *schemas.Checker) {
	if checker == nil {
		return
	}
	s.reloaders.add(checker.Reload)
	for verdict, count := range map[string]func() int64{"valid": checker.Valid.Load, "invalid": checker.Invalid.Load, "unknown": checker.Unknown.Load} {
		s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "telemetry_schema_checks_total",
			Help:        "Pings that were checked against a JSON Schema; unknown ones have none.",
			ConstLabels: prometheus.Labels{"verdict": verdict},
		}, func() float64 { return float64(count()) }))
	}
}
