// `GET /metrics`, streamed as it is written.
import { Readable } from 'node:stream';
import { METRICS_CONTENT_TYPE } from '../../telemetry/metrics-text.js';
import type { App } from '../app/app.js';
import type { MetricsPage } from './metrics-page.js';

export function metricsRoute(app: App, page: MetricsPage): void {
  app.get('/metrics', (_request, reply) =>
    reply.type(METRICS_CONTENT_TYPE).send(Readable.from(page(), { objectMode: false })),
  );
}
