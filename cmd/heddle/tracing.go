package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"heddle/domain/refusal"
	"heddle/store"
)

// lastSpans is how long a stopping process waits until its last spans are sent.
const lastSpans = 3 * time.Second

// openTraces makes a tracer that sends its spans to the collector, nil when none is configured. What
// OpenTelemetry's other variables say of sampling, headers, batches and the resource, its SDK reads.
func (s *settings) openTraces(ctx context.Context,
	logger *slog.Logger) (tracer trace.Tracer, shutdown func(), err error) {
	if s.OTLPEndpoint == "" {
		return nil, func() {}, nil
	}
	endpoint, err := url.Parse(s.OTLPEndpoint)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: set it to the collector's address, such as http://collector:4318")
	}
	if protocol := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, nil, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken; collectors take it at port 4318")
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint.JoinPath("v1/traces").String()))
	if err != nil {
		return nil, nil, fmt.Errorf("preparing to send traces (OTEL_EXPORTER_OTLP_ENDPOINT): %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "heddle"),
		attribute.String("service.instance.id", uuid.NewString()),
		attribute.String("service.version", version()), attribute.StringSlice("heddle.roles",
			s.Roles)), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("describing this process to the collector of traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("sending traces failed", "error", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return provider.Tracer("heddle"), func() {
		ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			logger.Warn("sending the last traces failed", "error", err)
		}
	}, nil
}

// continued has requests go on with the trace that their caller names.
func (v *server) continued(next http.Handler) http.Handler {
	if v.tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(propagation.TraceContext{}.Extract(r.Context(),
			propagation.HeaderCarrier(r.Header))))
	})
}

// traced makes an append a span of the trace that it happens in, if there is one.
func (l *watchedLog) traced(ctx context.Context, stream string, events []store.Event) (context.Context, func(error)) {
	if l.tracer == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	kinds := make([]string, len(events))
	for i, e := range events {
		kinds[i] = e.Kind
	}
	category, _, _ := strings.Cut(stream, "-")
	ctx, span := l.tracer.Start(ctx, "append", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("heddle.category", category),
			attribute.StringSlice("heddle.events", kinds)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, string(refusal.CodeOf(err)))
		}
		span.End()
	}
}
