package objects

import (
	"cmp"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"gopkg.in/ini.v1"
)

// metadataTimeout is how long the server of a machine's or a container's credentials
// may take to answer. On a machine without one, finding that out takes as long.
const metadataTimeout = 10 * time.Second

var errNoCredentials = errors.New("no credentials for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
	"or AWS_PROFILE and ~/.aws/credentials; for a public bucket, add anonymous=true to its URL")

// credentials looks where AWS's own tools look: the environment, the shared files, the
// role of the machine or container. A profile that the URL names comes first.
func (o *s3Options) credentials() *credentials.Credentials {
	if o.anonymous {
		return credentials.NewStaticV4("", "", "")
	}

	file := &credentials.FileAWSCredentials{Profile: o.profile}
	providers := []credentials.Provider{file}
	if o.profile == "" {
		providers = []credentials.Provider{&credentials.EnvAWS{}, file}
	}
	if o.profile == "" && os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		providers = append(providers, &credentials.IAM{Client: &http.Client{Timeout: metadataTimeout}, Region: o.region})
	}

	found := credentials.New(&required{credentials.Chain{Providers: providers}})
	if o.role == "" {
		return found
	}

	// The role is assumed at the region's own address, which also serves closed networks.
	region := cmp.Or(o.region, "us-east-1")
	domain := ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}

	return credentials.New(&assumedRole{
		STSAssumeRole: credentials.STSAssumeRole{
			STSEndpoint: "https://sts." + region + domain,
			Options:     credentials.STSAssumeRoleOptions{Location: region, RoleARN: o.role, RoleSessionName: "telemetry-server"},
		},
		own: found,
	})
}

// required fails where a Chain would go on without credentials.
type required struct{ credentials.Chain }

// RetrieveWithCredContext implements credentials.Provider.
func (p *required) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	v, err := p.Chain.RetrieveWithCredContext(cc)
	if err == nil && v.AccessKeyID == "" {
		err = errNoCredentials
	}

	return v, err
}

// Retrieve implements credentials.Provider.
func (p *required) Retrieve() (credentials.Value, error) { return p.RetrieveWithCredContext(nil) }

// assumedRole gets the credentials of a role with those that were found, anew whenever
// they expire.
type assumedRole struct {
	credentials.STSAssumeRole
	own *credentials.Credentials
}

// RetrieveWithCredContext implements credentials.Provider.
func (p *assumedRole) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	own, err := p.own.GetWithContext(cc)
	if err != nil {
		return own, err
	}

	p.Options.AccessKey = own.AccessKeyID
	p.Options.SecretKey = own.SecretAccessKey
	p.Options.SessionToken = own.SessionToken
	return p.STSAssumeRole.RetrieveWithCredContext(cc)
}

// Retrieve implements credentials.Provider.
func (p *assumedRole) Retrieve() (credentials.Value, error) { return p.RetrieveWithCredContext(nil) }

// profileRegion is the region that AWS's configuration file has for a profile; "": none.
func profileRegion(profile string) string {
	file := os.Getenv("AWS_CONFIG_FILE")
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		file = filepath.Join(home, ".aws", "config")
	}

	config, err := ini.Load(file)
	if err != nil {
		return "" // usually the file does not exist
	}

	profile = cmp.Or(profile, os.Getenv("AWS_PROFILE"), "default")
	for _, section := range []string{"profile " + profile, profile} {
		if s, err := config.GetSection(section); err == nil && s.HasKey("region") {
			return s.Key("region").String()
		}
	}

	return ""
}
