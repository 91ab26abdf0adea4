package blobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

// bucket keeps blobs in S3, or in what speaks its protocol.
type bucket struct {
	name      string
	client    *minio.Core
	transport *http.Transport
	storing   minio.PutObjectOptions
}

const (
	maxBlob     = 1 << 30 // bytes that are read
	maxListing  = 8 << 20 // bytes of a list of 1,000 keys
	attempts    = 3
	longestCall = 10 * time.Minute
)

func (b *bucket) put(ctx context.Context, key string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	// The hash of the whole is signed, in place of chunks or trailers: that much all servers understand.
	sum := sha256.Sum256(data)
	signed := hex.EncodeToString(sum[:])
	_, err := b.client.PutObject(ctx, b.name, key, bytes.NewReader(data), int64(len(data)), "", signed, b.storing)
	return told(err)
}

func (b *bucket) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	body, _, _, err := b.client.GetObject(ctx, b.name, key, minio.GetObjectOptions{})
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok && e.Code == minio.NoSuchKey {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, told(err)
	}
	defer func() { _ = body.Close() }() // what was read is whole, or an error
	data, err := io.ReadAll(body)
	if err == nil && len(data) > maxBlob {
		err = fmt.Errorf("it has more than %d bytes", maxBlob)
	}
	return data, err
}

func (b *bucket) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	err := b.client.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{})
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok && e.Code == minio.NoSuchKey {
		return nil
	}
	return told(err)
}

func (b *bucket) removeFolder(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: folder + "/",
		Recursive: true}) {
		if o.Err != nil {
			return told(o.Err)
		}
		if err := checkKey(o.Key); err != nil {
			return err
		}
		if err := b.remove(ctx, o.Key); err != nil {
			return err
		}
	}
	return ctx.Err() // which ends the list without an error
}

func (b *bucket) settle(string) error { return nil } // S3 answers when it is

func (b *bucket) close() { b.transport.CloseIdleConnections() }

// bounded ends answers that are longer than they may be.
type bounded struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	most := int64(maxBlob + 1)
	if req.URL.Query().Has("list-type") {
		most = maxListing
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, most), res.Body}
	return res, nil
}

// told adds to an error of S3 what its own text leaves out.
func told(err error) error {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return err
	}
	text := fmt.Sprintf("S3 answers %s: %s", e.Code, e.Error())
	if e.Region != "" {
		text += "; the bucket is in the region " + e.Region
	}
	if e.RequestID != "" {
		text += "; request " + e.RequestID
	}
	return errors.New(text)
}

// encryption is what the server is asked to encrypt by.
type encryption struct{ kind, key string }

// Type implements [encrypt.ServerSide].
func (e encryption) Type() encrypt.Type { return encrypt.KMS }

// Marshal implements [encrypt.ServerSide].
func (e encryption) Marshal(h http.Header) {
	if e.kind != "" {
		h.Set(encrypt.SseGenericHeader, e.kind)
	}
	if e.key != "" {
		h.Set(encrypt.SseKmsKeyID, e.key)
	}
}
