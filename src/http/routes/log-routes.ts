// `/admin/log-levels`: which lines the daemon writes, while it runs.
import { Type } from '#typebox';
import type { LogLevelDesk } from '../../actors/ports/management.js';
import { actorOf } from '../../domain/access/principal.js';
import { logLevelsSchema } from '../../domain/status-schema.js';
import { LOG_COMPONENTS, LOG_LEVELS } from '../../telemetry/log-levels.js';
import type { App } from '../app/app.js';
import { HttpProblem } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { MAX_CHANGE_BYTES, OPTIONAL_REASON, storageProblems } from '../app/strict-body.js';

const DAY_SECONDS = 86_400;

const { by } = OPTIONAL_REASON;
const body = Type.Object(
  {
    component: Type.Optional(
      Type.Enum([...LOG_COMPONENTS], { description: 'Absent: all without a level of their own.' }),
    ),
    level: Type.Unsafe<(typeof LOG_LEVELS)[number] | null>({
      enum: [...LOG_LEVELS, null],
      description: 'null: what the configuration says.',
    }),
    for_seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: DAY_SECONDS,
        description: 'Then what the configuration says is in force again.',
      }),
    ),
    by,
  },
  { additionalProperties: false },
);

export function logRoutes(app: App, desk: LogLevelDesk): void {
  app.get(
    '/admin/log-levels',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'readLogLevels',
        summary: 'The level of the log, of each component',
        querystring: NO_PARAMETERS,
        response: { 200: logLevelsSchema },
      },
    },
    async () => desk.read(),
  );

  app.put(
    '/admin/log-levels',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'operator' },
      schema: {
        operationId: 'setLogLevel',
        summary: 'Set the level of the log, of one component or all, for good or for a time',
        querystring: NO_PARAMETERS,
        body,
        response: { 200: logLevelsSchema },
      },
    },
    async (request) => {
      const { component = null, level, for_seconds: seconds = null, by } = request.body;
      const problem = storageProblems({ by });
      if (problem !== null) throw new HttpProblem('invalid_request', problem);
      if (level === null && seconds !== null)
        throw new HttpProblem(
          'invalid_request',
          'body/for_seconds: expected none with the level null, which ends what was set',
        );
      desk.set({ component, level, seconds }, actorOf(request.principal, by));
      return desk.read();
    },
  );
}
