package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"heddle/domain"
)

func TestChangeEndsWithItsContext(t *testing.T) {
	log := NewMemory()
	change := func(ctx context.Context) error {
		ctx = As(ctx, Author{Organization: "org", Actor: "ann"})
		_, _, err := Change(ctx, log, domain.Customers, "1",
			func(domain.Customer) (domain.Changes[domain.Customer], error) {
				return domain.Changes[domain.Customer]{domain.CustomerCreated{Name: "C"}}, nil
			})
		return err
	}
	leave, err := log.changing.enter(t.Context(), domain.Customers.Stream("1"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := change(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	leave()
	if err := change(t.Context()); err != nil {
		t.Error(err)
	}
	if len(log.changing.held) != 0 {
		t.Errorf("%d turns are left over", len(log.changing.held))
	}
}
