// What a daemon says of itself: the answers of `/admin/status`, `/admin/settings`, `/admin/log-levels` and `/admin/reload`.
import { type Static, type TSchema, Type } from '#typebox';

const nullableInteger = (description: string): TSchema =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], description });

const texts = Type.Array(Type.String());
const bytes = Type.Integer();
const ms = Type.Number();

export type LogLevelsShown = Static<typeof logLevelsSchema>;
export const logLevelsSchema = Type.Object({
  level: Type.String({ description: 'Of all components for which no other is set.' }),
  components: Type.Array(
    Type.Object({
      component: Type.String(),
      level: Type.String({ description: 'Lowest level that is written.' }),
      from: Type.Unsafe<'component' | 'all'>({
        enum: ['component', 'all'],
        description: 'Whether it is set for this component, or that of all.',
      }),
    }),
  ),
  changed: Type.Array(
    Type.Object({
      component: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'null: all.' }),
      until: Type.Unsafe<string | null>({
        type: ['string', 'null'],
        format: 'date-time',
        description: 'When it ends; null: when it is changed again, or with the daemon.',
      }),
    }),
    { description: 'What was set while the daemon runs.' },
  ),
});

export type DaemonStatus = Static<typeof statusSchema>;
export const statusSchema = Type.Object({
  version: Type.String(),
  boot: Type.String({ description: 'Of this process: another one after each start.' }),
  started_at: Type.String({ format: 'date-time' }),
  registry_revision: Type.Unsafe<number | null>(
    nullableInteger('Of the registry in force; null before the first reading.'),
  ),
  registry_lag_ms: Type.Unsafe<number | null>(
    nullableInteger('Since the database last said that there is no newer one; null: it never did.'),
  ),
  readiness: Type.Object({
    ready: Type.Boolean(),
    waiting_for: texts,
    reasons: texts,
    degraded: Type.Array(Type.String(), { description: 'What is away while calls are served.' }),
  }),
  mass_failure: Type.Boolean({ description: 'Nothing is disabled automatically.' }),
  admission: Type.Object(
    {
      overloaded: Type.Boolean({ description: 'A call was refused within the last ten seconds.' }),
      queue_delay_ms: Type.Unsafe<number | null>({
        type: ['number', 'null'],
        description: 'How long a call waits for the daemon; null: admission is off, and nothing is measured.',
      }),
      refused_share: Type.Number({ description: 'Of the calls of the last second, 0 to 1.' }),
      refused_total: Type.Integer(),
    },
    { description: 'What is refused because more calls arrive than the daemon can serve.' },
  ),
  extensions: Type.Object({
    total: Type.Integer(),
    enabled: Type.Integer(),
    healthy: Type.Integer(),
    unhealthy: Type.Integer(),
  }),
  in_flight: Type.Integer(),
  owed: Type.Object(
    {
      replies: Type.Integer(),
      auto_changes: Type.Integer(),
      verbs: Type.Integer(),
      audit_facts: Type.Integer(),
      webhooks: Type.Integer(),
    },
    { description: 'What waits to be sent or written.' },
  ),
  streams: Type.Optional(Type.Integer({ description: 'Event streams that are open; absent: there are none.' })),
  viewers: Type.Integer({ description: 'Of statecharts.' }),
  memory: Type.Object({
    rss_bytes: bytes,
    heap_used_bytes: bytes,
    heap_total_bytes: bytes,
    external_bytes: bytes,
  }),
  loop_delay: Type.Object(
    { seconds: Type.Integer(), p50_ms: ms, p99_ms: ms, max_ms: ms },
    { description: 'How late the event loop was in the last one to two minutes.' },
  ),
  history_begins: Type.Optional(
    Type.String({ format: 'date-time', description: 'Absent: there is no history of numbers.' }),
  ),
});

export type SettingsAnswer = Static<typeof settingsSchema>;
export const settingsSchema = Type.Object({
  settings: Type.Array(
    Type.Object({
      key: Type.String(),
      value: Type.Unknown({ description: 'In force; secrets are `***`.' }),
      origin: Type.String({ description: '`default`, or the flag, environment variable or file that gives it.' }),
    }),
  ),
});

export type ReloadReport = Static<typeof reloadSchema>;
export const reloadSchema = Type.Object({
  registry_revision: Type.Integer(),
  started: Type.Integer({ description: 'Extensions that run from now on.' }),
  updated: Type.Integer(),
  removed: Type.Integer(),
  held: Type.Integer({
    description: 'Extensions that are gone, and held: more than half of all. `force` removes them.',
  }),
  needs_restart: Type.Array(Type.String(), {
    description: 'Settings that have another value in file or environment than in force.',
  }),
  configuration_problems: Type.Array(Type.String(), {
    description: 'Why file and environment cannot be compared with what is in force.',
  }),
});
