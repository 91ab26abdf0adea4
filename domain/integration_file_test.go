package domain

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"heddle/domain/refusal"
)

func TestFilesDecide(t *testing.T) {
	first, second := Icon{Hash: "h1", Size: 1}, Icon{Hash: "h2", Size: 2}
	there := events[Integration](IntegrationCreated{})
	after := func(e ...Event[Integration]) []Event[Integration] { return append(there[:1:1], e...) }
	icon := func(i *Icon) func(Integration) (Changes[Integration], error) {
		return func(s Integration) (Changes[Integration], error) { return s.SetIcon(i) }
	}
	limits := DefaultFileLimits
	limits.Attachments = 2
	a, b, c := AttachmentAdded{Attachment: "a", Name: "A.pdf", Hash: "h", Size: 1}, AttachmentAdded{Attachment: "b",
		Name: "A.pdf"}, AttachmentAdded{Attachment: "c", Name: "c.txt"}
	add := func(e AttachmentAdded) func(Integration) (Changes[Integration], error) {
		return func(s Integration) (Changes[Integration], error) { return s.AddAttachment(e, limits) }
	}
	remove := func(id string) func(Integration) (Changes[Integration], error) {
		return func(s Integration) (Changes[Integration], error) { return s.RemoveAttachment(id) }
	}
	const gone = "NOT_FOUND id: Record not found: integration"
	decides(t, Integrations, map[string]row[Integration]{
		"an icon":       {given: there, when: icon(&first), then: events[Integration](IconSet{first})},
		"the same icon": {given: after(IconSet{first}), when: icon(&first)},
		"another icon": {given: after(IconSet{first}), when: icon(&second),
			then: events[Integration](IconSet{second})},
		"no icon": {given: after(IconSet{first}), when: icon(nil),
			then: events[Integration](IconRemoved{})},
		"still no icon":          {given: after(IconSet{first}, IconRemoved{}), when: icon(nil)},
		"an icon of nothing":     {when: icon(&first), refused: gone},
		"an icon of what's gone": {given: after(IntegrationRemoved{}), when: icon(nil), refused: gone},
		"a copy's icon":          {given: events[Integration](IntegrationCreated{Icon: &first}), when: icon(&first)},

		"a file":              {given: there, when: add(a), then: events[Integration](a)},
		"a file again":        {given: after(a, b), when: add(a)},
		"a file of that name": {given: after(a), when: add(b), then: events[Integration](b)},
		"one too many": {given: after(a, b), when: add(c),
			refused: "INVALID the integration has 2 attachments and can't have more (HEDDLE_MAX_ATTACHMENTS); remove one first"},
		"after one was taken": {given: after(a, b, AttachmentRemoved{Attachment: "a"}), when: add(c),
			then: events[Integration](c)},
		"a file of nothing":     {when: add(a), refused: gone},
		"a file of what's gone": {given: after(IntegrationRemoved{}), when: add(a), refused: gone},
		"taken away": {given: after(a, b), when: remove("b"),
			then: events[Integration](AttachmentRemoved{Attachment: "b"})},
		"taken away twice": {given: after(a, AttachmentRemoved{Attachment: "a"}), when: remove("a"),
			refused: "NOT_FOUND attachment: Record not found: attachment"},
		"taken from nothing":   {when: remove("a"), refused: gone},
		"taken when it's gone": {given: after(a, IntegrationRemoved{}), when: remove("a"), refused: gone},
	})
	i := folded(t, Integrations, after(a, b, AttachmentRemoved{Attachment: "a"}))
	if kept, ok := i.Attachment("b"); !ok || len(i.Attachments) != 1 || kept.Name != "A.pdf" ||
		kept.AddedBy != "actor" || kept.AddedAt.IsZero() {
		t.Errorf("kept %+v", i.Attachments)
	}
}

func TestAttachmentNames(t *testing.T) {
	for _, name := range []string{"a.pdf", "Ünïcode – 日本.PDF", "a b.c.txt", ".txt", strings.Repeat("x", 251) + ".csv"} {
		if err := DefaultFileLimits.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"": "the name of a file", "a/b.pdf": "the name of a file", `a\b.pdf`: "the name of a file",
		"a\x00.pdf": "the name of a file", "a\r\n.pdf": "the name of a file", " a.pdf": "the name of a file",
		"a.pdf ": "the name of a file", "a\u202efdp.exe.pdf": "the name of a file", "\xff.pdf": "the name of a file",
		strings.Repeat("x", 252) + ".pdf": "the name of a file", "a": "must end in one of csv,", "a.": "must end in",
		"a.pdf.html": "must end in", "a.HTM": "must end in", "a.svg": "must end in", "a.exe": "must end in",
		"pdf": "must end in",
	} {
		if err := DefaultFileLimits.CheckName(name); refusal.CodeOf(err) != refusal.Invalid ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// picture is a PNG of one colour.
func picture(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestIcons(t *testing.T) {
	for _, side := range []int{400, 512, 2048} {
		if _, err := DefaultFileLimits.Redraw(picture(t, side, side)); err != nil {
			t.Errorf("%d pixels: %v", side, err)
		}
	}
	good := picture(t, 400, 400)
	broken := bytes.Clone(good)
	broken[len(broken)-20] ^= 1
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":           {nil, "a PNG picture, and this is none"},
		"text":              {[]byte("<svg/>"), "a PNG picture, and this is none"},
		"a GIF":             {[]byte("GIF89a\x90\x01\x90\x01"), "a PNG picture, and this is none"},
		"its signature":     {good[:8], "a PNG picture, and this is none"},
		"too wide":          {picture(t, 800, 400), "800 by 400 pixels; it must be square"},
		"too high":          {picture(t, 400, 401), "400 by 401 pixels; it must be square"},
		"too small":         {picture(t, 399, 399), "399 pixels wide; it must have at least 400"},
		"too large":         {picture(t, 2049, 2049), "2049 pixels wide; it may have 2048 (HEDDLE_MAX_ICON_SIDE)"},
		"cut off":           {good[:len(good)-30], "is damaged"},
		"a bit turned over": {broken, "is damaged"},
	} {
		if _, err := DefaultFileLimits.Redraw(c.data); refusal.CodeOf(err) != refusal.Invalid ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A header that announces gigabytes of picture is refused without allocating memory for it.
func TestIconBomb(t *testing.T) {
	bomb := picture(t, 400, 400)
	binary.BigEndian.PutUint32(bomb[16:], 60_000)
	binary.BigEndian.PutUint32(bomb[20:], 60_000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := DefaultFileLimits.Redraw(bomb)
	runtime.ReadMemStats(&after)
	if refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), "60000 pixels wide") {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("it took %d bytes", took)
	}
}
