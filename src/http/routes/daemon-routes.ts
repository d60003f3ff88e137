// `/admin/status`, `/admin/fleet`, `/admin/settings` and `/admin/reload`: the daemon itself, and those beside it.
import { Type } from '#typebox';
import type { ManagementDesk } from '../../actors/ports/management.js';
import { actorOf } from '../../domain/access/principal.js';
import { fleetSchema } from '../../domain/fleet/fleet-answer.js';
import { reloadSchema, settingsSchema, statusSchema } from '../../domain/status-schema.js';
import type { App } from '../app/app.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { MAX_CHANGE_BYTES, OPTIONAL_REASON, storageProblems } from '../app/strict-body.js';

type Desk = Pick<ManagementDesk, 'status' | 'fleet' | 'settings' | 'reload'>;

const reloadBody = Type.Object(
  {
    force: Type.Optional(Type.Boolean({ description: 'True: a mass removal that is held happens; needs a reason.' })),
    ...OPTIONAL_REASON,
  },
  { additionalProperties: false },
);

export function daemonRoutes(app: App, { status, fleet, settings, reload }: Desk): void {
  app.get(
    '/admin/status',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readStatus',
        summary: 'The daemon: its registry, readiness, what is pending, memory and event loop',
        querystring: NO_PARAMETERS,
        response: { 200: statusSchema },
      },
    },
    async () => status(),
  );

  app.get(
    '/admin/fleet',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readFleet',
        summary: 'The replicas of the fleet as this daemon hears them, itself included',
        querystring: NO_PARAMETERS,
        response: { 200: fleetSchema },
      },
    },
    async () => fleet(),
  );

  app.get(
    '/admin/settings',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'readSettings',
        summary: 'The settings in force, and where each comes from',
        querystring: NO_PARAMETERS,
        response: { 200: settingsSchema },
      },
    },
    async () => ({ settings: [...settings()] }),
  );

  reloadRoute(app, reload);
}

function reloadRoute(app: App, reload: Desk['reload']): void {
  app.post(
    '/admin/reload',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'operator' },
      schema: {
        operationId: 'reload',
        summary: 'Read the whole registry again, and say which settings need a restart',
        querystring: NO_PARAMETERS,
        body: reloadBody,
        response: { 200: reloadSchema, ...problems('database_unavailable') },
      },
    },
    async (request) => {
      const { force = false, reason = null, by } = request.body;
      if (force && reason === null)
        throw new HttpProblem('invalid_request', 'body/reason is missing: force removes what is held, so it needs one');
      const problem = storageProblems({ reason, by });
      if (problem !== null) throw new HttpProblem('invalid_request', problem);
      const answer = await reload({ force, reason, actor: actorOf(request.principal, by) });
      if (answer.kind !== 'reloaded') throw new HttpProblem(answer.kind, answer.message);
      const { kind: _, ...report } = answer;
      return report;
    },
  );
}
