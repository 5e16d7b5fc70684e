package objects

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

// s3Options are the parameters of an s3:// URL, and of the environment where the URL
// has none. docs/operating.md describes them.
type s3Options struct {
	region, endpoint string
	profile, role    string
	anonymous        bool
	pathStyle        bool // the bucket's name goes into the path
	hostStyle        bool // or into the host; neither: as lookup chooses
	plainHTTP        bool
	dualStack        bool
	fips             bool
	accelerate       bool
	trailing         bool
	encryption       sse
}

// parseS3 reads the parameters of a URL.
func parseS3(params url.Values) (o s3Options, err error) {
	// Where each parameter goes, by its kind.
	trailing := os.Getenv("AWS_REQUEST_CHECKSUM_CALCULATION")
	texts := map[string]*string{
		"region": &o.region, "endpoint": &o.endpoint, "profile": &o.profile, "role": &o.role,
		"request_checksum_calculation": &trailing,
		"ssetype":                      &o.encryption.algorithm, "kmskeyid": &o.encryption.keyID,
	}
	var pathStyle, legacyPathStyle, fixedHost bool
	switches := map[string]*bool{
		"anonymous": &o.anonymous, "disable_https": &o.plainHTTP, "dualstack": &o.dualStack, "fips": &o.fips,
		"accelerate": &o.accelerate, "use_path_style": &pathStyle, "s3ForcePathStyle": &legacyPathStyle, "hostname_immutable": &fixedHost,
	}

	unknown := url.Values{}
	for name, values := range params {
		value := values[len(values)-1]
		if text, ok := texts[name]; ok {
			*text = value
			continue
		}

		to, ok := switches[name]
		if !ok {
			unknown[name] = values
			continue
		}
		if *to, err = strconv.ParseBool(value); err != nil {
			return o, fmt.Errorf("parameter %s=%q: want true or false", name, value)
		}
	}

	// Three parameters of three generations ask for the same.
	o.pathStyle = pathStyle || legacyPathStyle || fixedHost
	o.hostStyle = !o.pathStyle && params.Has("use_path_style")
	if len(unknown) > 0 {
		return o, fmt.Errorf("unknown parameter %s of an s3:// URL", quotedKeys(unknown))
	}

	switch strings.ToLower(trailing) {
	case "", "when_required":
	case "when_supported":
		o.trailing = true
	default:
		return o, fmt.Errorf("request_checksum_calculation=%q: want when_required or when_supported", trailing)
	}

	if o.role != "" && !strings.HasPrefix(o.role, "arn:") {
		return o, fmt.Errorf("parameter role=%q: want an ARN, such as arn:aws:iam::1:role/name", o.role)
	}

	// The URL comes first, then the environment, then the profile.
	o.endpoint = cmp.Or(o.endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	o.region = cmp.Or(o.region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), profileRegion(o.profile))
	return o, o.encryption.check()
}

// sse is the encryption that an upload asks for; the zero value asks for nothing.
type sse struct{ algorithm, keyID string }

func (e *sse) check() error {
	for _, known := range []string{"AES256", "aws:kms", "aws:kms:dsse"} {
		if strings.EqualFold(e.algorithm, known) {
			e.algorithm = known
			return nil
		}
	}
	if e.algorithm == "" && e.keyID == "" {
		return nil
	}

	return fmt.Errorf("parameter ssetype=%q: want AES256, aws:kms or aws:kms:dsse", e.algorithm)
}

// Type implements encrypt.ServerSide.
func (e sse) Type() encrypt.Type {
	if e.algorithm == "AES256" {
		return encrypt.S3
	}

	return encrypt.KMS
}

// Marshal implements encrypt.ServerSide.
func (e sse) Marshal(h http.Header) {
	h.Set("X-Amz-Server-Side-Encryption", e.algorithm)
	if e.keyID != "" {
		h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", e.keyID)
	}
}

// openBucket opens s3://name/prefix. It makes no request.
func openBucket(name, prefix string, params url.Values) (*bucket, error) {
	o, err := parseS3(params)
	if err != nil {
		return nil, err
	}

	if name == "" {
		return nil, errors.New("an s3:// URL needs the name of a bucket")
	}

	host, secure, err := o.host()
	if err != nil {
		return nil, err
	}

	transport, err := transport(secure)
	if err != nil {
		return nil, err
	}

	client, err := minio.NewCore(host, &minio.Options{
		Creds: o.credentials(), Secure: secure, Transport: transport, Region: o.region,
		BucketLookup: o.lookup(host), TrailingHeaders: o.trailing,
		MaxRetries: 1, // package backend repeats what failed
	})
	if err != nil {
		return nil, err
	}
	client.SetS3EnableDualstack(o.dualStack)
	if o.accelerate {
		client.SetS3TransferAccelerate("s3-accelerate.amazonaws.com")
	}

	// The rest of the URL's path is a folder of the bucket.
	s := &bucket{client: client, transport: transport, name: name, trailing: o.trailing}
	if prefix != "" {
		s.prefix = prefix + "/"
	}
	if o.encryption.algorithm != "" {
		s.encryption = o.encryption
	}

	return s, nil
}

// host says where the store is, and whether it speaks TLS. A store that is not Amazon's
// gets a region, which signatures need.
func (o *s3Options) host() (host string, secure bool, err error) {
	if o.endpoint == "" {
		if o.fips {
			if o.region == "" {
				return "", false, errors.New("fips=true needs a region")
			}
			return "s3-fips." + o.region + ".amazonaws.com", true, nil
		}

		return "s3.amazonaws.com", !o.plainHTTP, nil
	}

	o.region = cmp.Or(o.region, "us-east-1")

	// An endpoint without a scheme speaks TLS unless disable_https is set.
	scheme, host, ok := strings.Cut(o.endpoint, "://")
	if !ok {
		return strings.TrimSuffix(o.endpoint, "/"), !o.plainHTTP, nil
	}

	if scheme != "http" && scheme != "https" {
		return "", false, fmt.Errorf("parameter endpoint=%q: want http:// or https://", o.endpoint)
	}

	return strings.TrimSuffix(host, "/"), scheme == "https", nil
}

// lookup says whether the bucket's name goes into the host or into the path.
func (o *s3Options) lookup(host string) minio.BucketLookupType {
	if o.pathStyle {
		return minio.BucketLookupPath
	}
	if o.hostStyle {
		return minio.BucketLookupDNS
	}
	if o.endpoint == "" {
		return minio.BucketLookupAuto // Amazon: the host, except for names that certificates do not cover
	}

	// An address has no names below it.
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}

	if net.ParseIP(strings.Trim(name, "[]")) != nil || name == "localhost" {
		return minio.BucketLookupPath
	}

	return minio.BucketLookupDNS
}

// transport makes the HTTP transport of a store, which trusts AWS_CA_BUNDLE too.
func transport(secure bool) (*http.Transport, error) {
	t, err := minio.DefaultTransport(secure)
	bundle := os.Getenv("AWS_CA_BUNDLE")
	if err != nil || !secure || bundle == "" {
		return t, err
	}

	pem, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}

	// The bundle adds to what the system trusts, as other clients of S3 do.
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}

	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s has no certificate", bundle)
	}
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return t, nil
}
