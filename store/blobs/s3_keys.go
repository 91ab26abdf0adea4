package blobs

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// keys are looked for where AWS's own clients look: in the environment, in the shared files, and with whoever
// gives them to a container or a machine.
func (a *s3Address) keys(transport http.RoundTripper) *credentials.Credentials {
	if a.anonymous {
		return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
	}
	asking := &http.Client{Transport: transport, Timeout: 5 * time.Second} // who gives keys is near, and all wait
	files := &credentials.FileAWSCredentials{Profile: a.profile}
	given := &credentials.IAM{Client: asking, Region: a.region}
	found := &foundKeys{credentials.Chain{Providers: []credentials.Provider{&credentials.EnvAWS{}, files, given}}}
	if os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		found.Providers[1], found.Providers[2] = given, files
	}
	if a.profile != "" {
		found.Providers = []credentials.Provider{files}
	}
	keys := credentials.New(found)
	if a.role != "" {
		sts := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_STS"), os.Getenv("AWS_ENDPOINT_URL"), "https://"+a.host("sts"))
		keys = credentials.New(&roleKeys{with: keys, STSAssumeRole: credentials.STSAssumeRole{Client: asking,
			STSEndpoint: sts,
			Options: credentials.STSAssumeRoleOptions{RoleARN: a.role, RoleSessionName: "heddle",
				Location: a.region}}})
	}
	return keys
}

// foundKeys are the keys of the first who has some. If nobody has, it tells why, where a chain would go on
// without keys.
type foundKeys struct{ credentials.Chain }

// RetrieveWithCredContext implements [credentials.Provider].
func (f *foundKeys) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	keys, err := f.Chain.RetrieveWithCredContext(cc)
	if err != nil || keys.AccessKeyID != "" && keys.SecretAccessKey != "" {
		return keys, err
	}
	why := errors.New("there is only one of them")
	if keys.AccessKeyID == "" && keys.SecretAccessKey == "" {
		var none []error
		for _, p := range f.Providers {
			_, err := p.RetrieveWithCredContext(cc)
			none = append(none, err)
		}
		why = cmp.Or(errors.Join(none...), errors.New("nothing is set"))
	}
	return credentials.Value{}, fmt.Errorf("the bucket has no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (%w)", why)
}

// roleKeys are the keys of a role, which those who have other keys may ask for.
type roleKeys struct {
	with *credentials.Credentials
	credentials.STSAssumeRole
}

// RetrieveWithCredContext implements [credentials.Provider].
func (r *roleKeys) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	own, err := r.with.GetWithContext(cc)
	if err != nil {
		return own, err
	}
	o := &r.Options
	o.AccessKey, o.SecretKey, o.SessionToken = own.AccessKeyID, own.SecretAccessKey, own.SessionToken
	keys, err := r.STSAssumeRole.RetrieveWithCredContext(cc)
	if err != nil {
		return keys, fmt.Errorf("taking the role %s: %w", r.Options.RoleARN, err)
	}
	return keys, nil
}

// Retrieve implements [credentials.Provider].
func (r *roleKeys) Retrieve() (credentials.Value, error) { return r.RetrieveWithCredContext(nil) }
