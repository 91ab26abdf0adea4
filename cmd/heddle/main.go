// Command heddle is wiring and nothing else: configuration in, floors put together, signals handled.
package main

import (
	_ "code.dny.dev/ssrf"
	_ "github.com/99designs/gqlgen/graphql/handler"
	_ "github.com/99designs/gqlgen/graphql/playground"
	_ "github.com/alecthomas/kong"
	_ "github.com/alicebob/miniredis/v2"
	_ "github.com/cenkalti/backoff/v5"
	_ "github.com/hibiken/asynq"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/redis/go-redis/v9"
	_ "github.com/tink-crypto/tink-go/v2/aead"
	_ "gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob"
	_ "golang.org/x/sync/errgroup"
	_ "gopkg.in/yaml.v3"
	_ "modernc.org/quickjs"
	_ "modernc.org/sqlite"
)

func main() {}
