package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/kafka"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// sourceFlags say where serve takes submissions from besides HTTP.
type sourceFlags struct {
	Spool        string   `env:"TMSERVER_SPOOL" placeholder:"DIR" help:"Also publish the raw logs that are renamed into DIR, and remove them."`
	KafkaBrokers []string `env:"TMSERVER_KAFKA_BROKERS" placeholder:"HOST:PORT" help:"Also take submissions from the Kafka topic that these brokers have."`
	KafkaTopic   string   `env:"TMSERVER_KAFKA_TOPIC" placeholder:"NAME" help:"The topic; a message's key is the document ID, its value the ping, plain or gzip."`
	KafkaGroup   string   `env:"TMSERVER_KAFKA_GROUP" default:"telemetry-server" placeholder:"NAME" help:"The consumer group that remembers what has been read."`
	KafkaFormat  string   `env:"TMSERVER_KAFKA_FORMAT" default:"json" placeholder:"json|bagheera" help:"What the messages are: JSON, or Bagheera's protobuf envelope."`
}

func (f *sourceFlags) validate() error {
	if (len(f.KafkaBrokers) == 0) != (f.KafkaTopic == "") {
		return cli.Usage("--kafka-brokers and --kafka-topic belong together")
	}
	if f.KafkaGroup == "" {
		return cli.Usage("--kafka-group: want a name")
	}
	if _, err := kafka.ParseFormat(f.KafkaFormat); err != nil {
		return cli.Usage("--kafka-format: %w", err)
	}
	return nil
}

// openSources returns what takes submissions until its context ends, and then
// finishes what it has in hand. The flags have been validated.
func (f *sourceFlags) openSources(c *serveCmd, log *rawlog.Log, reg *prometheus.Registry, logger *slog.Logger) ([]func(context.Context), error) {
	var sources []func(context.Context)
	if len(f.KafkaBrokers) > 0 {
		format, err := kafka.ParseFormat(f.KafkaFormat)
		if err != nil {
			return nil, err
		}
		s, err := kafka.New(log, kafka.Options{
			Brokers: f.KafkaBrokers, Topic: f.KafkaTopic, Group: f.KafkaGroup, Format: format,
			MaxBody: int(c.MaxBody), MaxPath: c.MaxPath, Registerer: reg, Logger: logger,
		})
		if err != nil {
			return nil, cli.Fail(cli.ExitUsage, err)
		}
		sources = append(sources, s.Run)
	}
	return sources, nil
}
