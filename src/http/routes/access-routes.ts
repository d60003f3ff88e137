// Tokens, signing in, and tickets for WebSockets: `/admin/whoami`, `/admin/tokens`, `/admin/login…`, `/inspect/tickets`.
import type { FastifyRequest } from '#fastify';
import { Type } from '#typebox';
import type { AccessDesk } from '../../actors/ports/access.js';
import { actorOf, allows, type Principal, ROLES } from '../../domain/access/principal.js';
import { MAX_TOKEN_DAYS, tokenNameProblem } from '../../domain/access/token.js';
import { oneOf, orNull } from '../../domain/registry/answer-schema.js';
import type { App } from '../app/app.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { CHANGE_FIELDS, MAX_CHANGE_BYTES, storageProblems } from '../app/strict-body.js';

const role = oneOf(ROLES);
const time = (description: string) => orNull<string>('string', { description });
const tokenSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role,
  created_by: Type.String(),
  created_at: Type.String(),
  expires_at: time('null: never.'),
  last_used_at: time('To the minute; null: not yet.'),
});
const whoamiSchema = Type.Object({
  name: Type.String(),
  role,
  kind: oneOf(['open', 'local', 'token', 'sign_in']),
  expires_at: time('null: never.'),
  auth: oneOf(['required', 'open'], { description: 'Whether a token is asked for.' }),
});
const strict = { additionalProperties: false } as const;

/** `address`: where a page is opened, such as `https://registry.example`. `hasInspector`: whether a hosted inspector is configured. */
export function accessRoutes(app: App, access: AccessDesk, address: () => string, hasInspector: boolean): void {
  whoamiRoute(app, access);
  tokenRoutes(app, access);
  codeRoute(app, access, address);
  loginRoutes(app, access);
  ticketRoute(app, access, hasInspector);
}

function whoamiRoute(app: App, access: AccessDesk): void {
  app.get(
    '/admin/whoami',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'whoami',
        summary: 'Whose token this is, and what it allows',
        querystring: NO_PARAMETERS,
        response: { 200: whoamiSchema },
      },
    },
    async ({ principal }) => ({
      ...signedInAs(principal),
      kind: principal.kind,
      auth: access.isRequired ? ('required' as const) : ('open' as const),
    }),
  );
}

function tokenRoutes(app: App, access: AccessDesk): void {
  app.get(
    '/admin/tokens',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'listTokens',
        summary: 'The access tokens, in order of their names',
        querystring: NO_PARAMETERS,
        response: { 200: Type.Object({ items: Type.Array(tokenSchema) }), ...problems('database_unavailable') },
      },
    },
    async () => {
      const answer = await access.list();
      if ('kind' in answer) throw new HttpProblem(answer.kind, answer.message);
      return { items: [...answer] };
    },
  );
  createTokenRoute(app, access);
  revokeTokenRoute(app, access);
}

function createTokenRoute(app: App, access: AccessDesk): void {
  app.post(
    '/admin/tokens',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'admin' },
      schema: {
        operationId: 'createToken',
        summary: 'Make an access token; its text is in this answer alone',
        querystring: NO_PARAMETERS,
        body: Type.Object(
          {
            name: Type.String({ maxLength: 64 }),
            role,
            expires_in_days: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: MAX_TOKEN_DAYS })),
            by: CHANGE_FIELDS.by,
          },
          strict,
        ),
        response: {
          201: Type.Object({ token: Type.String({ description: 'Its text.' }), ...tokenSchema.properties }),
          ...problems('already_exists', 'database_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { name, role, expires_in_days: expiresInDays = null, by } = request.body;
      const problem = tokenNameProblem(name) ?? storageProblems({ by });
      if (problem !== null) throw new HttpProblem('invalid_request', problem);
      const answer = await access.create({ name, role, expiresInDays }, actorOf(request.principal, by));
      if (answer.kind !== 'created') throw new HttpProblem(answer.kind, answer.message);
      reply.code(201);
      return { token: answer.text, ...answer.token };
    },
  );
}

function revokeTokenRoute(app: App, access: AccessDesk): void {
  app.delete(
    '/admin/tokens/:id',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke a token, with the sign-ins and streams of it',
        params: Type.Object({ id: Type.String() }),
        querystring: Type.Object(
          { reason: Type.String({ maxLength: 1000 }), by: Type.Optional(Type.String({ maxLength: 200 })) },
          strict,
        ),
        response: {
          204: Type.Null({ description: 'It is revoked.' }),
          ...problems('token_not_found', 'database_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { reason, by } = request.query;
      const answer = await access.revoke(request.params.id, actorOf(request.principal, by), reason);
      if (answer.kind !== 'revoked') throw new HttpProblem(answer.kind, answer.message);
      return reply.code(204).send(null);
    },
  );
}

function codeRoute(app: App, access: AccessDesk, address: () => string): void {
  app.post(
    '/admin/login-codes',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'viewer' },
      schema: {
        operationId: 'createLoginCode',
        summary: 'A code of one use, for a minute, with which a page signs in',
        querystring: NO_PARAMETERS,
        body: Type.Object(
          { role: Type.Optional(oneOf(ROLES, { description: "Not above one's own, which is the default." })) },
          strict,
        ),
        response: { 200: Type.Object({ code: Type.String(), url: Type.String(), expires_at: Type.String() }) },
      },
    },
    async ({ principal, body }) => {
      const { role = principal.role } = body;
      if (!allows(principal.role, role))
        throw new HttpProblem('forbidden', `a code of the role ${role} needs that role, not ${principal.role}`, {
          needs: role,
        });
      const { code, expiresAtMs } = access.signIn.code(principal, role);
      // In the fragment: it is in no log and in no Referer.
      return { code, url: `${address()}/#code=${code}`, expires_at: isoTime(expiresAtMs) };
    },
  );
}

function loginRoutes(app: App, access: AccessDesk): void {
  app.post(
    '/admin/login',
    {
      bodyLimit: MAX_CHANGE_BYTES,
      config: { role: 'none' },
      schema: {
        operationId: 'login',
        summary: 'Sign in with a code: a token for twelve hours',
        querystring: NO_PARAMETERS,
        body: Type.Object({ code: Type.String({ maxLength: 200 }) }, strict),
        response: {
          200: Type.Object({ token: Type.String(), name: Type.String(), role, expires_at: time('When it ends.') }),
          ...problems('unauthenticated', 'too_many_requests', 'database_unavailable'),
        },
      },
    },
    async (request: FastifyRequest<{ Body: { readonly code: string } }>) => {
      const answer = await access.signIn.login(request.body.code, request.ip);
      if (answer.kind !== 'signed_in') throw new HttpProblem(answer.kind, answer.message);
      return { token: answer.text, ...signedInAs(answer.principal) };
    },
  );
  app.post(
    '/admin/logout',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'logout',
        summary: 'End a sign-in; without effect for a token that an administrator made',
        querystring: NO_PARAMETERS,
        response: { 204: Type.Null({ description: 'It is ended.' }), ...problems('database_unavailable') },
      },
    },
    async ({ principal }, reply) => {
      const answer = await access.signIn.logout(principal);
      if (answer.kind !== 'signed_out') throw new HttpProblem(answer.kind, answer.message);
      return reply.code(204).send(null);
    },
  );
}

function ticketRoute(app: App, access: AccessDesk, hasInspector: boolean): void {
  app.post(
    '/inspect/tickets',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'createTicket',
        summary: 'A ticket of one use, for half a minute, with which the WebSocket /inspect is opened',
        querystring: NO_PARAMETERS,
        response: {
          200: Type.Object({
            ticket: Type.String(),
            expires_at: Type.String(),
            hosted_inspector: Type.Boolean({ description: 'Whether `/ui/bridge` has one to show.' }),
          }),
        },
      },
    },
    async ({ principal }) => {
      const { ticket, expiresAtMs } = access.signIn.ticket(principal);
      return { ticket, expires_at: isoTime(expiresAtMs), hosted_inspector: hasInspector };
    },
  );
}

const signedInAs = ({ name, role, expiresAtMs }: Principal) => ({
  name,
  role,
  expires_at: expiresAtMs === null ? null : isoTime(expiresAtMs),
});

const isoTime = (ms: number): string => new Date(ms).toISOString();
