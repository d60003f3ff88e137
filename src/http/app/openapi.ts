// The document of the admin API (OpenAPI 3.1), made once from the schemas of the routes.
//
// OPENAPI-1. Every route but the pages of the console is in it, and nothing else, with an operationId, a summary, its role (`x-extreg-role`), each status of an error, and an
//     example of what it takes and answers.
// OPENAPI-2. What is only documented costs a server nothing: answers that are sent as texts have no serialisers, and the document is made once
//     in a process, for all of its servers that have the same routes.
import { createHash } from 'node:crypto';
import swagger from '#@fastify/swagger';
import type { FastifySchema, RouteOptions } from '#fastify';
import type { TSchema } from '#typebox';
import type { Json } from '../../domain/exact-json.js';
import type { App } from './app.js';
import { hasTag } from './etags.js';
import type { HttpErrorCode } from './http-errors.js';
import { problemResponses, problemSchema } from './problem.js';
import { NO_PARAMETERS } from './query-string.js';
import { exampleOf, type Schema } from './schema-example.js';

const JSON_TYPE = 'application/json';
/** What any request may be answered with, beside what its route says. */
const ALWAYS: readonly HttpErrorCode[] = [
  'invalid_request',
  'host_not_allowed',
  'origin_not_allowed',
  'request_timeout',
  'headers_too_large',
  'internal_error',
  'shutting_down',
];
const WITH_ROLE: readonly HttpErrorCode[] = [
  'unauthenticated',
  'forbidden',
  'too_many_requests',
  'database_unavailable',
];
const WITH_ID: readonly HttpErrorCode[] = ['uri_too_long'];
const WITH_BODY: readonly HttpErrorCode[] = ['payload_too_large', 'unsupported_media_type'];

/** Before the first route is added. Returns what adds `/openapi.json`, after the last one. `version`: of the package. */
export async function documentRoutes(app: App, version: string): Promise<() => void> {
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url }) => void routes.push(`${method} ${url}`));
  app.addSchema(problemSchema);
  app.addHook('onRoute', setApart);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Extension Registry: admin API',
        version,
        description: 'Registry, breakers, health and routing of extensions. docs/http-api.md explains it.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'extreg token create' } },
      },
    },
    refResolver: { buildLocalReference: ({ $id }) => String($id) },
    transform: ({ schema, url, route }) => ({ schema: documented(schema ?? {}, route as RouteOptions), url }),
  });
  return () => openApiRoute(app, () => `${version} ${routes.join()}`);
}

/** `of`: what the document depends on, once all routes are there. */
function openApiRoute(app: App, of: () => string): void {
  let text = '';
  let tag = '';
  app.get(
    '/openapi.json',
    {
      config: { role: 'none' },
      schema: {
        operationId: 'readDocument',
        summary: 'This document',
        querystring: NO_PARAMETERS,
        response: {
          200: { description: 'OpenAPI 3.1.', content: { [JSON_TYPE]: { schema: { type: 'object' } } } },
          304: { description: 'It is as `If-None-Match` says.' },
        },
      },
    },
    async (request, reply) => {
      reply.header('etag', `"${tag}"`);
      if (hasTag(request.headers['if-none-match'], tag)) return reply.code(304).send();
      return reply.type(`${JSON_TYPE}; charset=utf-8`).send(text);
    },
  );
  // Before the first request: it takes some ten milliseconds.
  app.addHook('onReady', async () => {
    ({ text, tag } = madeOnce(of(), () => JSON.stringify(withExamples(app.swagger() as unknown as Document))));
  });
}

let last: { readonly of: string; readonly text: string; readonly tag: string } | null = null;

/** OPENAPI-2. `of`: what it depends on. */
function madeOnce(of: string, make: () => string): { readonly text: string; readonly tag: string } {
  if (last?.of !== of) {
    const text = make();
    last = { of, text, tag: createHash('sha256').update(text).digest('base64url').slice(0, 22) };
  }
  return last;
}

/** OPENAPI-2. Moves the answers that are described by their contents to where only the document looks. */
function setApart(route: RouteOptions): void {
  const response = route.schema?.response as Responses | undefined;
  if (response === undefined) return;
  const [described, serialised] = [true, false].map((isDescribed) =>
    Object.fromEntries(Object.entries(response).filter(([, one]) => (one.content !== undefined) === isDescribed)),
  );
  route.config = { ...route.config, described: described ?? {} };
  route.schema = { ...route.schema, response: serialised };
}

/** OPENAPI-1. */
function documented(schema: FastifySchema, { config, url }: RouteOptions): FastifySchema {
  const { role = 'none', body = schema.body as TSchema | undefined } = config ?? {};
  const codes = [
    ...ALWAYS,
    ...(role === 'none' ? [] : WITH_ROLE),
    ...(url.includes(':') ? WITH_ID : []),
    ...(body === undefined ? [] : WITH_BODY),
  ];
  const { querystring, ...rest } = schema;
  const hasQuery = Object.keys((querystring as TSchema & { properties?: object })?.properties ?? {}).length > 0;
  return {
    ...rest,
    ...(hasQuery ? { querystring } : {}),
    ...(body === undefined ? {} : { body: contentOf(body, config?.bodyTypes) }),
    response: responsesOf({ ...(schema.response as Responses), ...(config?.described as Responses) }, codes),
    'x-extreg-role': role,
    security: role === 'none' ? [] : [{ token: [] }, {}],
  } as FastifySchema;
}

interface Response {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema: TSchema }>>;
  readonly 'x-extreg-codes'?: readonly HttpErrorCode[];
}
type Responses = Readonly<Record<string, TSchema & Response>>;

function responsesOf(own: Responses, common: readonly HttpErrorCode[]): Record<string, object> {
  const answers = Object.entries(own).filter(([, response]) => response['x-extreg-codes'] === undefined);
  const codes = Object.values(own).flatMap((response) => response['x-extreg-codes'] ?? []);
  return {
    ...Object.fromEntries(answers.map(([status, response]) => [status, answerOf(status, response)])),
    ...problemResponses([...new Set([...codes, ...common])]),
  };
}

/** A schema, or a description of contents, as contents with an example. */
function answerOf(status: string, { description, content, ...schema }: TSchema & Response): object {
  const what = description ?? (status === '200' ? 'The answer.' : 'Done.');
  if (content === undefined && (schema as { type?: string }).type === undefined) return { description: what };
  if ((schema as { type?: string }).type === 'null') return { description: what };
  return { description: what, content: content ?? { [JSON_TYPE]: { schema: schema as TSchema } } };
}

interface Content {
  readonly schema: { readonly $ref?: string };
  example?: Json;
}
interface Answered {
  readonly content?: Readonly<Record<string, Content>>;
}
interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { requestBody?: Answered; responses: Readonly<Record<string, Answered>> }>>>
  >;
}

/** Of problems, the example is there already. */
function withExamples(document: Document): Document {
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  for (const { requestBody = {}, responses } of operations)
    for (const { content = {} } of [requestBody, ...Object.values(responses)])
      for (const one of Object.values(content))
        if (one.schema.$ref === undefined) one.example = exampleOf(one.schema as Schema);
  return document;
}

const contentOf = (schema: TSchema, types: readonly string[] = [JSON_TYPE]): object => ({
  content: Object.fromEntries(types.map((type) => [type, { schema }])),
});
