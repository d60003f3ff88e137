// The request and the answer of a replay: one schema for the API, its documentation and the commands.
import { type Static, Type } from '#typebox';

const strict = { additionalProperties: false } as const;

/** What a replay cannot know, for those who read its result. */
export const REPLAY_LIMITS = [
  'Calls that were refused while the breaker was open are not recorded: a laxer policy would have sent them, and how they had ended is not known.',
  'An attempt that a stricter policy would have refused takes no part in the replay; where it would have gone instead is not known.',
  'Ejections and overdue attempts are taken as they were found, whatever the policy says about them.',
  'The record is in memory: it began with the daemon, or when policy.record was set, and holds the last entries only.',
] as const;

export const replayRequestSchema = Type.Object(
  {
    policy: Type.Object(
      {},
      {
        additionalProperties: true,
        examples: [{ breaker: { failure_threshold: 3, slow_call_ms: 800 } }],
        description: 'A whole policy, as `PUT …/policy` takes it.',
      },
    ),
    since: Type.Optional(
      Type.String({
        maxLength: 40,
        examples: ['2026-01-27T12:00:00Z'],
        description:
          'ISO 8601. Only what was from then on is reported; what is recorded from before is replayed nevertheless.',
      }),
    ),
  },
  strict,
);

const evidence = Type.Object({
  failures: Type.Integer(),
  outcomes: Type.Integer(),
  slow: Type.Integer(),
  overdue: Type.Integer(),
  error_rate: Type.Union([Type.Number(), Type.Null()]),
  window_seconds: Type.Number(),
  first_failure: Type.Union([Type.String(), Type.Null()]),
  last_failure: Type.Union([Type.String(), Type.Null()]),
});

const trips = (description: string) =>
  Type.Object(
    {
      count: Type.Integer({ minimum: 0, description: 'All of them.' }),
      trips: Type.Array(
        Type.Object({
          at: Type.String({ description: 'ISO 8601, wall clock.' }),
          reason: Type.String({ description: 'As in `circuit_opened`.' }),
          reopened: Type.Boolean({ description: 'From half-open.' }),
          evidence: Type.Union([evidence, Type.Null()], {
            description: 'What the rules saw; null for what happened, whose evidence is in the events.',
          }),
        }),
        { description: 'The first 1000.' },
      ),
    },
    { description },
  );

export type ReplayAnswer = Static<typeof replayAnswerSchema>;
export const replayAnswerSchema = Type.Object({
  extension_id: Type.String(),
  version: Type.String({ description: 'The default version: its breaker is replayed.' }),
  recorded: Type.Object({
    attempts: Type.Integer({ minimum: 0, description: 'Settled attempts that were replayed.' }),
    entries: Type.Integer({ minimum: 1, description: 'With ticks, probes and transitions, which have entries too.' }),
    capacity: Type.Integer({ minimum: 1, description: 'Entries that the record can hold: `policy.record`.' }),
    from: Type.String({ description: 'Of the first entry.' }),
    to: Type.String({ description: 'Of the last entry.' }),
    whole: Type.Boolean({
      description: 'False: earlier entries were overwritten, so the replay begins closed and with an empty window.',
    }),
  }),
  would_open: trips('When the breaker would have opened under the policy that was given.'),
  opened: trips('When it opened.'),
  limits: Type.Array(Type.String(), { description: 'What the replay cannot know.' }),
});
