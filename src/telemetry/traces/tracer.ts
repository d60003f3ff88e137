// Spans of calls, sent to an OpenTelemetry collector. Loaded only when the standard OTEL_* variables ask for it (otel-settings.ts).
//
// TRACER-1. Nothing here ends a call or the daemon: what the library throws is logged, and the call goes on without a span.
// TRACER-2. The library's own reports (an unreachable collector, a full queue, a setting it does not know) are log lines, at most one in ten
//     seconds of each level.
// TRACER-3. What the caller traces and is not sampled here still has a trace context: the extension must see that it is not sampled.
//     A call of no trace that is not sampled has none.
import { performance } from 'node:perf_hooks';
import type {
  Attributes,
  Context,
  Span as OtelSpan,
  Tracer as OtelTracer,
  SpanContext,
  SpanKind,
} from '@opentelemetry/api';
import { within } from '../deadline.js';
import { stackOf } from '../error-text.js';
import { createLimitedWarn, type LimitedWarn } from '../limited-log.js';
import type { Logger } from '../log.js';
import { collectorProblem, isTracingConfigured } from './otel-settings.js';

export type SpanFacts = Attributes;

/** What a caller sent of its trace: valid values of the W3C headers. */
export interface ParentTrace {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
  /** `tracestate`; null without one. */
  readonly state: string | null;
}

export interface Span {
  /** False: nothing that is set is kept. */
  readonly isRecorded: boolean;
  /** The value of the `traceparent` header for whatever this span calls. */
  readonly traceparent: string;
  /** A span for one request that this one makes. */
  child(name: string, facts: SpanFacts): Span;
  set(facts: SpanFacts): void;
  event(name: string): void;
  /** `error`: why it failed; null if it did not. */
  end(error: string | null): void;
}

export interface Tracer {
  /** A span for a request that arrived. null: it is not sampled, and nothing has to be passed on. */
  begin(name: string, parent: ParentTrace | null, facts: SpanFacts): Span | null;
  /** Sends what is left, for STOP_MS at most. */
  stop(): Promise<void>;
}

const STOP_MS = 2000;
/** The longest report of the library that is logged. */
const MAX_REPORT = 500;

const TRACE_PACKAGES = [
  '@opentelemetry/api@1.9',
  '@opentelemetry/sdk-trace-base@2.12',
  '@opentelemetry/resources@2.12',
  '@opentelemetry/exporter-trace-otlp-http@0.223',
];

type Api = typeof import('@opentelemetry/api');

async function loadLibrary() {
  const [api, sdk, resources, exporter] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  return { api, sdk, resources, exporter };
}

/** null: the environment asks for none, or it cannot be had, which is logged. The library itself reads that of the process. Never rejects. */
export async function openTracer(
  env: NodeJS.ProcessEnv,
  version: string,
  log: Logger,
  load = loadLibrary,
): Promise<Tracer | null> {
  if (!isTracingConfigured(env)) return null;
  const problem = collectorProblem(env);
  if (problem !== null) {
    log.error({ event: 'tracing_off', reason: problem });
    return null;
  }
  try {
    return start(await load(), env, version, log);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const reason = isMissing
      ? `OTEL_* asks for traces, and the library is not installed: npm install ${TRACE_PACKAGES.join(' ')}`
      : stackOf(error);
    log.error({ event: 'tracing_off', reason });
    return null;
  }
}

/** The one in force: the library replaces an unknown one by its default, with a notice. */
function samplerOf({ OTEL_TRACES_SAMPLER: asked = '' }: NodeJS.ProcessEnv): string {
  return /^(parentbased_)?(always_on|always_off|traceidratio)$/.test(asked) ? asked : 'parentbased_always_on';
}

function start(
  { api, sdk, resources, exporter }: Awaited<ReturnType<typeof loadLibrary>>,
  env: NodeJS.ProcessEnv,
  version: string,
  log: Logger,
): Tracer {
  report(api, log);
  const resource = resources
    .defaultResource()
    .merge(resources.resourceFromAttributes({ 'service.name': 'extension-registry', 'service.version': version }))
    .merge(resources.detectResources({ detectors: [resources.envDetector] }));
  const spanProcessors = [new sdk.BatchSpanProcessor(new exporter.OTLPTraceExporter())];
  const provider = new sdk.BasicTracerProvider({ resource, spanProcessors });
  log.info({ event: 'tracing_on', sampler: samplerOf(env) });
  const tracer = new SpanSource(api, provider.getTracer('extension-registry', version), log);
  return {
    begin: (name, parent, facts) => tracer.begin(name, parent, facts),
    // TRACER-1.
    stop: async () => {
      const stopped = provider
        .shutdown()
        .catch((error: unknown) => log.warn({ event: 'tracing_trouble', message: String(error) }));
      await within(STOP_MS, stopped, undefined);
    },
  };
}

/** TRACER-2. */
function report({ diag, DiagLogLevel }: Api, log: Logger): void {
  const lineOf = (event: string) => {
    const warn = createLimitedWarn(log, event, () => performance.now());
    return (message: string, ...more: unknown[]) =>
      warn({
        message: [message, ...more]
          .map((part) => reported(String(part)))
          .join(' ')
          .slice(0, MAX_REPORT),
      });
  };
  const nothing = (): void => undefined;
  const logger = {
    error: lineOf('tracing_trouble'),
    warn: lineOf('tracing_notice'),
    info: nothing,
    debug: nothing,
    verbose: nothing,
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/**
 * An error comes as the JSON of all that it has: also the body of the collector's answer, which may quote the headers that it got, the login among
 * them, and a stack of the library. Its name, code and message are left.
 */
function reported(message: string): string {
  if (!message.startsWith('{')) return message;
  try {
    const { name, code, message: text } = JSON.parse(message) as Record<string, unknown>;
    return [name, code, text].filter((one) => typeof one === 'string' && one !== '').join(': ');
  } catch {
    return 'a report that cannot be read';
  }
}

class SpanSource {
  readonly #warnFailed: LimitedWarn;

  constructor(
    readonly api: Api,
    private readonly tracer: OtelTracer,
    log: Logger,
  ) {
    this.#warnFailed = createLimitedWarn(log, 'tracing_failed', () => performance.now());
  }

  begin(name: string, parent: ParentTrace | null, facts: SpanFacts): Span | null {
    try {
      const { ROOT_CONTEXT, SpanKind } = this.api;
      const context = parent === null ? ROOT_CONTEXT : this.#contextOf(parent);
      const span = this.start(name, SpanKind.SERVER, facts, context);
      // TRACER-3: the caller samples it, and this daemon does not.
      return span.isRecording() || parent?.isSampled === true ? new TracedSpan(this, span, context) : null;
    } catch (error) {
      this.failed(error);
      return null;
    }
  }

  start(name: string, kind: SpanKind, attributes: SpanFacts, context: Context): OtelSpan {
    return this.tracer.startSpan(name, { kind, attributes }, context);
  }

  failed(error: unknown): void {
    this.#warnFailed({ error: stackOf(error) });
  }

  #contextOf({ traceId, spanId, isSampled, state }: ParentTrace): Context {
    const { trace, TraceFlags, ROOT_CONTEXT, createTraceState } = this.api;
    const context: SpanContext = {
      traceId,
      spanId,
      isRemote: true,
      traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(state === null ? {} : { traceState: createTraceState(state) }),
    };
    return trace.setSpanContext(ROOT_CONTEXT, context);
  }
}

class TracedSpan implements Span {
  readonly isRecorded: boolean;

  constructor(
    private readonly source: SpanSource,
    private readonly span: OtelSpan,
    private readonly context: Context,
  ) {
    this.isRecorded = span.isRecording();
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.span.spanContext();
    return `00-${traceId}-${spanId}-0${traceFlags & this.source.api.TraceFlags.SAMPLED}`;
  }

  child(name: string, facts: SpanFacts): Span {
    const { trace, SpanKind } = this.source.api;
    try {
      const context = trace.setSpan(this.context, this.span);
      return new TracedSpan(this.source, this.source.start(name, SpanKind.CLIENT, facts, context), context);
    } catch (error) {
      this.source.failed(error);
      return notRecorded(this.traceparent);
    }
  }

  set(facts: SpanFacts): void {
    this.#guarded(() => this.span.setAttributes(facts));
  }

  event(name: string): void {
    this.#guarded(() => this.span.addEvent(name));
  }

  end(error: string | null): void {
    this.#guarded(() => {
      if (error !== null) this.span.setStatus({ code: this.source.api.SpanStatusCode.ERROR, message: error });
      this.span.end();
    });
  }

  /** TRACER-1. */
  #guarded(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      this.source.failed(error);
    }
  }
}

/** In place of a span that could not be made: what is called has the span above as its parent. */
function notRecorded(traceparent: string): Span {
  const nothing = (): void => undefined;
  return {
    isRecorded: false,
    traceparent,
    child: () => notRecorded(traceparent),
    set: nothing,
    event: nothing,
    end: nothing,
  };
}
