package blobs

import (
	"cmp"
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"gopkg.in/ini.v1"

	"heddle/domain/refusal"
)

// s3Address is what an address such as s3://bucket?region=eu-west-1 says.
type s3Address struct {
	bucket, region, endpoint, profile, role, encryption, kmsKey     string
	anonymous, pathStyle, oldPathStyle, fixedHost, http, accelerate bool
	dualStack, fips                                                 bool
}

// withoutMeaning are parameters that were for an earlier client of S3, and change nothing.
var withoutMeaning = []string{"awssdk", "rate_limiter_capacity", "request_checksum_calculation",
	"response_checksum_validation"}

func readS3Address(u *url.URL) (a s3Address, err error) {
	a.bucket = u.Hostname()
	if a.bucket == "" {
		return a, refusal.New(refusal.Invalid,
			"the address of the blobs names no bucket: it must be s3://bucket?region=…")
	}
	texts := map[string]*string{"region": &a.region, "endpoint": &a.endpoint, "profile": &a.profile, "role": &a.role,
		"ssetype": &a.encryption, "kmskeyid": &a.kmsKey}
	flags := map[string]*bool{"anonymous": &a.anonymous, "use_path_style": &a.pathStyle,
		"s3ForcePathStyle":   &a.oldPathStyle,
		"hostname_immutable": &a.fixedHost, "disable_https": &a.http, "accelerate": &a.accelerate,
		"dualstack": &a.dualStack, "fips": &a.fips}
	for name, values := range u.Query() {
		if text, ok := texts[name]; ok {
			*text = values[0]
		} else if flag, ok := flags[name]; ok {
			if *flag, err = strconv.ParseBool(values[0]); err != nil {
				return a, refusal.New(refusal.Invalid,
					"the parameter %s of the address of the blobs must be true or false", name)
			}
		} else if !slices.Contains(withoutMeaning, name) {
			known := slices.Sorted(maps.Keys(texts))
			known = append(known, slices.Sorted(maps.Keys(flags))...)
			return a, refusal.New(refusal.Invalid,
				"the address of the blobs has an unknown parameter %.40q; there are %s",
				name, strings.Join(known, ", "))
		}
	}
	return a, a.complete()
}

// complete adds what the environment and the shared configuration file of AWS say, and checks the whole.
func (a *s3Address) complete() error {
	a.endpoint = cmp.Or(a.endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	a.region = cmp.Or(a.region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), a.sharedRegion())
	if u, err := url.Parse(a.endpoint); a.region == "" && err == nil && u.Host != "" {
		a.region = cmp.Or(s3utils.GetRegionFromURL(*u), "us-east-1")
	}
	if a.region == "" {
		return refusal.New(refusal.Invalid,
			"the region of the bucket is not known: add region=… to the address of the blobs, or set AWS_REGION")
	}
	if !plainName.MatchString(a.region) {
		return refusal.New(refusal.Invalid, "the region of the bucket is not a name such as eu-west-1")
	}
	if a.role != "" && !strings.HasPrefix(a.role, "arn:") {
		return refusal.New(refusal.Invalid, "the parameter role of the address of the blobs must begin with arn:")
	}
	if a.encryption != "" {
		kinds := []string{"AES256", "aws:kms", "aws:kms:dsse"}
		i := slices.IndexFunc(kinds, func(kind string) bool { return strings.EqualFold(kind, a.encryption) })
		if i < 0 {
			return refusal.New(refusal.Invalid, "the parameter ssetype of the address of the blobs must be one of %s",
				strings.Join(kinds, ", "))
		}
		a.encryption = kinds[i]
	}
	return nil
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}$`)

// sharedRegion is what the shared configuration file says, or nothing.
func (a *s3Address) sharedRegion() string {
	path := os.Getenv("AWS_CONFIG_FILE")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		path = filepath.Join(home, ".aws", "config")
	}
	section := "default"
	if profile := cmp.Or(a.profile, os.Getenv("AWS_PROFILE")); profile != "" && profile != section {
		section = "profile " + profile
	}
	file, err := ini.LooseLoad(path)
	if err != nil {
		return "" // who needs it is told that the region is not known
	}
	return file.Section(section).Key("region").String()
}

// host is where AWS has the service.
func (a *s3Address) host(service string) string {
	suffix := ".amazonaws.com"
	if strings.HasPrefix(a.region, "cn-") {
		suffix += ".cn"
	}
	if a.fips {
		service += "-fips"
	}
	if a.dualStack && service != "sts" {
		service += ".dualstack"
	}
	if service == "s3-accelerate" || service == "s3-accelerate.dualstack" {
		return service + suffix
	}
	return service + "." + a.region + suffix
}

// place returns the address of the service, such as https://s3.eu-west-1.amazonaws.com.
func (a *s3Address) place() (*url.URL, error) {
	if a.endpoint == "" {
		u := &url.URL{Scheme: "https", Host: a.host("s3")}
		if a.http {
			u.Scheme = "http"
		}
		return u, nil
	}
	u, err := url.Parse(a.endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		return nil, refusal.New(refusal.Invalid,
			"the endpoint of the bucket must be an address such as https://s3.example.com")
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, refusal.New(refusal.Invalid,
			"the endpoint of the bucket has the path %.80q, below which buckets can't be found: "+
				"give S3 a host name or a port of its own, such as https://s3.example.com", u.Path)
	}
	return u, nil
}

var hostName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// options say how the bucket is asked for: in the host where that can be, unless it is to be in the path.
func (a *s3Address) options(u *url.URL) *minio.Options {
	o := &minio.Options{Region: a.region, Secure: u.Scheme == "https", BucketLookup: minio.BucketLookupDNS,
		MaxRetries: attempts}
	if a.pathStyle || a.oldPathStyle || a.fixedHost || net.ParseIP(u.Hostname()) != nil ||
		!hostName.MatchString(a.bucket) ||
		o.Secure && strings.Contains(a.bucket, ".") { // no certificate is for a name below a name
		o.BucketLookup = minio.BucketLookupPath
	}
	return o
}

func (a *s3Address) client(u *url.URL, o *minio.Options) (*minio.Core, error) {
	client, err := minio.NewCore(u.Host, o)
	if err != nil {
		return nil, refusal.New(refusal.Invalid, "the endpoint of the bucket: %v", err)
	}
	client.SetS3EnableDualstack(strings.Contains(u.Host, ".dualstack."))
	if a.accelerate {
		client.SetS3TransferAccelerate(a.host("s3-accelerate"))
	}
	return client, nil
}

// base returns the URL below which the client looks for blobs. It is refused where there can be none.
func (a *s3Address) base(u *url.URL) (*url.URL, error) {
	o := a.options(u)
	o.Creds = credentials.NewStaticV4("any", "any", "")
	client, err := a.client(u, o)
	if err != nil {
		return nil, err
	}
	if u, err = client.Presign(context.Background(), http.MethodGet, a.bucket, "key", time.Hour, nil); err != nil {
		return nil, refusal.New(refusal.Invalid, "the bucket: %v", err)
	}
	if a.endpoint == "" && !a.accelerate && !strings.Contains(u.Host, a.region) { // it takes another one then
		return nil, refusal.New(refusal.Invalid,
			"no region of AWS is known by the name %s: check region=… in the address of the blobs, or AWS_REGION",
			a.region)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "key")}, nil
}

func openBucket(u *url.URL) (*bucket, error) {
	a, err := readS3Address(u)
	if err != nil {
		return nil, err
	}
	place, err := a.place()
	if err != nil {
		return nil, err
	}
	if _, err := a.base(place); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.ResponseHeaderTimeout = time.Minute
	transport.DisableCompression = true // blobs come as they were sent
	o := a.options(place)
	o.Transport, o.Creds = bounded{transport}, a.keys(bounded{transport})
	client, err := a.client(place, o)
	if err != nil {
		return nil, err
	}
	storing := minio.PutObjectOptions{ServerSideEncryption: encryption{a.encryption, a.kmsKey},
		DisableContentSha256: true}
	return &bucket{name: a.bucket, client: client, transport: transport, storing: storing}, nil
}
