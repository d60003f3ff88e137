// What a supervisor of processes asks: `/livez` (is it running?) and `/readyz` (may it get traffic?).
import { Type } from '#typebox';
import type { Readiness } from '../../actors/ports/api.js';
import type { App } from '../app/app.js';

const readinessSchema = Type.Object({
  ready: Type.Boolean(),
  waiting_for: Type.Array(Type.String()),
  reasons: Type.Array(Type.String()),
  degraded: Type.Array(Type.String()),
});

/** A supervisor of processes asks by the address of a pod. */
const PROBE = { role: 'none', anyHost: true } as const;

export function probeRoutes(app: App, readiness: () => Readiness): void {
  app.get(
    '/livez',
    {
      config: PROBE,
      schema: {
        operationId: 'live',
        summary: 'Whether the process runs',
        response: { 200: Type.Object({ live: Type.Boolean() }) },
      },
    },
    async () => ({ live: true }),
  );

  app.get(
    '/readyz',
    {
      config: PROBE,
      schema: {
        operationId: 'ready',
        summary: 'Whether a call that is sent now is answered by this daemon, and what it waits for',
        response: { 200: readinessSchema, 503: readinessSchema },
      },
    },
    async (_, reply) => {
      const { ready, waiting_for, reasons, degraded } = readiness();
      reply.code(ready ? 200 : 503);
      return { ready, waiting_for: [...waiting_for], reasons: [...reasons], degraded: [...degraded] };
    },
  );
}
