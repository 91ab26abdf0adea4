// Package blobs keeps what is too large for an event: in a folder, in memory or in an S3 bucket.
package blobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob" // mem:// addresses
	_ "gocloud.dev/blob/s3blob"  // s3:// addresses
	"gocloud.dev/gcerrors"

	"heddle/domain/refusal"
)

// Store keeps blobs. A blob is durable when Put returns, so an event may name it from then on.
type Store struct {
	bucket *blob.Bucket
	dir    string // the folder of a file:// address, else empty
}

// Open opens the blobs at file:///folder (made if missing), s3://bucket?region=… or mem://.
func Open(ctx context.Context, address string) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may hold secrets
		}
		return nil, refusal.New(refusal.Invalid, "the address of the blobs is not an URL: %v", err)
	}
	if u.Scheme == fileblob.Scheme {
		return openFileBlobs(u.Host, filepath.FromSlash(u.Path))
	}
	bucket, err := blob.OpenBucket(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("opening the blobs at %s://%s: %w", u.Scheme, u.Host, err)
	}
	return &Store{bucket: bucket}, nil
}

// Put stores a blob durably under a key such as run/1/output, in place of any older one. A full
// disk is UNAVAILABLE.
func (b *Store) Put(ctx context.Context, key string, data []byte) error {
	err := checkKey(key)
	switch {
	case err != nil:
		return err
	case b.dir != "":
		err = b.putFile(ctx, key, data)
	default:
		err = b.bucket.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: "application/octet-stream"})
	}
	if err != nil {
		return fmt.Errorf("storing blob %s: %w", key, noRoom(err))
	}
	return nil
}

// Get returns a blob; one that is not there is NOT_FOUND.
func (b *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	data, err := b.bucket.ReadAll(ctx, key)
	switch {
	case gcerrors.Code(err) == gcerrors.NotFound:
		return nil, refusal.New(refusal.NotFound, "blob %s does not exist", key)
	case err != nil:
		return nil, fmt.Errorf("reading blob %s: %w", key, err)
	}
	return data, nil
}

// PutContent stores data under the hash of its content, in hex, which it returns. What an
// organization stored before is checked and not written again.
func (b *Store) PutContent(ctx context.Context, organization string, data []byte) (string, error) {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	key := contentKey(organization, hash)
	if old, err := b.Get(ctx, key); err == nil && bytes.Equal(old, data) {
		// Another caller may have given it its name just now, without that being durable yet.
		return hash, b.settle(key)
	}
	return hash, b.Put(ctx, key, data)
}

// GetContent returns what an organization stored under a hash. Content that does not have that hash
// any more is an error.
func (b *Store) GetContent(ctx context.Context, organization, hash string) ([]byte, error) {
	key := contentKey(organization, hash)
	data, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("blob %s is damaged: its content has hash %x", key, sum)
	}
	return data, nil
}

func contentKey(organization, hash string) string { return "content/" + organization + "/" + hash }

// Delete removes a blob; one that is not there is removed already.
func (b *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := b.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("deleting blob %s: %w", key, err)
	}
	return nil
}

// DeleteAll removes all blobs whose key begins with a prefix that ends in a slash, such as run/1/.
func (b *Store) DeleteAll(ctx context.Context, prefix string) error {
	folder, whole := strings.CutSuffix(prefix, "/")
	if err := checkKey(folder); err != nil || !whole {
		return refusal.New(refusal.Invalid, "%.80q is not a prefix of blobs such as run/1/", prefix)
	}
	if b.dir != "" {
		return b.deleteFolder(folder)
	}
	for list := b.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = b.Delete(ctx, object.Key)
		}
		if err != nil {
			return fmt.Errorf("deleting blobs %s: %w", prefix, err)
		}
	}
}

// Close releases the store of the blobs.
func (b *Store) Close() error { return b.bucket.Close() }

const maxKey = 512 // bytes

// checkKey takes only keys that stand for themselves in every store: as a path below a folder too.
func checkKey(key string) error {
	ok := key != "" && len(key) <= maxKey && !strings.HasSuffix(key, ".attrs")
	for part := range strings.SplitSeq(key, "/") {
		ok = ok && part != "" && part[0] != '.' && len(part) <= 200
	}
	for _, c := range []byte(key) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/-_.=", c) >= 0)
	}
	if !ok {
		return refusal.New(refusal.Invalid, "%.80q is not a key of a blob", key)
	}
	return nil
}
