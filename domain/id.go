package domain

import (
	"strings"

	"github.com/google/uuid"
)

// space is the UUID namespace of every derived id.
var space = uuid.MustParse("5d0c3c52-7a3f-4e0e-9d6a-2f0b6b1f7c11")

// DeriveID makes an id that always follows from the same parts: a repeated delivery, a second scheduler or a
// crash half way then meets its own earlier work. Source: RFC 9562, UUIDv5.
func DeriveID(parts ...string) string {
	return uuid.NewSHA1(space, []byte(strings.Join(parts, "\x00"))).String()
}
