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

export function probeRoutes(app: App, readiness: () => Readiness): void {
  app.get('/livez', { schema: { response: { 200: Type.Object({ live: Type.Boolean() }) } } }, async () => ({
    live: true,
  }));

  app.get('/readyz', { schema: { response: { 200: readinessSchema, 503: readinessSchema } } }, async (_, reply) => {
    const { ready, waiting_for, reasons, degraded } = readiness();
    reply.code(ready ? 200 : 503);
    return { ready, waiting_for: [...waiting_for], reasons: [...reasons], degraded: [...degraded] };
  });
}
