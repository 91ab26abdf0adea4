package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
)

const (
	uploadPath = "/api/uploads/"
	filePath   = "/api/integrations/"
	iconFile   = "/icon"
	attached   = "/attachments/"
)

// upload is a file that was put somewhere and belongs to nothing yet. It is kept in Live: whoever
// loses it puts the file there again.
type upload struct {
	Object string
	Media  MediaType
	Name   string
	Hash   string // of the content blob, which is durable
	Size   int
}

func uploadKey(organization, id string) string { return "upload/" + organization + "/" + id }

// uploadMedia returns the address to put a file to.
func (r *Resolver) uploadMedia(ctx context.Context, object, name string, media MediaType) (*UploadMediaResult, error) {
	i, err := r.editable(ctx, "objectId", object)
	if err != nil {
		return nil, err
	}
	if media == MediaTypeAttachment {
		if err := r.Files.CheckName(name); err != nil {
			return nil, err
		}
	}
	id, caller := uuid.NewString(), access.Of(ctx)
	path := uploadPath + id
	return &UploadMediaResult{ID: id, ObjectURL: r.PublicURL + path,
		UploadURL: r.signed(path, url.Values{"object": {i.integration.ID}, "media": {string(media)}, "name": {name},
			"user": {caller.User}, "token": {caller.Token}})}, nil
}

// uploads are the uploads that are under way in this process.
type uploads struct {
	mu  sync.Mutex
	ids map[string]bool
}

// begin takes an upload's address for one file; it is not ok while another comes in there.
func (u *uploads) begin(id string) (end func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids[id] {
		return nil, false
	}
	if u.ids == nil {
		u.ids = map[string]bool{}
	}
	u.ids[id] = true
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.ids, id)
	}, true
}

// uploadable finds the integration of an upload, as long as nothing was put there yet and the token that
// asked for the address may still do so.
func (r *Resolver) uploadable(ctx context.Context, id string, query url.Values) (domain.Integration, error) {
	i, ok := r.View.Integrations.Find(query.Get("object"))
	if !ok || !i.RemovedAt.IsZero() {
		return i, refusal.Missing("integration")
	}
	user, _ := r.View.Users.Get(i.Organization, query.Get("user"))
	if !user.Holds(query.Get("token")) || !access.May(user.Role, access.Edit) {
		return i, refusal.New(refusal.Forbidden,
			"the token that asked for this address has been revoked; ask for another address")
	}
	_, used, err := r.Live.Get(ctx, uploadKey(i.Organization, id))
	if err == nil && used {
		err = refusal.New(refusal.Conflict, "a file was put there already; ask uploadMedia for another address")
	}
	return i, err
}

// serveUpload takes a file in.
func (r *Resolver) serveUpload(w http.ResponseWriter, q *http.Request) {
	if !r.admit(w, q) {
		return
	}
	id, query := q.PathValue("upload"), q.URL.Query()
	end, ok := r.uploads.begin(id)
	if !ok {
		turnDown(r.Logger, w, q, refusal.New(refusal.Conflict,
			"a file is being put there; ask uploadMedia for another address"))
		return
	}
	defer end()
	if _, err := r.uploadable(q.Context(), id, query); err != nil {
		turnDown(r.Logger, w, q, err)
		return
	}
	u := upload{Object: query.Get("object"), Media: MediaType(query.Get("media")), Name: query.Get("name")}
	limit, setting := r.Files.Attachment, "HEDDLE_MAX_ATTACHMENT"
	if u.Media == MediaTypeAvatar {
		limit, setting = r.Files.Icon, "HEDDLE_MAX_ICON"
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, q.Body, limit))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		http.Error(w, fmt.Sprintf("the file is larger than %d bytes (%s)", limit, setting),
			http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "the file came in part only", http.StatusBadRequest)
		return
	}
	i, err := r.uploadable(q.Context(), id, query) // which it may have ceased to be while the file came in
	if err == nil {
		err = r.keepUpload(q.Context(), id, i.Organization, u, data)
	}
	if err != nil {
		turnDown(r.Logger, w, q, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// keepUpload makes a file durable and remembers it under the upload's id.
func (r *Resolver) keepUpload(ctx context.Context, id, organization string, u upload, data []byte) (err error) {
	if len(data) == 0 {
		return refusal.New(refusal.Invalid, "the file is empty")
	}
	if u.Media == MediaTypeAvatar {
		if data, err = redrawn(r.Files, data); err != nil {
			return err
		}
	}
	if u.Hash, err = r.Blobs.PutContent(ctx, organization, data); err != nil {
		return err
	}
	u.Size = len(data)
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return r.Live.Set(ctx, uploadKey(organization, id), text, r.AddressTime)
}

// decoding is held while a picture is decoded: the largest takes 32 MiB.
var decoding sync.Mutex

func redrawn(limits domain.FileLimits, icon []byte) ([]byte, error) {
	decoding.Lock()
	defer decoding.Unlock()
	return limits.Redraw(icon)
}

// uploaded finds what was put where objectUrl says. field is the input that is refused.
func (r *Resolver) uploaded(ctx context.Context, i domain.Integration, media MediaType, field,
	objectURL string) (id string, u upload, err error) {
	id, ours := strings.CutPrefix(objectURL, r.PublicURL+uploadPath)
	if _, err := uuid.Parse(id); err != nil || !ours {
		return id, u, refusal.ForField(refusal.Invalid, field, "is not an objectUrl of uploadMedia")
	}
	text, found, err := r.Live.Get(ctx, uploadKey(i.Organization, id))
	if err == nil && found {
		err = json.Unmarshal(text, &u)
	}
	if err != nil {
		return id, u, err
	}
	switch {
	case !found && media == MediaTypeAvatar:
		err = refusal.ForField(refusal.Invalid, field,
			"nothing was uploaded there, it was no square PNG picture of the right size, or it has expired; ask uploadMedia for another address")
	case !found:
		err = refusal.ForField(refusal.Invalid, field,
			"nothing was uploaded there, it was too large, or it has expired; ask uploadMedia for another address")
	case u.Object != i.ID || u.Media != media:
		err = refusal.ForField(refusal.Invalid, field, "was uploaded for something else")
	}
	return id, u, err
}

// iconURL is where the icon is shown, null without one.
func (r *Resolver) iconURL(i domain.Integration) *string {
	if i.Icon == nil {
		return nil
	}
	return new(r.signed(filePath+i.ID+iconFile, nil))
}

// iconFor reads an avatarUrl: keep is true where nothing is to change, as it is for the icon's own
// address, which forms send back.
func (r *Resolver) iconFor(ctx context.Context, i domain.Integration,
	avatarURL *string) (icon *domain.Icon, keep bool, err error) {
	switch {
	case avatarURL == nil, i.Icon != nil && strings.HasPrefix(*avatarURL, r.PublicURL+filePath+i.ID+iconFile+"?"):
		return nil, true, nil
	case *avatarURL == "":
		return nil, false, nil
	}
	_, u, err := r.uploaded(ctx, i, MediaTypeAvatar, "avatarUrl", *avatarURL)
	return &domain.Icon{Hash: u.Hash, Size: u.Size}, false, err
}

func (r *Resolver) addAttachment(ctx context.Context, input AddIntegrationAttachmentInput) (Integration, error) {
	i, err := r.editable(ctx, "id", input.ID)
	if err != nil {
		return i, err
	}
	id, u, err := r.uploaded(ctx, i.integration, MediaTypeAttachment, "url", input.URL)
	if err != nil {
		return i, err
	}
	i.integration, err = change(ctx, r, domain.Integrations, input.ID,
		func(s domain.Integration) (domain.Changes[domain.Integration], error) {
			return s.AddAttachment(domain.AttachmentAdded{Attachment: id, Name: u.Name, Hash: u.Hash, Size: u.Size},
				r.Files)
		})
	return i, err
}

func (r *Resolver) removeAttachment(ctx context.Context, input RemoveIntegrationAttachmentInput) (Integration, error) {
	i, err := r.editable(ctx, "id", input.ID)
	if err != nil {
		return i, err
	}
	i.integration, err = change(ctx, r, domain.Integrations, input.ID,
		func(s domain.Integration) (domain.Changes[domain.Integration], error) {
			return s.RemoveAttachment(input.Attachment)
		})
	return i, err
}

// served is a file as it is handed out: under a name as a download, or else to be shown.
type served struct{ hash, media, name string }

// serveIcon shows an icon.
func (r *Resolver) serveIcon(w http.ResponseWriter, q *http.Request) {
	r.serveFile(w, q, func(i domain.Integration) (served, bool) {
		if i.Icon == nil {
			return served{}, false
		}
		return served{hash: i.Icon.Hash, media: "image/png"}, true
	})
}

// serveAttachment hands an attachment out as a download of no known type: no browser shows it.
func (r *Resolver) serveAttachment(w http.ResponseWriter, q *http.Request) {
	r.serveFile(w, q, func(i domain.Integration) (served, bool) {
		a, ok := i.Attachment(q.PathValue("attachment"))
		return served{a.Hash, "application/octet-stream", a.Name}, ok
	})
}

// serveFile serves a file of an integration that is still there.
func (r *Resolver) serveFile(w http.ResponseWriter, q *http.Request, find func(domain.Integration) (served, bool)) {
	if !r.admit(w, q) {
		return
	}
	i, ok := r.View.Integrations.Find(q.PathValue("integration"))
	file, has := find(i)
	if !ok || !has || !i.RemovedAt.IsZero() {
		turnDown(r.Logger, w, q, refusal.Missing("file"))
		return
	}
	data, err := r.Blobs.GetContent(q.Context(), i.Organization, file.hash)
	if refusal.CodeOf(err) == refusal.NotFound { // what an event names and is not there is damage, not a refusal
		err = errors.New(err.Error())
	}
	if err != nil {
		turnDown(r.Logger, w, q, err)
		return
	}
	if file.name != "" {
		w.Header().Set("Content-Disposition",
			mime.FormatMediaType("attachment", map[string]string{"filename": file.name}))
	}
	deliver(w, file.media, data)
}
