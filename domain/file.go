package domain

import (
	"bytes"
	"image/png"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"heddle/domain/refusal"
)

// FileLimits bounds the files of integrations.
type FileLimits struct {
	Icon        int64    // bytes
	IconSide    int      // pixels
	Attachment  int64    // bytes
	Attachments int      // of one integration
	Types       []string // endings of attachments' names, regardless of case
}

// DefaultFileLimits leaves out types that a browser, or a double click, would run.
var DefaultFileLimits = FileLimits{Icon: 1 << 20, IconSide: 2048, Attachment: 10 << 20, Attachments: 100,
	Types: []string{"csv", "docx", "gif", "jpeg", "jpg", "json", "md", "odp", "ods", "odt", "pdf", "png", "pptx", "txt",
		"webp", "xlsx", "xml", "yaml", "yml", "zip"}}

const minIconSide = 400 // pixels; lists of integrations show it large

// Redraw returns the picture of an icon without anything else in the file: texts, profiles, data after its end.
// It refuses everything but a square PNG picture of the right size. The header is checked first, so that only
// pictures that fit in little memory are decoded.
func (l FileLimits) Redraw(icon []byte) ([]byte, error) {
	header, err := png.DecodeConfig(bytes.NewReader(icon))
	switch {
	case err != nil:
		return nil, refusal.New(refusal.Invalid, "an icon is a PNG picture, and this is none")
	case header.Width != header.Height:
		return nil, refusal.New(refusal.Invalid, "the icon has %d by %d pixels; it must be square", header.Width,
			header.Height)
	case header.Width < minIconSide:
		return nil, refusal.New(refusal.Invalid, "the icon is %s wide; it must have at least %d",
			refusal.Count(header.Width, "pixel"), minIconSide)
	case header.Width > l.IconSide:
		return nil, refusal.New(refusal.Invalid, "the icon is %d pixels wide; it may have %d (HEDDLE_MAX_ICON_SIDE)",
			header.Width, l.IconSide)
	}
	picture, err := png.Decode(bytes.NewReader(icon))
	if err != nil {
		return nil, refusal.New(refusal.Invalid, "the icon is damaged: %v", err)
	}
	var drawn bytes.Buffer
	if err := png.Encode(&drawn, picture); err != nil {
		return nil, refusal.New(refusal.Invalid, "the icon can't be drawn again: %v", err)
	}
	return drawn.Bytes(), nil
}

const maxFileName = 255 // bytes, as in most file systems

// CheckName refuses names that no attachment may have.
func (l FileLimits) CheckName(name string) error {
	odd := func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) }
	if name == "" || len(name) > maxFileName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, odd) {
		return refusal.ForField(refusal.Invalid, "fileName",
			"must be the name of a file: 1 to %d bytes, without slashes, control characters, or spaces around it",
			maxFileName)
	}
	ending := strings.TrimPrefix(path.Ext(name), ".")
	if !slices.ContainsFunc(l.Types, func(known string) bool { return strings.EqualFold(known, ending) }) {
		return refusal.ForField(refusal.Invalid, "fileName", "must end in one of %s (HEDDLE_ATTACHMENT_TYPES)",
			strings.Join(l.Types, ", "))
	}
	return nil
}
