// `GET /admin/events`: what changes, as it happens.
import { Type } from '#typebox';
import type { AccessDesk } from '../../actors/ports/access.js';
import type { LiveSource } from '../../actors/ports/live.js';
import type { Principal } from '../../domain/access/principal.js';
import { LIVE_TOPICS } from '../../domain/health/live-topics.js';
import { EVENT_KINDS } from '../../domain/registry/events.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import type { App } from '../app/app.js';
import { sendEvents } from '../app/event-stream.js';
import { HttpProblem, problems } from '../app/problem.js';
import { someOfWords } from '../app/query-string.js';

const querySchema = Type.Object(
  {
    topics: Type.Optional(someOfWords(LIVE_TOPICS, 'What is sent; all of them unless given.')),
    kinds: Type.Optional(someOfWords(EVENT_KINDS, 'Kinds of registry events; all of them unless given.')),
    extension_id: Type.Optional(
      Type.String({ maxLength: 255, description: 'Rows and events of this extension alone.' }),
    ),
  },
  { additionalProperties: false },
);

const REFUSALS = {
  too_many_streams: [
    'too_many_streams',
    '64 event streams are open, which is as many as there may be: close one, or read /admin/overview every 10 s',
  ],
  too_many_streams_of_token: [
    'too_many_streams',
    'this token has 8 event streams open, which is as many as it may have: close one, or read /admin/overview every 10 s',
  ],
  stopping: ['shutting_down', 'the daemon is stopping: try again when it is back'],
} as const;

export function liveRoutes(app: App, live: LiveSource, access: Pick<AccessDesk, 'isValid'>): void {
  app.route({
    method: 'GET',
    url: '/admin/events',
    // A HEAD of it would be a stream as well.
    exposeHeadRoute: false,
    config: { role: 'viewer' },
    schema: {
      operationId: 'streamEvents',
      summary:
        'Rows, summary, daemon and registry events as they change, as server-sent events; resumes after Last-Event-ID',
      querystring: querySchema,
      response: {
        200: { description: 'Server-sent events.', content: { 'text/event-stream': { schema: Type.String() } } },
        ...problems('too_many_streams'),
      },
    },
    handler: async (request, reply) => {
      const { topics, kinds, extension_id: extensionId } = request.query;
      if (extensionId !== undefined && !isExtensionId(extensionId)) throw new HttpProblem('invalid_request', NO_ID);
      const { principal } = request;
      const lastEventId = request.headers['last-event-id'];
      const selection = {
        topics: new Set(topics ?? LIVE_TOPICS),
        kinds: kinds === undefined ? null : new Set(kinds),
        extensionId: extensionId ?? null,
        lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : null,
        role: principal.role,
        principal: streamsOf(principal),
        isValid: () => access.isValid(principal),
      };
      return sendEvents(reply, (sink) => {
        const opened = live.open(selection, sink);
        if (typeof opened === 'function') return opened;
        const [code, message] = REFUSALS[opened];
        throw new HttpProblem(code, message);
      });
    },
  });
}

/** Whose streams are counted together; null: where no token is asked for, each for itself. */
function streamsOf({ kind, name, tokenId }: Principal): string | null {
  if (tokenId !== null) return tokenId;
  return kind === 'open' ? null : `${kind}:${name}`;
}
