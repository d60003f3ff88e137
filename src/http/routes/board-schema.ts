// What the board, histories and failures look like, for those who read them.
import { type TSchema, Type } from '#typebox';
import { BOARD_FLAGS, BOARD_STATES } from '../../domain/board-codes.js';

const orNull = (type: string, description: string) => Type.Unsafe<unknown>({ type: [type, 'null'], description });
const column = (items: TSchema, description: string) => Type.Array(items, { description });
const count = (description: string) => Type.Integer({ description });
const numbers = (description: string) => column(orNull('number', ''), description);

export const overviewSchema = Type.Object({
  boot: Type.String({ description: 'Names this process: another one after each start.' }),
  seq: count('Grows with each change of a row.'),
  revision: orNull('integer', 'Of the registry; null before it was read.'),
  now: Type.String({ description: 'ISO 8601.' }),
  total: count('Rows.'),
  stale: count('Rows whose measurements are being read: they show those of the last time.'),
  columns: Type.Object({
    k: column(Type.Integer(), 'A number for each extension, never used again while the process lives.'),
    id: column(Type.String(), 'Extension id.'),
    type: column(Type.String(), '`pre`, `validator`, `post` or `provider`.'),
    version: column(Type.String(), 'The default version, which the rest is about.'),
    state: column(Type.Integer(), `By number from 0 on: ${BOARD_STATES.join(', ')}.`),
    flags: column(
      Type.Integer(),
      `A sum of ${BOARD_FLAGS.auto_disabled} auto-disabled, ${BOARD_FLAGS.recovering} recovering, ${BOARD_FLAGS.canary} versions with a share of the calls, ${BOARD_FLAGS.ejected_instance} an instance out of rotation, ${BOARD_FLAGS.row_refused} a row is refused, ${BOARD_FLAGS.no_call_ever} no call ever.`,
    ),
    success_rate: numbers('0..1 over the last five minutes; null without calls.'),
    p50: numbers('Median latency over the same time, ms.'),
    p95: numbers('95th percentile, ms.'),
    p99: numbers('99th percentile, ms.'),
    calls: column(Type.Number(), 'Calls per second over the last ten seconds.'),
    failed: column(Type.Number(), 'Those of them that failed.'),
    refused: column(Type.Number(), 'Those of them that were refused.'),
    since: numbers('Epoch s of the last change of `state`; null if none is known.'),
  }),
});

const lines = column(
  Type.Unsafe<unknown>({ type: ['array', 'null'], items: { type: ['number', 'null'] } }),
  'In the order of `k`, 60 values each, oldest first; null for no such extension, and where nothing happened.',
);
export const sparklinesSchema = Type.Object({
  step: count('Seconds of a slot.'),
  end: count('Epoch s: where the last slot ended.'),
  calls: lines,
  failed: lines,
});

const itemSchema = Type.Unsafe<unknown>({
  type: 'object',
  description:
    "A row as it is in force, with `in_force` (false: the daemon refused the row, and the one before holds), `refused` (why, or null) and `health` (null: the extension's row was never valid).",
  properties: {
    id: { type: 'string' },
    type: { type: ['string', 'null'] },
    in_force: { type: 'boolean' },
    refused: { type: ['array', 'null'], items: { type: 'string' } },
    health: { type: ['object', 'null'], additionalProperties: true },
  },
  required: ['id', 'type', 'in_force', 'refused', 'health'],
  additionalProperties: true,
});
export const listSchema = Type.Object({
  items: Type.Array(itemSchema),
  next: orNull('string', '`after` of the next page; null: this is the last one.'),
  total: count('Extensions that the filters select.'),
  revision: orNull('integer', 'Of the registry; null before it was read.'),
});

const markSchema = Type.Unsafe<unknown>({
  type: 'object',
  properties: {
    at: { type: 'string' },
    kind: { type: 'string' },
    version: { type: ['string', 'null'] },
    instance_id: { type: 'string' },
    reason: { type: 'string' },
    actor: { type: 'string' },
    evidence: { type: 'object', additionalProperties: true },
  },
  required: ['at', 'kind', 'version', 'actor'],
});
export const historySchema = Type.Object({
  step: count('Seconds of a slot.'),
  start: count('Epoch s: when the first slot began.'),
  calls: numbers('Attempts that succeeded or failed, per slot; null where nothing happened, here and below.'),
  failed: numbers('Those of them that failed.'),
  refused: numbers('Calls that it refused.'),
  p50: numbers('Median latency over the five minutes before the slot ended, ms.'),
  p95: numbers('95th percentile of the same, ms.'),
  p99: numbers('99th percentile of the same, ms.'),
  marks: column(markSchema, 'Transitions, verbs, and changes of rows, oldest first.'),
  begins: count('Epoch s: the first slot of ten seconds of this daemon; the numbers know nothing of before.'),
});

export const failuresSchema = Type.Object({
  failures: Type.Array(
    Type.Object({
      at: Type.String({ description: 'ISO 8601.' }),
      kind: Type.String({
        description: '`timeout`, `error` (the extension answered with a service error) or `no_responders`.',
      }),
      code: Type.Optional(count('Service error code.')),
      message: Type.Optional(Type.String({ description: 'At most 200 characters.' })),
      instance_id: orNull('string', 'null: the version has no instances of its own.'),
      attempt: orNull('integer', 'Of its call, from 1; null: an active check.'),
      duration_ms: Type.Number(),
    }),
  ),
});
