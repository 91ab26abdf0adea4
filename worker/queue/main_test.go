package queue

import (
	"log/slog"
	"testing"
)

func TestMain(m *testing.M) {
	SetLogger(slog.New(slog.DiscardHandler)) // some tests take Redis away
	m.Run()
}
