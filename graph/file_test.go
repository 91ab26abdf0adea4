package graph

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"heddle/domain"
	"heddle/store/blobs"
)

const (
	mediaDocument  = `query ($object: ID!, $name: String!, $media: MediaType!) { uploadMedia(objectId: $object, fileName: $name, mediaType: $media) { uploadUrl objectUrl error } }`
	attachDocument = `mutation ($id: ID!, $url: String!) { addIntegrationAttachment(input: {id: $id, url: $url}) { integration { id attachments { nodes { id name size url addedBy { id } } } } ` + errorFields + ` } }`
	detachDocument = `mutation ($id: ID!, $attachment: ID!) { removeIntegrationAttachment(input: {id: $id, attachment: $attachment}) { integration { id attachments { totalCount } } ` + errorFields + ` } }`
	filesDocument  = `query ($id: ID!) { integration(id: $id) { avatarUrl attachments { totalCount nodes { id name size addedAt addedBy { id } url } } } }`
	iconDocument   = `mutation ($id: ID!, $url: String!) { updateIntegration(input: {id: $id, avatarUrl: $url}) { integration { id avatarUrl } ` + errorFields + ` } }`
)

// iconOf is a valid icon; another shade is another file.
func iconOf(t *testing.T, side int, shade uint8) string {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, side, side))
	picture.Pix[0] = shade
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// put sends a file to an address without a token.
func (h *harness) put(address, data string) *httptest.ResponseRecorder {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPut, strings.TrimPrefix(address, h.PublicURL),
		strings.NewReader(data)))
	return w
}

// asked returns the addresses for an upload.
func (h *harness) asked(integration string, media MediaType, name string) (upload, object string) {
	h.t.Helper()
	a := h.do(mediaDocument, vars{"object": integration, "name": name, "media": media})
	return a.text("uploadMedia.uploadUrl"), a.text("uploadMedia.objectUrl")
}

// stored uploads a file and returns its objectUrl.
func (h *harness) stored(integration string, media MediaType, name, data string) string {
	h.t.Helper()
	upload, object := h.asked(integration, media, name)
	if w := h.put(upload, data); w.Code != http.StatusNoContent {
		h.t.Fatalf("uploading %s: %d %s", name, w.Code, w.Body)
	}
	return object
}

// attach adds an attachment and returns its id.
func (h *harness) attach(integration, name, data string) string {
	h.t.Helper()
	a := h.do(attachDocument, vars{"id": integration, "url": h.stored(integration, MediaTypeAttachment, name, data)})
	nodes, _ := a.at("addIntegrationAttachment.integration.attachments.nodes").([]any)
	if len(nodes) == 0 {
		h.t.Fatalf("attaching %s: %s", name, a.body)
	}
	return a.text("addIntegrationAttachment.integration.attachments.nodes." + strconv.Itoa(len(nodes)-1) + ".id")
}

func TestIcon(t *testing.T) {
	h := newHarness(t)
	id, first, second := h.imported(h.org, shop), iconOf(t, 400, 1), iconOf(t, 512, 2)
	if a := h.do(filesDocument, vars{"id": id}); a.at("integration.avatarUrl") != nil {
		t.Errorf("before: %s", a.body)
	}
	for n, icon := range []string{first, second} {
		before := len(h.events())
		a := h.do(iconDocument, vars{"id": id, "url": h.stored(id, MediaTypeAvatar, "whatever", icon)})
		shown := a.text("updateIntegration.integration.avatarUrl")
		w := h.fetch(shown)
		if w.Code != 200 || w.Body.String() != icon || w.Header().Get("Content-Type") != "image/png" ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || h.since(before) != "IconSet" {
			t.Errorf("icon %d: %d %v, wrote %s", n, w.Code, w.Header(), h.since(before))
		}
		before = len(h.events())
		if a := h.do(iconDocument, vars{"id": id, "url": shown}); a.refused("updateIntegration") != "" ||
			h.since(before) != "" {
			t.Errorf("its own address sent back: %s", a.body)
		}
	}
	version := h.published(h.org, id)
	if a := h.do(filesDocument, vars{"id": version}); h.fetch(a.text("integration.avatarUrl")).Body.String() != second {
		t.Errorf("a version does not show it: %s", a.body)
	}
	copied := h.do(forkDocument, vars{"input": vars{"parent": version,
		"name": "Copy"}}).text("forkIntegration.integration.id")
	made := h.do(createDocument, vars{"input": vars{"template": id,
		"name": "Made"}}).text("createIntegration.integration.id")
	h.attach(id, "notes.txt", "n")
	shown, before := h.do(filesDocument, vars{"id": id}).text("integration.avatarUrl"), len(h.events())
	for range 2 {
		if a := h.do(iconDocument, vars{"id": id, "url": ""}); a.at("updateIntegration.integration.avatarUrl") != nil ||
			h.since(before) != "IconRemoved" {
			t.Errorf("taken away: %s, wrote %s", a.body, h.since(before))
		}
	}
	if w := h.fetch(shown); w.Code != 404 {
		t.Errorf("an address of an icon that was taken away: %d", w.Code)
	}
	for _, other := range []string{copied, made} {
		a := h.do(filesDocument, vars{"id": other})
		if h.fetch(a.text("integration.avatarUrl")).Body.String() != second ||
			a.at("integration.attachments.totalCount") != 0.0 {
			t.Errorf("a copy: %s", a.body)
		}
	}
}

func TestAttachments(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	page := "<script>alert(1)</script>"
	first := h.attach(id, `Résumé "final".md`, page)
	second := h.attach(id, "notes.txt", "n")
	a := h.ask(h.tokens[domain.Viewer], filesDocument, vars{"id": h.published(h.org, id)})
	nodes := "integration.attachments.nodes"
	if a.texts(nodes, "id") != first+" "+second || a.text(nodes+".0.name") != `Résumé "final".md` ||
		a.at(nodes+".0.size") != float64(len(page)) || a.text(nodes+".0.addedBy.id") != h.users[domain.Admin] {
		t.Errorf("a viewer sees %s", a.body)
	}
	w := h.fetch(a.text(nodes + ".0.url"))
	for name, want := range map[string]string{"Content-Type": "application/octet-stream",
		"Content-Disposition":    "attachment; filename*=utf-8''R%C3%A9sum%C3%A9%20%22final%22.md",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "Cache-Control": "no-store", "Content-Length": strconv.Itoa(len(page))} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Code != 200 || w.Body.String() != page {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	before := len(h.events())
	if a := h.do(detachDocument, vars{"id": id,
		"attachment": first}); a.at("removeIntegrationAttachment.integration.attachments.totalCount") != 1.0 || h.since(before) != "AttachmentRemoved" {
		t.Errorf("taken away: %s, wrote %s", a.body, h.since(before))
	}
	if got := h.do(detachDocument, vars{"id": id,
		"attachment": first}).refused("removeIntegrationAttachment"); got != "attachment: Record not found: attachment" {
		t.Errorf("twice: %q", got)
	}
	if w := h.fetch(a.text(nodes + ".0.url")); w.Code != 404 {
		t.Errorf("its address afterwards: %d", w.Code)
	}
	h.do(endDocument, vars{"id": id})
	if w := h.fetch(a.text(nodes + ".1.url")); w.Code != 404 {
		t.Errorf("of an integration that is gone: %d", w.Code)
	}
}

// An upload is taken once; repeating what takes it changes nothing.
func TestAttachingAgain(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	object := h.stored(id, MediaTypeAttachment, "a.txt", "one")
	before := len(h.events())
	for range 2 {
		if a := h.do(attachDocument, vars{"id": id, "url": object}); a.refused("addIntegrationAttachment") != "" ||
			h.since(before) != "AttachmentAdded" {
			t.Errorf("answered %s, wrote %s", a.body, h.since(before))
		}
	}
}

func TestUploadsRefuse(t *testing.T) {
	h := newHarness(t)
	h.Files.Icon, h.Files.Attachment, h.Files.Attachments = 5000, 10, 1
	id, kept := h.imported(h.org, shop), h.imported(h.org, shop)
	icon, object := h.asked(id, MediaTypeAvatar, "i.png")
	text, _ := h.asked(id, MediaTypeAttachment, "a.txt")
	for name, c := range map[string]struct {
		address, data string
		status        int
		want          string
	}{
		"an icon of text":   {icon, "text", 400, "an icon is a PNG picture"},
		"an icon too small": {icon, iconOf(t, 399, 0), 400, "at least 400"},
		"an icon too large": {icon, strings.Repeat("x", 5001), 413, "larger than 5000 bytes (HEDDLE_MAX_ICON)"},
		"a file too large":  {text, strings.Repeat("x", 11), 413, "larger than 10 bytes (HEDDLE_MAX_ATTACHMENT)"},
		"an empty file":     {text, "", 400, "is empty"},
		"an empty icon":     {icon, "", 400, "is empty"},
		"a file for an icon's": {strings.Replace(icon, "media=AVATAR", "media=ATTACHMENT", 1), "x", 403,
			"changed or has expired"},
		"another name":        {strings.Replace(text, "a.txt", "a.html", 1), "x", 403, "changed or has expired"},
		"another integration": {strings.Replace(text, id, kept, 1), "x", 403, "changed or has expired"},
		"another upload": {strings.Replace(text, uploadPath, uploadPath+"0", 1), "x", 403,
			"changed or has expired"},
		"nothing signed": {object, "x", 403, "changed or has expired"},
	} {
		if w := h.put(c.address, c.data); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	expired := Resolver{Vault: h.Vault, PublicURL: h.PublicURL, AddressTime: -time.Second}
	if w := h.put(expired.signed(strings.TrimPrefix(object, h.PublicURL),
		url.Values{"object": {id}, "media": {"AVATAR"}, "name": {"i.png"}}), iconOf(t, 400, 0)); w.Code != 403 {
		t.Errorf("expired: %d", w.Code)
	}
	if w := h.fetch(object); w.Code != 405 {
		t.Errorf("getting an upload: %d", w.Code)
	}
	h.do(endDocument, vars{"id": id})
	if w := h.put(text, "x"); w.Code != 404 {
		t.Errorf("for an integration that is gone: %d", w.Code)
	}
	h.attach(kept, "a.txt", "1")
	before := len(h.events())
	if got := h.do(attachDocument, vars{"id": kept, "url": h.stored(kept, MediaTypeAttachment, "b.txt",
		"2")}).refused("addIntegrationAttachment"); !strings.Contains(got, "HEDDLE_MAX_ATTACHMENTS") || h.since(before) != "" {
		t.Errorf("one too many: %q", got)
	}
}

// What a mutation is given must have been uploaded, for the same thing, here.
func TestUploadsAreTakenForWhatTheyAre(t *testing.T) {
	h := newHarness(t)
	other := h.organization("Rivals")
	id, second, theirs := h.imported(h.org, shop), h.imported(h.org, shop), h.imported(other, shop)
	icon, file := h.stored(id, MediaTypeAvatar, "i.png", iconOf(t, 400, 0)), h.stored(id, MediaTypeAttachment, "a.txt",
		"a")
	refused, never := h.asked(id, MediaTypeAvatar, "i.png")
	h.put(refused, "no picture")
	version := h.published(h.org, id)
	before := len(h.events())
	for name, c := range map[string]struct {
		o                    org
		document, id, object string
		want                 string
	}{
		"a file as an icon": {h.org, iconDocument, id, file, "avatarUrl: was uploaded for something else"},
		"an icon as a file": {h.org, attachDocument, id, icon, "url: was uploaded for something else"},
		"another's icon":    {h.org, iconDocument, second, icon, "avatarUrl: was uploaded for something else"},
		"one that was refused": {h.org, iconDocument, id, never,
			"avatarUrl: nothing was uploaded there, it was no square PNG"},
		"another organization's":    {other, iconDocument, theirs, icon, "avatarUrl: nothing was uploaded there"},
		"another's file":            {other, attachDocument, theirs, file, "url: nothing was uploaded there"},
		"onto another organization": {other, attachDocument, id, file, "id: Record not found: integration"},
		"onto a version":            {h.org, attachDocument, version, file, "id: is a published version"},
		"any address": {h.org, iconDocument, id, "https://example.com/i.png",
			"avatarUrl: is not an objectUrl"},
		"a made up one": {h.org, attachDocument, id, h.PublicURL + uploadPath + "../../x",
			"url: is not an objectUrl"},
		"another's icon shown": {h.org, iconDocument, id, h.PublicURL + filePath + second + iconFile + "?x",
			"avatarUrl: is not an objectUrl"},
	} {
		a := h.doAs(c.o, c.document, vars{"id": c.id, "url": c.object})
		if got := a.refused("updateIntegration") + a.refused("addIntegrationAttachment"); !strings.HasPrefix(got,
			c.want) || h.since(before) != "" {
			t.Errorf("%s: %s, wrote %s", name, a.body, h.since(before))
		}
	}
	for name, c := range map[string]struct{ object, file, code string }{
		"for another organization's": {theirs, "a.txt", "NOT_FOUND"}, "for nothing": {"x", "a.txt", "NOT_FOUND"},
		"for a version": {version, "a.txt", "INVALID"},
		"a page":        {id, "a.html", "INVALID"}, "a path": {id, "../a.txt", "INVALID"},
	} {
		if a := h.ask(h.tokens[domain.Admin], mediaDocument, vars{"object": c.object, "name": c.file,
			"media": "ATTACHMENT"}); a.code() != c.code {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

// An address holds for its file and for its time.
func TestFileAddressesRefuse(t *testing.T) {
	h := newHarness(t)
	id, other := h.imported(h.org, shop), h.imported(h.org, shop)
	first, second := h.attach(id, "a.txt", "a"), h.attach(id, "b.txt", "b")
	h.attach(other, "c.txt", "c")
	h.do(iconDocument, vars{"id": id, "url": h.stored(id, MediaTypeAvatar, "i.png", iconOf(t, 400, 0))})
	a := h.do(filesDocument, vars{"id": id})
	good, icon := a.text("integration.attachments.nodes.0.url"), a.text("integration.avatarUrl")
	expired := Resolver{Vault: h.Vault, PublicURL: h.PublicURL, AddressTime: -time.Second}
	for name, address := range map[string]string{
		"another file":        strings.Replace(good, first, second, 1),
		"another integration": strings.Replace(good, id, other, 1),
		"the icon":            strings.Replace(good, attached+first, iconFile, 1),
		"a longer time":       strings.Replace(icon, "until=", "until=1", 1),
		"nothing signed":      icon[:strings.Index(icon, "?")],
		"expired":             expired.signed(filePath+id+iconFile, nil),
	} {
		if w := h.fetch(address); w.Code != 403 || !strings.Contains(w.Body.String(),
			"was changed or has expired; ask the API for it again") || w.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for name, address := range map[string]string{"no icon": filePath + other + iconFile, "no file": filePath + other +
		attached + first, "no integration": filePath + "x" + iconFile} {
		if w := h.fetch(h.signed(address, nil)); w.Code != 404 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// Bytes that are not durable are told of to nobody, and bytes that are gone are damage, not a refusal.
func TestFilesWithoutBlobs(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	h.do(iconDocument, vars{"id": id, "url": h.stored(id, MediaTypeAvatar, "i.png", iconOf(t, 400, 0))})
	i, _ := h.View.Integrations.Get(h.id, id)
	h.must(h.Blobs.Delete(t.Context(), "content/"+h.id+"/"+i.Icon.Hash))
	if w := h.fetch(h.do(filesDocument, vars{"id": id}).text("integration.avatarUrl")); w.Code != 500 ||
		!strings.HasPrefix(w.Body.String(), "internal error ") {
		t.Errorf("a lost icon: %d %s", w.Code, w.Body)
	}
	upload, object := h.asked(id, MediaTypeAttachment, "a.txt")
	ctx := t.Context()
	broken, err := openClosedBlobs(ctx)
	h.must(err)
	whole := h.Blobs
	h.Blobs = broken
	if w := h.put(upload, "a"); w.Code != 500 {
		t.Errorf("without room: %d", w.Code)
	}
	h.Blobs = whole
	if got := h.do(attachDocument, vars{"id": id,
		"url": object}).refused("addIntegrationAttachment"); !strings.HasPrefix(got, "url: nothing was uploaded there") {
		t.Errorf("taking it: %q", got)
	}
}

// openClosedBlobs gives blobs that take nothing.
func openClosedBlobs(ctx context.Context) (*blobs.Store, error) {
	kept, err := blobs.Open(ctx, "mem://")
	if err != nil {
		return nil, err
	}
	return kept, kept.Close()
}
