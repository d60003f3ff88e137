// `GET /metrics`, streamed as it is written.
import { Readable } from 'node:stream';
import type { FastifyReply } from '#fastify';
import { Type } from '#typebox';
import { METRICS_CONTENT_TYPE } from '../../telemetry/metrics-text.js';
import type { App } from '../app/app.js';
import { problems } from '../app/problem.js';
import type { MetricsPage } from './metrics-page.js';

export function metricsRoute(app: App, page: MetricsPage, isOpen: boolean): void {
  app.get<{ Reply: unknown }>(
    '/metrics',
    {
      config: { role: isOpen ? 'none' : 'viewer' },
      schema: {
        operationId: 'scrape',
        summary: 'Metrics in the text format of Prometheus',
        response: { 200: { content: { 'text/plain': { schema: Type.String() } } }, ...problems('too_many_requests') },
      },
    },
    // A text or a stream of it, for the server.
    (_request, reply: FastifyReply) =>
      reply.type(METRICS_CONTENT_TYPE).send(Readable.from(page(), { objectMode: false })),
  );
}
