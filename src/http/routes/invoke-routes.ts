// `POST /admin/extensions/:id/invoke`: a real call, as a caller would make it.
//
// INVOKE-ROUTES-1. The body of an answer is shown up to MAX_BODY_BYTES, as text if that is valid UTF-8, else as base64.
import { TextDecoder } from 'node:util';
import { Type } from '#typebox';
import type { InvokeExtension } from '../../actors/ports/invoke.js';
import {
  isJsonMap,
  type Json,
  type JsonMap,
  stringifyExactJson,
  withoutExactNumbers,
} from '../../domain/exact-json.js';
import { orNull } from '../../domain/registry/answer-schema.js';
import type { App } from '../app/app.js';
import { extensionId, ID_PARAMS } from '../app/path-id.js';
import { HttpProblem, problems } from '../app/problem.js';
import { NO_PARAMETERS } from '../app/query-string.js';
import { strictly } from '../app/strict-body.js';
import { readsExactJson } from './row-request.js';

const MAX_BODY_BYTES = 65_536;
/** Less than an HTTP connection may be silent. */
const MAX_TIMEOUT_MS = 25_000;

const texts = (description: string) =>
  Type.Optional(Type.Record(Type.String({ minLength: 1 }), Type.String({ maxLength: 4096 }), { description }));
const bodySchema = Type.Object(
  {
    payload: Type.Unknown({ description: 'Any JSON: the body of the call.' }),
    context: texts('By key: tenant_id, policy_id, environment, routing_key and whatever rules ask for.'),
    headers: texts('Further headers of the call. None that the daemon sets itself.'),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_TIMEOUT_MS,
        description: 'The budget; 20 s without one, or what the daemon allows.',
      }),
    ),
  },
  { additionalProperties: false },
);
const judge = strictly(bodySchema);

const answerSchema = Type.Object({
  ok: Type.Boolean({ description: 'The extension answered.' }),
  error: Type.Optional(
    Type.Object(
      {
        code: Type.String(),
        message: Type.String(),
        extension_id: Type.String(),
        retryable: Type.Boolean(),
        retry_after_ms: Type.Optional(Type.Integer()),
        details: Type.Optional(Type.Object({}, { additionalProperties: true })),
      },
      { description: 'As a caller gets it; docs/errors.md.' },
    ),
  ),
  version: orNull('string'),
  instance_id: orNull('string'),
  attempts: orNull<number>('integer'),
  duration_ms: Type.Number(),
  headers: Type.Object({}, { additionalProperties: { type: 'string' }, description: 'Of the answer.' }),
  body: Type.String(),
  body_encoding: Type.String({ enum: ['utf-8', 'base64'] }),
  truncated: Type.Boolean({
    description: `The body has more than ${MAX_BODY_BYTES} bytes; the first of them are here.`,
  }),
});

export function invokeRoutes(app: App, invoke: InvokeExtension): void {
  app.register(async (scope) => {
    const own = scope as unknown as App;
    readsExactJson(own);
    invokeRoute(own, invoke);
  });
}

function invokeRoute(app: App, invoke: InvokeExtension): void {
  app.post(
    '/admin/extensions/:id/invoke',
    {
      config: { role: 'operator', body: bodySchema },
      schema: {
        operationId: 'invoke',
        summary: 'Call the extension, as a caller would; the call counts like any other',
        params: ID_PARAMS,
        querystring: NO_PARAMETERS,
        response: { 200: answerSchema, ...problems('shutting_down') },
      },
    },
    async (request) => {
      const id = extensionId(request.params);
      const { payload, ...given } = fieldsOf(request.body as Json | undefined);
      const answer = await invoke({
        extensionId: id,
        body: Buffer.from(stringifyExactJson(payload)),
        context: given.context ?? {},
        headers: given.headers ?? {},
        timeoutMs: given.timeout_ms ?? null,
      });
      if (answer.kind !== 'answered') throw new HttpProblem(answer.kind, answer.message);
      const { error, version, instanceId, attempts, durationMs, headers, body } = answer;
      return {
        ok: error === null,
        ...(error === null ? {} : { error: { ...error, details: { ...error.details } } }),
        version,
        instance_id: instanceId,
        attempts,
        duration_ms: Math.round(durationMs * 1000) / 1000,
        headers,
        ...shownBody(body),
      };
    },
  );
}

interface Fields {
  readonly payload: Json;
  readonly context?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly timeout_ms?: number;
}

function fieldsOf(body: Json | undefined): Fields {
  if (!isJsonMap(body) || !Object.hasOwn(body, 'payload'))
    throw new HttpProblem('invalid_request', 'the body must be a JSON object with payload, which is any JSON');
  const { payload = null, ...rest } = body as JsonMap;
  const judged = judge({ ...(withoutExactNumbers(rest) as object), payload: null });
  if ('error' in judged) throw new HttpProblem('invalid_request', judged.error.message);
  return { ...(judged.value as Fields), payload };
}

/** INVOKE-ROUTES-1. */
function shownBody(body: Uint8Array) {
  const shown = body.subarray(0, MAX_BODY_BYTES);
  const truncated = shown.length < body.length;
  try {
    // What is cut may end within a character, which a decoder that is to be continued keeps back.
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(shown, { stream: truncated });
    return { body: decoded, body_encoding: 'utf-8', truncated };
  } catch {
    return { body: Buffer.from(shown).toString('base64'), body_encoding: 'base64', truncated };
  }
}
