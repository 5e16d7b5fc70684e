package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/intake"
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
	KafkaMaxBody int64    `env:"TMSERVER_KAFKA_MAX_BODY" default:"1048588" placeholder:"BYTES" help:"Longest ping of a message; a longer one is quarantined. Set it to the brokers' message.max.bytes."`

	KafkaTLS          bool   `env:"TMSERVER_KAFKA_TLS" name:"kafka-tls" help:"Talk TLS to the brokers."`
	KafkaCA           string `env:"TMSERVER_KAFKA_CA" name:"kafka-ca" type:"existingfile" placeholder:"FILE" help:"Certificates (PEM) that sign the brokers'. Default: the system's."`
	KafkaCert         string `env:"TMSERVER_KAFKA_CERT" type:"existingfile" placeholder:"FILE" help:"Certificate (PEM) to show to the brokers."`
	KafkaKey          string `env:"TMSERVER_KAFKA_KEY" type:"existingfile" placeholder:"FILE" help:"Private key of that certificate (PEM)."`
	KafkaSASL         string `env:"TMSERVER_KAFKA_SASL" name:"kafka-sasl" default:"none" enum:"none,plain,scram-sha-256,scram-sha-512" placeholder:"MECHANISM" help:"How to log in to the brokers: ${enum}."`
	KafkaUser         string `env:"TMSERVER_KAFKA_USER" placeholder:"NAME" help:"With --kafka-sasl: who to log in as."`
	KafkaPasswordFile string `env:"TMSERVER_KAFKA_PASSWORD_FILE" type:"existingfile" placeholder:"FILE" help:"With --kafka-sasl: file with the password. Else it is that of the environment, TMSERVER_KAFKA_PASSWORD."`
}

// validate checks that the flags fit together.
func (f *sourceFlags) validate() error {
	// What is read, and as whom.
	if (len(f.KafkaBrokers) == 0) != (f.KafkaTopic == "") {
		return cli.Usage("--kafka-brokers and --kafka-topic belong together")
	}
	if f.KafkaGroup == "" {
		return cli.Usage("--kafka-group: want a name")
	}
	if _, err := kafka.ParseFormat(f.KafkaFormat); err != nil {
		return cli.Usage("--kafka-format: %w", err)
	}

	if f.KafkaMaxBody < 1 || f.KafkaMaxBody > rawlog.MaxBodyLimit {
		return cli.Usage("--kafka-max-body %d: want 1 to %d", f.KafkaMaxBody, rawlog.MaxBodyLimit)
	}

	// How the connection is secured.
	switch {
	case !f.KafkaTLS && (f.KafkaCA != "" || f.KafkaCert != "" || f.KafkaKey != ""):
		return cli.Usage("--kafka-ca, --kafka-cert and --kafka-key need --kafka-tls")
	case (f.KafkaCert == "") != (f.KafkaKey == ""):
		return cli.Usage("--kafka-cert and --kafka-key belong together")
	case f.KafkaSASL == "none" && (f.KafkaUser != "" || f.KafkaPasswordFile != ""):
		return cli.Usage("--kafka-user and --kafka-password-file need --kafka-sasl")
	case f.KafkaSASL != "none" && f.KafkaUser == "":
		return cli.Usage("--kafka-sasl needs --kafka-user")
	}
	return nil
}

// kafkaSecurity returns how to talk to the brokers. The flags have been validated.
func (f *sourceFlags) kafkaSecurity(st *cli.State) (kafka.Security, error) {
	security := kafka.Security{
		TLS:  f.KafkaTLS,
		CA:   f.KafkaCA,
		Cert: f.KafkaCert,
		Key:  f.KafkaKey,
		User: f.KafkaUser,
	}
	if f.KafkaSASL == "none" {
		return security, nil
	}

	// The file, if there is one, counts more than the environment.
	security.Mechanism = f.KafkaSASL
	security.Password = st.Env("TMSERVER_KAFKA_PASSWORD")
	if f.KafkaPasswordFile != "" {
		text, err := os.ReadFile(f.KafkaPasswordFile)
		if err != nil {
			return security, cli.Fail(cli.ExitUsage, fmt.Errorf("--kafka-password-file: %w", err))
		}
		security.Password = strings.TrimRight(string(text), "\r\n")
	}

	if security.Password == "" {
		return security, cli.WithHint(cli.Usage("--kafka-sasl %s: there is no password", f.KafkaSASL),
			"give --kafka-password-file, or TMSERVER_KAFKA_PASSWORD in the environment")
	}
	if security.Mechanism == "plain" && !security.TLS {
		st.Log.Warn("the Kafka password is sent in the clear: --kafka-sasl plain without --kafka-tls")
	}

	return security, nil
}

// buildKafka takes submissions from a Kafka topic. It stops with ctx, as the signal
// comes, and commits the offsets of what is durable by then.
func (s *serving) buildKafka(ctx context.Context) (part, error) {
	flags := &s.c.sourceFlags
	if len(flags.KafkaBrokers) == 0 {
		return part{}, nil
	}

	// Mistakes in the flags end the program before it connects to a broker.
	format, err := kafka.ParseFormat(flags.KafkaFormat)
	if err != nil {
		return part{}, err
	}
	security, err := flags.kafkaSecurity(s.st)
	if err != nil {
		return part{}, err
	}

	source, err := kafka.New(s.log, kafka.Options{
		Brokers:    flags.KafkaBrokers,
		Topic:      flags.KafkaTopic,
		Group:      flags.KafkaGroup,
		Format:     format,
		Security:   security,
		MaxBody:    int(flags.KafkaMaxBody),
		Registerer: s.registry,
		Log:        s.st.Log,
	})
	if err != nil {
		return part{}, cli.Fail(cli.ExitUsage, err)
	}
	return inBackground(ctx, source.Run), nil
}

// buildSpool publishes the raw logs that are renamed into a spool folder.
func (s *serving) buildSpool(ctx context.Context) (part, error) {
	if s.c.Spool == "" {
		return part{}, nil
	}
	dir, err := os.OpenRoot(s.c.Spool)
	if err != nil {
		return part{}, cli.Fail(cli.ExitUsage, fmt.Errorf("--spool: %w", err))
	}

	// It goes on after the signal, until the requests in hand are answered.
	spool := inBackground(context.WithoutCancel(ctx), intake.NewSpool(dir, s.worker, s.st.Log).Run)
	spool.close = dir.Close
	return spool, nil
}
