// The JSON of an explanation as a schema, which fastify serialises by. Fields as in domain/routing/explanation.ts; a test compares what
// goes in with what comes out.
import { type TSchema, Type } from '#typebox';
import type { Explanation } from '../../domain/routing/explanation.js';
import { orNull } from '../app/strict-body.js';

const objectOrNull = (properties: Record<string, TSchema>): TSchema =>
  Type.Unsafe({ type: ['object', 'null'], properties });

export const explanationSchema = Type.Unsafe<Explanation>(
  Type.Object({
    extension_id: Type.String(),
    // Not by a pattern, which would leave out keys with line breaks.
    context: Type.Unsafe({ type: 'object', additionalProperties: { type: 'string' } }),
    unused: Type.Array(Type.String()),
    chosen: objectOrNull({ version: Type.String(), by: Type.String() }),
    rollout: objectOrNull({ key: orNull('string'), value: orNull('string') }),
    versions: Type.Array(
      Type.Object({
        version: Type.String(),
        verdict: Type.String(),
        percent: orNull('number'),
        unmet: objectOrNull({ key: Type.String(), wanted: Type.Array(Type.String()), got: orNull('string') }),
      }),
    ),
    candidates: Type.Array(
      Type.Object({
        extension_id: Type.String(),
        version: Type.String(),
        why: Type.String(),
        verdict: Type.String(),
        reason: orNull('string'),
        circuit_breaker_state: Type.String(),
        success_rate: orNull('number'),
        passed_over: Type.Boolean(),
        instances: Type.Array(
          Type.Object({
            id: Type.String(),
            subject: Type.String(),
            weight: Type.Number(),
            share: Type.Number(),
            verdict: Type.String(),
          }),
        ),
      }),
    ),
    skipped: Type.Array(Type.Object({ extension_id: Type.String(), reason: Type.String() })),
    // Those of `taken` or those of `refused`; a union of schemas is serialised by trial.
    answer: Type.Object({
      kind: Type.String(),
      extension_id: Type.Optional(Type.String()),
      version: Type.Optional(Type.String()),
      instance_id: Type.Optional(orNull('string')),
      subject: Type.Optional(Type.String()),
      code: Type.Optional(Type.String()),
      reason: Type.Optional(orNull('string')),
      message: Type.Optional(Type.String()),
    }),
  }),
);
