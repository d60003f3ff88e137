// A collector of OpenTelemetry traces: takes OTLP over HTTP as JSON, and keeps every span.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly status: { readonly code: number; readonly message?: string };
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

export interface CollectedSpan extends Omit<OtlpSpan, 'attributes'> {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** Of OTLP. */
export const KIND = { server: 2, client: 3 } as const;
export const STATUS_ERROR = 2;

const plain = (attributes: readonly KeyValue[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  /** All bodies as they came. */
  text = '';
  /** Of the answers. */
  status = 200;
  readonly #server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const text = Buffer.concat(pieces).toString();
    this.text += text;
    if (this.status === 200 && request.url === '/v1/traces') this.#keep(JSON.parse(text) as OtlpBody);
    response.writeHead(request.url === '/v1/traces' ? this.status : 404, { 'content-type': 'application/json' });
    // As a proxy for debugging would.
    response.end(this.status === 200 ? '{}' : JSON.stringify({ refused: request.headers }));
  });

  static async start(t: { teardown(fn: () => unknown): void }): Promise<TraceCollector> {
    const collector = new TraceCollector();
    await new Promise<void>((resolve) => collector.#server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => collector.#server.close());
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #keep({ resourceSpans }: OtlpBody): void {
    for (const { resource, scopeSpans } of resourceSpans)
      for (const span of scopeSpans.flatMap(({ spans }) => spans))
        this.spans.push({ ...span, attributes: plain(span.attributes), resource: plain(resource.attributes) });
  }
}
