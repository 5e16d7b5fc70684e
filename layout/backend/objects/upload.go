package objects

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/minio/minio-go/v7"
)

// contentTypes are what segments, and the results of jobs, are said to be, by the endings of
// their names.
var contentTypes = map[string]string{
	".csv": "text/csv", ".jsonl": "application/x-ndjson", ".parquet": "application/vnd.apache.parquet",
	".tsv": "text/tab-separated-values", ".zst": "application/zstd",
}

// trailingHint follows the errors of uploads with trailing checksums.
const trailingHint = "if the store does not know trailing checksums, leave them out: " +
	"request_checksum_calculation=when_required in its URL (or in AWS_REQUEST_CHECKSUM_CALCULATION)"

// sums are what is known of a content before it is sent.
type sums struct {
	bytes  int64
	md5    []byte
	sha256 []byte
	crc32c string // in base64, as S3 writes it
}

func sumsOf(content Content) (sums, error) {
	r, err := content()
	if err != nil {
		return sums{}, err
	}
	defer r.Close()

	m, sha, crc := md5.New(), sha256.New(), crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(io.MultiWriter(m, sha, crc), r)
	return sums{n, m.Sum(nil), sha.Sum(nil), base64.StdEncoding.EncodeToString(crc.Sum(nil))}, err
}

// Put stores an object, looks at what the store says that it has, and removes it when
// that is something else.
func (s *bucket) Put(ctx context.Context, name string, content Content, create bool) error {
	sent, err := sumsOf(content)
	if err == nil && sent.bytes > maxPutBytes {
		err = fmt.Errorf("%d bytes are more than the %d that one upload to S3 may have", sent.bytes, int64(maxPutBytes))
	}
	if err != nil {
		return &Error{Op: "put", Name: name, Err: err, Final: true}
	}

	answer, err := s.send(ctx, name, content, sent, create)
	if err != nil {
		err = s.failure("put", name, err)
		// A store that refuses trailing checksums does not say that it is them.
		if s.trailing && Final(err) && !errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w; %s", err, trailingHint)
		}

		return err
	}

	err = s.verify(ctx, name, sent, answer)
	var damaged *damagedError
	if errors.As(err, &damaged) {
		// A damaged object must not look like a published one.
		err = errors.Join(err, s.Delete(context.WithoutCancel(ctx), name))
		if s.trailing {
			err = fmt.Errorf("%w; %s", err, trailingHint)
		}
	}

	return err
}

// send makes the request of an upload.
func (s *bucket) send(ctx context.Context, name string, content Content, sent sums, create bool) (minio.UploadInfo, error) {
	r, err := content()
	if err != nil {
		return minio.UploadInfo{}, err
	}
	defer r.Close()

	// Of other names the client says that they are bytes.
	opts := minio.PutObjectOptions{ContentType: contentTypes[path.Ext(name)], ServerSideEncryption: s.encryption, DisableMultipart: true}
	if create {
		opts.SetMatchETagExcept("*")
	}

	opts.DisableContentSha256 = true // no signature for each chunk
	reader := struct{ io.Reader }{r} // the client closes a Closer

	if s.trailing && sent.bytes > 0 {
		opts.Checksum = minio.ChecksumCRC32C
		return s.client.Client.PutObject(ctx, s.name, s.key(name), reader, sent.bytes, opts)
	}

	// The sums go before the content, which thus needs no framing that a store, or a
	// proxy before it, would have to know.
	return s.client.PutObject(ctx, s.name, s.key(name), reader, sent.bytes,
		base64.StdEncoding.EncodeToString(sent.md5), hex.EncodeToString(sent.sha256), opts)
}

// damagedError says that the store does not have what was sent.
type damagedError struct{ what, is, sent string }

func (e *damagedError) Error() string {
	return fmt.Sprintf("the store has damaged the object: its %s is %s, and %s was sent", e.what, e.is, e.sent)
}

// md5ETag is the form of an ETag that is an MD5.
var md5ETag = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

// verify compares what the store says of an uploaded object with what was sent: its
// checksum, its ETag, and, when that is not the MD5 of the content, the size that it
// says on request. Where it says no sum at all, the object is read.
func (s *bucket) verify(ctx context.Context, name string, sent sums, answer minio.UploadInfo) error {
	differs := func(what, is, sent string) error {
		return &Error{Op: "put", Name: name, Err: &damagedError{what, is, sent}}
	}
	sentMD5 := hex.EncodeToString(sent.md5)
	sentSHA256 := base64.StdEncoding.EncodeToString(sent.sha256)

	// Checksums in the answer decide at once.
	summed := false
	for _, sum := range []struct{ what, is, sent string }{
		{"CRC32C", answer.ChecksumCRC32C, sent.crc32c},
		{"SHA-256", answer.ChecksumSHA256, sentSHA256},
	} {
		if sum.is == "" {
			continue
		}
		if sum.is != sum.sent {
			return differs(sum.what, sum.is, sum.sent)
		}
		summed = true
	}
	if strings.EqualFold(answer.ETag, sentMD5) {
		return nil
	}

	// The ETag is not the content's MD5. It need not be, but the size is certain.
	there, err := s.client.StatObject(ctx, s.name, s.key(name), minio.StatObjectOptions{})
	if err != nil {
		return s.failure("look at the uploaded", name, err)
	}
	if there.Size != sent.bytes {
		return differs("size", fmt.Sprint(there.Size), fmt.Sprint(sent.bytes))
	}
	if summed || strings.EqualFold(there.ETag, sentMD5) && answer.ETag == "" {
		return nil
	}

	// With keys of KMS, an ETag looks like an MD5 and is something else.
	encrypted := strings.HasPrefix(there.Metadata.Get("X-Amz-Server-Side-Encryption"), "aws:kms")
	if md5ETag.MatchString(answer.ETag) && !encrypted {
		return differs("MD5 (ETag)", answer.ETag, sentMD5)
	}

	// Nothing that the store said is a sum of the content: read it.
	back, err := sumsOf(func() (io.ReadCloser, error) { return s.Get(ctx, name, 0, -1) })
	if err != nil {
		return s.failure("read the uploaded", name, err)
	}
	if backMD5 := hex.EncodeToString(back.md5); backMD5 != sentMD5 {
		return differs("MD5", backMD5, sentMD5)
	}

	return nil
}
