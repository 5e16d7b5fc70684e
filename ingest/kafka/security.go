package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Security says how to connect to the brokers. The zero Security is unencrypted and
// anonymous.
type Security struct {
	TLS bool // without it the three files are not read
	// CA is a file of certificates (PEM) that sign the brokers'; "": the system's.
	CA string
	// Cert and Key are the files (PEM) of a client's certificate and its private
	// key; "": the client has none.
	Cert, Key string
	// Mechanism is how to log in (SASL): "plain", "scram-sha-256" or
	// "scram-sha-512"; "": not at all.
	Mechanism      string
	User, Password string
}

// options returns the client's options for it. The error says which file or
// field is wrong, and never holds the password.
func (s Security) options() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if s.TLS {
		c, err := s.tlsConfig()
		if err != nil {
			return nil, err
		}

		opts = append(opts, kgo.DialTLSConfig(c))
	}

	if s.Mechanism != "" && (s.User == "" || s.Password == "") {
		return nil, fmt.Errorf("SASL %s: user and password are needed", s.Mechanism)
	}

	// The mechanism decides how the password travels.
	switch s.Mechanism {
	case "":
	case "plain":
		opts = append(opts, kgo.SASL(plain.Auth{User: s.User, Pass: s.Password}.AsMechanism()))
	case "scram-sha-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism()))
	case "scram-sha-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism()))
	default:
		return nil, fmt.Errorf("SASL mechanism %q: want plain, scram-sha-256 or scram-sha-512", s.Mechanism)
	}

	return opts, nil
}

func (s Security) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{} // without RootCAs: the system's
	if s.CA != "" {
		text, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, err
		}

		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: no certificate (PEM) in it", s.CA)
		}
	}

	// One of the two alone is a mistake, which LoadX509KeyPair names.
	if s.Cert != "" || s.Key != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with key %s: %w", s.Cert, s.Key, err)
		}

		c.Certificates = []tls.Certificate{pair}
	}

	return c, nil
}
