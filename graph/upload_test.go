package graph

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"heddle/domain"
)

// withText puts a text chunk into a PNG picture, and a page behind its end.
func withText(picture, text string) string {
	const header = 8 + 12 + 13 // the signature, and a chunk of 13 bytes
	chunk := append([]byte("tEXt"), text...)
	b := bytes.NewBufferString(picture[:header])
	_ = binary.Write(b, binary.BigEndian, uint32(len(text))) // into a buffer
	b.Write(chunk)
	_ = binary.Write(b, binary.BigEndian, crc32.ChecksumIEEE(chunk))
	b.WriteString(picture[header:])
	b.WriteString("<script>alert(1)</script>")
	return b.String()
}

// An icon is drawn again: what else the file had is nobody's to be shown.
func TestIconsAreDrawnAgain(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	icon := withText(iconOf(t, 400, 1), "Comment\x00<?php made at home ?>")
	shown := h.do(iconDocument, vars{"id": id, "url": h.stored(id, MediaTypeAvatar, "i.png", icon)})
	if got := h.fetch(shown.text("updateIntegration.integration.avatarUrl")).Body.String(); got != iconOf(t, 400, 1) {
		t.Errorf("the icon is shown as %q", got)
	}
}

// An upload's address takes one file. One that was refused may be sent again.
func TestUploadsTakeOneFile(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	upload, object := h.asked(id, MediaTypeAttachment, "a.txt")
	for _, c := range []struct {
		data   string
		status int
	}{{"", 400}, {"one", 204}, {"two", 409}, {"one", 409}} {
		if w := h.put(upload, c.data); w.Code != c.status {
			t.Errorf("%q: %d %s, want %d", c.data, w.Code, w.Body, c.status)
		}
	}
	a := h.do(attachDocument, vars{"id": id, "url": object})
	if got := h.fetch(a.text("addIntegrationAttachment.integration.attachments.nodes.0.url")).Body.String(); got != "one" {
		t.Errorf("attached %q", got)
	}
	if w := h.put(upload, "three"); w.Code != 409 {
		t.Errorf("after it was taken: %d %s", w.Code, w.Body)
	}
}

// reading calls back when somebody begins to read it.
type reading struct {
	*strings.Reader
	begun func()
}

func (r *reading) Read(p []byte) (int, error) {
	if r.begun != nil {
		begun := r.begun
		r.begun = nil
		begun()
	}
	return r.Reader.Read(p)
}

// Nor does it take two at once, or any once its token is revoked, be the file half-way in.
func TestUploadsWhileOneComesIn(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	own := h.do(`mutation ($user: ID!) { createApiToken(input: {user: $user, name: "up"}) { apiToken { id } secret } }`,
		vars{"user": h.users[domain.Collaborator]})
	token := own.text("createApiToken.secret")
	revoke := func() {
		h.do(`mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { errors { messages } } }`,
			vars{"id": own.text("createApiToken.apiToken.id")})
	}
	address := func() string {
		return h.ask(token, mediaDocument, vars{"object": id, "name": "a.txt",
			"media": "ATTACHMENT"}).text("uploadMedia.uploadUrl")
	}
	put := func(address string, begun func()) int {
		w := httptest.NewRecorder()
		q := httptest.NewRequest(http.MethodPut, strings.TrimPrefix(address, h.PublicURL),
			&reading{strings.NewReader("x"), begun})
		h.handler.ServeHTTP(w, q)
		return w.Code
	}
	first, second, third := address(), address(), address()
	meanwhile := 0
	if got := put(first, func() { meanwhile = put(first, nil) }); got != 204 || meanwhile != 409 {
		t.Errorf("two at once: %d and %d", got, meanwhile)
	}
	if got := put(second, revoke); got != 403 {
		t.Errorf("revoked while it comes in: %d", got)
	}
	if got := put(third, nil); got != 403 {
		t.Errorf("of a token that was revoked: %d", got)
	}
}
