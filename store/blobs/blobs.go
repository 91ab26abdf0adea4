// Package blobs keeps what is too large for an event: in a folder, in memory or in an S3 bucket.
package blobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"

	"heddle/domain/refusal"
)

// Store keeps blobs. A blob is durable when Put returns, so an event may name it from then on.
type Store struct {
	shelf
	dir    string // the folder of a file:// address, else empty
	closed atomic.Bool
}

// shelf is one place for blobs. Its keys are checked.
type shelf interface {
	put(ctx context.Context, key string, data []byte) error
	get(ctx context.Context, key string) ([]byte, error) // fs.ErrNotExist if there is none
	remove(ctx context.Context, key string) error        // nil if there is none
	removeFolder(ctx context.Context, folder string) error
	settle(key string) error // makes the name of a blob that is there durable
	close()
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
	switch u.Scheme {
	case "file":
		f, err := openFolder(u.Host, filepath.FromSlash(u.Path))
		if err != nil {
			return nil, err
		}
		return &Store{shelf: f, dir: string(f)}, nil
	case "s3":
		b, err := openBucket(u)
		if err != nil {
			return nil, fmt.Errorf("opening the blobs at s3://%s: %w", u.Host, err)
		}
		return &Store{shelf: b}, nil
	case "mem":
		return &Store{shelf: &inMemory{blobs: map[string][]byte{}}}, nil
	}
	return nil, refusal.New(refusal.Invalid, "the address of the blobs begins with %.20q: it must be file:///folder or s3://bucket?region=…",
		u.Scheme+"://")
}

// Put stores a blob durably under a key such as run/1/output, in place of any older one. A full
// disk is UNAVAILABLE.
func (b *Store) Put(ctx context.Context, key string, data []byte) error {
	if err := b.check(key); err != nil {
		return err
	}
	if err := b.put(ctx, key, data); err != nil {
		return fmt.Errorf("storing blob %s: %w", key, noRoom(err))
	}
	return nil
}

// Get returns a blob; one that is not there is NOT_FOUND.
func (b *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := b.check(key); err != nil {
		return nil, err
	}
	data, err := b.get(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
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
		if err := b.settle(key); err != nil {
			return hash, fmt.Errorf("storing blob %s: %w", key, err)
		}
		return hash, nil
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
	if err := b.check(key); err != nil {
		return err
	}
	if err := b.remove(ctx, key); err != nil {
		return fmt.Errorf("deleting blob %s: %w", key, err)
	}
	return nil
}

// DeleteAll removes all blobs whose key begins with a prefix that ends in a slash, such as run/1/.
func (b *Store) DeleteAll(ctx context.Context, prefix string) error {
	folder, whole := strings.CutSuffix(prefix, "/")
	if b.closed.Load() {
		return errClosed
	}
	if checkKey(folder) != nil || !whole {
		return refusal.New(refusal.Invalid, "%.80q is not a prefix of blobs such as run/1/", prefix)
	}
	if err := b.removeFolder(ctx, folder); err != nil {
		return fmt.Errorf("deleting blobs %s: %w", prefix, err)
	}
	return nil
}

// Close releases the store of the blobs. Nothing is stored or read after it.
func (b *Store) Close() error {
	if !b.closed.Swap(true) {
		b.close()
	}
	return nil
}

var errClosed = errors.New("the blobs are closed")

func (b *Store) check(key string) error {
	if b.closed.Load() {
		return errClosed
	}
	return checkKey(key)
}

const maxKey = 512 // bytes

// checkKey takes only keys that stand for themselves in every store: as a path below a folder too.
func checkKey(key string) error {
	ok := key != "" && len(key) <= maxKey && !strings.HasSuffix(key, ".attrs")
	for part := range strings.SplitSeq(key, "/") {
		ok = ok && part != "" && part[0] != '.' && len(part) <= 200
	}
	for _, c := range []byte(key) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("/-_.=", c) >= 0)
	}
	if !ok {
		return refusal.New(refusal.Invalid, "%.80q is not a key of a blob", key)
	}
	return nil
}
