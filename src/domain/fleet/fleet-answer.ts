// What a replica knows of its fleet: the answer of `GET /admin/fleet` and of the admin verb `fleet`.
import { type Static, Type } from '#typebox';

/** Whose word breakers obey. `lone`: no other replica is live; `private`: each replica decides for itself. */
const SCOPES = ['lone', 'private'] as const;
/** Why. */
const REASONS = ['off', 'joining', 'not_connected', 'not_permitted', 'no_peer', 'no_records'] as const;
export type Scope = (typeof SCOPES)[number];
export type ScopeReason = (typeof REASONS)[number];

const nullableInteger = (description: string) => Type.Unsafe<number | null>({ type: ['integer', 'null'], description });

export type ReplicaRow = Static<typeof replicaSchema>;
const replicaSchema = Type.Object({
  id: Type.String({ description: 'Its name.' }),
  incarnation: Type.String({ description: 'Another one after each start.' }),
  self: Type.Boolean({ description: 'The replica that answers.' }),
  live: Type.Boolean({ description: 'Heard within the last 3.5 seconds, and not leaving.' }),
  version: Type.String(),
  host: Type.String(),
  pid: Type.Integer(),
  http: Type.String({ description: 'Address of its admin API, as it sees it.' }),
  up_s: Type.Integer({ description: 'Seconds since it started.' }),
  scope: Type.String({ description: '`lone` or `private`, as it says of itself.' }),
  revision: Type.Unsafe<number | null>(
    nullableInteger('Of the registry in force there; null before its first reading.'),
  ),
  behind: Type.Unsafe<number | null>(
    nullableInteger('Revisions that the furthest replica has and this one has not; null if its own is not known.'),
  ),
  rps: Type.Number({ description: 'Calls per second.' }),
  in_flight: Type.Integer(),
  lag_ms: Type.Number({ description: 'How late its event loop is, 99th percentile.' }),
  targets: Type.Integer(),
  draining: Type.Boolean({ description: 'It leaves: it accepts no new calls.' }),
});

export type FleetAnswer = Static<typeof fleetSchema>;
export const fleetSchema = Type.Object({
  self: Type.String({ description: 'Name of the replica that answers.' }),
  scope: Type.Unsafe<Scope>({
    enum: [...SCOPES],
    description: '`lone`: no other replica is live; `private`: others are, and each judges its breakers for itself.',
  }),
  reason: Type.Unsafe<ScopeReason>({
    enum: [...REASONS],
    description:
      '`off`: by the setting; `joining`: others have 300 ms to answer; `not_connected`, `not_permitted`: by NATS; `no_peer`: none answered; `no_records`: nothing is agreed on.',
  }),
  since: Type.String({ format: 'date-time', description: 'Of scope and reason.' }),
  replicas: Type.Array(replicaSchema, { description: 'By name, this one included.' }),
});
