package worker

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// Spans hold ids, kinds and codes, never what customers send, configure or get as an error: that may be secret.

// begin starts a span; without a tracer it costs next to nothing.
func (w *Worker) begin(ctx context.Context, name string, kind trace.SpanKind, about ...attribute.KeyValue,
) (context.Context, trace.Span) {
	if w.Tracer == nil {
		return ctx, noop.Span{}
	}
	return w.Tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(about...))
}

// endSpan ends a span. Of an error it records only the code.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, string(refusal.CodeOf(err)))
	}
	span.End()
}

// beginRun continues, in whichever process, the trace that a run was queued in, with spans for its wait in the
// queue and its execution.
func (w *Worker) beginRun(ctx context.Context, r domain.Run, claim int) (context.Context, trace.Span) {
	if w.Tracer == nil {
		return ctx, noop.Span{}
	}
	ctx = store.InTrace(ctx, r.Trace)
	about := trace.WithAttributes(attribute.String("heddle.execution", r.ID),
		attribute.String("heddle.instance", r.Queued.Instance),
		attribute.String("heddle.invoke", string(r.Queued.Invoke)), attribute.Int("heddle.claim", claim))
	if r.Claims == 0 {
		_, queue := w.Tracer.Start(ctx, "queue", about, trace.WithTimestamp(r.QueuedAt))
		queue.End()
	}
	return w.Tracer.Start(ctx, "run", about, trace.WithSpanKind(trace.SpanKindConsumer))
}

// beginStep starts the span of a call of a step, named by its action if that is one of ours.
func (x *attempt) beginStep(ctx context.Context, component, action, path string) (context.Context, trace.Span) {
	if x.w.Tracer == nil {
		return ctx, noop.Span{}
	}
	name := "step"
	if _, known := x.w.Components.Component(component); known {
		name = component + "/" + action
	}
	return x.w.begin(ctx, name, trace.SpanKindInternal, attribute.String("heddle.step", path))
}

// beginRequest starts the span of a step's request, and has the request carry it unless the step has set the
// header. Of the address it records only the host.
func (l invokedByTransport) beginRequest(r *http.Request) (*http.Request, trace.Span) {
	ctx, span := l.step.x.w.begin(r.Context(), "HTTP "+r.Method, trace.SpanKindClient,
		attribute.String("http.request.method", r.Method),
		attribute.String("server.address", r.URL.Hostname()))
	if span.SpanContext().IsValid() {
		if r = r.Clone(ctx); r.Header.Get("Traceparent") == "" {
			propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
		}
	}
	return r, span
}

func endRequest(span trace.Span, response *http.Response, err error) {
	if err == nil {
		span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
		if response.StatusCode >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	endSpan(span, err)
}
