// The registry's tables as Drizzle sees them. Column names keep their spelling here and nowhere else; a test compares this
// file with the catalogue of a migrated database, both ways.
// Nullability is that of a new database: an adopted one may hold null in columns that are not nullable here (registry-queries.ts handles it).
import { sql } from '#drizzle-orm';
import {
  type AnyPgColumn,
  bigint,
  boolean,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
  varchar,
} from '#drizzle-orm/pg-core';

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' });
const count = (name: string) => bigint(name, { mode: 'number' });
const identity = (name: string) => uuid(name).notNull().default(sql`gen_random_uuid()`);
const latency = (name: string) => numeric(name, { precision: 10, scale: 2, mode: 'number' });

export const extensions = pgTable('extensions', {
  id: varchar('id', { length: 255 }).primaryKey(),
  type: varchar('type', { length: 32 }).notNull(),
  subject: varchar('subject', { length: 512 }).notNull(),
  timeout_ms: integer('timeout_ms').notNull().default(5000),
  retry: integer('retry').notNull().default(0),
  enabled: boolean('enabled').notNull().default(true),
  version: varchar('version', { length: 32 }).notNull().default('v1'),
  config: jsonb('config').default({}),
  metadata: jsonb('metadata').default({}),
  created_at: instant('created_at').defaultNow(),
  updated_at: instant('updated_at').defaultNow(),
  created_by: varchar('created_by', { length: 255 }),
  updated_by: varchar('updated_by', { length: 255 }),
  policy: jsonb('policy'),
  auto_disabled: boolean('auto_disabled').notNull().default(false),
  breaker_override: varchar('breaker_override', { length: 16 }),
  revision: count('revision').notNull().default(1),
  breaker_resets: integer('breaker_resets').notNull().default(0),
  uid: identity('uid'),
  policy_uid: uuid('policy_uid'),
});

export const extensionVersions = pgTable(
  'extension_versions',
  {
    id: varchar('id', { length: 255 })
      .notNull()
      .references(() => extensions.id, { onDelete: 'cascade' }),
    version: varchar('version', { length: 32 }).notNull(),
    subject: varchar('subject', { length: 512 }).notNull(),
    timeout_ms: integer('timeout_ms').notNull().default(5000),
    retry: integer('retry').notNull().default(0),
    config: jsonb('config').default({}),
    metadata: jsonb('metadata').default({}),
    routing_rules: jsonb('routing_rules').default({}),
    enabled: boolean('enabled').notNull().default(true),
    created_at: instant('created_at').defaultNow(),
    rollout_percent: numeric('rollout_percent', { precision: 5, scale: 2, mode: 'number' }),
    rollout_key: varchar('rollout_key', { length: 255 }),
    revision: count('revision').notNull().default(1),
    breaker_override: varchar('breaker_override', { length: 16 }),
    breaker_resets: integer('breaker_resets').notNull().default(0),
    uid: identity('uid'),
  },
  (table) => [primaryKey({ columns: [table.id, table.version] })],
);

export const extensionInstances = pgTable(
  'extension_instances',
  {
    extension_id: varchar('extension_id', { length: 255 })
      .notNull()
      .references(() => extensions.id, { onDelete: 'cascade' }),
    instance_id: varchar('instance_id', { length: 255 }).notNull(),
    subject: varchar('subject', { length: 512 }).notNull(),
    weight: integer('weight').default(100),
    enabled: boolean('enabled').notNull().default(true),
    health_status: varchar('health_status', { length: 32 }).default('unknown'),
    last_health_check: instant('last_health_check'),
    version: varchar('version', { length: 32 }),
    revision: count('revision').notNull().default(1),
    uid: identity('uid'),
    health_report: uuid('health_report'),
  },
  (table) => [primaryKey({ columns: [table.extension_id, table.instance_id] })],
);

/** Measured and published facts of each extension's default target. The threshold columns are read, never written. */
export const extensionHealth = pgTable('extension_health', {
  extension_id: varchar('extension_id', { length: 255 })
    .primaryKey()
    .references(() => extensions.id, { onDelete: 'cascade' }),
  last_success: instant('last_success'),
  last_failure: instant('last_failure'),
  success_count: count('success_count').default(0),
  failure_count: count('failure_count').default(0),
  avg_latency_ms: latency('avg_latency_ms'),
  last_latency_ms: latency('last_latency_ms'),
  circuit_breaker_state: varchar('circuit_breaker_state', { length: 32 }).default('closed'),
  circuit_breaker_opened_at: instant('circuit_breaker_opened_at'),
  circuit_breaker_failure_threshold: integer('circuit_breaker_failure_threshold'),
  updated_at: instant('updated_at').defaultNow(),
  p50_latency_ms: latency('p50_latency_ms'),
  p95_latency_ms: latency('p95_latency_ms'),
  p99_latency_ms: latency('p99_latency_ms'),
  latency_samples: count('latency_samples').default(0),
  latency_sum: count('latency_sum').default(0),
  latency_samples_window_start: instant('latency_samples_window_start').defaultNow(),
  circuit_breaker_error_rate_threshold: numeric('circuit_breaker_error_rate_threshold', {
    precision: 5,
    scale: 2,
    mode: 'number',
  }),
  circuit_breaker_window_seconds: integer('circuit_breaker_window_seconds'),
  half_open_max_requests: integer('half_open_max_requests'),
  half_open_requests_count: integer('half_open_requests_count').default(0),
  auto_disabled: boolean('auto_disabled').default(false),
  circuit_breaker_open_until: instant('circuit_breaker_open_until'),
  circuit_breaker_trips: integer('circuit_breaker_trips').notNull().default(0),
  circuit_breaker_epoch: count('circuit_breaker_epoch').notNull().default(0),
  /** The version whose breaker it is; null: written before this column existed. */
  version: varchar('version', { length: 32 }),
});

/** The same facts for every other target, by version name. */
export const extensionVersionHealth = pgTable(
  'extension_version_health',
  {
    extension_id: varchar('extension_id', { length: 255 })
      .notNull()
      .references(() => extensions.id, { onDelete: 'cascade' }),
    version: varchar('version', { length: 32 }).notNull(),
    last_success: instant('last_success'),
    last_failure: instant('last_failure'),
    success_count: count('success_count').notNull().default(0),
    failure_count: count('failure_count').notNull().default(0),
    avg_latency_ms: latency('avg_latency_ms'),
    last_latency_ms: latency('last_latency_ms'),
    p50_latency_ms: latency('p50_latency_ms'),
    p95_latency_ms: latency('p95_latency_ms'),
    p99_latency_ms: latency('p99_latency_ms'),
    latency_samples: count('latency_samples').notNull().default(0),
    latency_sum: count('latency_sum').notNull().default(0),
    latency_samples_window_start: instant('latency_samples_window_start'),
    circuit_breaker_state: varchar('circuit_breaker_state', { length: 32 }).notNull().default('closed'),
    circuit_breaker_opened_at: instant('circuit_breaker_opened_at'),
    circuit_breaker_open_until: instant('circuit_breaker_open_until'),
    circuit_breaker_trips: integer('circuit_breaker_trips').notNull().default(0),
    circuit_breaker_epoch: count('circuit_breaker_epoch').notNull().default(0),
    half_open_requests_count: integer('half_open_requests_count').notNull().default(0),
    auto_disabled: boolean('auto_disabled').notNull().default(false),
    updated_at: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.extension_id, table.version] })],
);

/** The audit trail, which is the change record too: `revision` is null for facts that are no change of the registry. */
export const extensionAuditLog = pgTable('extension_audit_log', {
  id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  extension_id: varchar('extension_id', { length: 255 }).notNull(),
  action: varchar('action', { length: 64 }).notNull(),
  old_values: jsonb('old_values'),
  new_values: jsonb('new_values'),
  changed_by: varchar('changed_by', { length: 255 }),
  changed_at: instant('changed_at').notNull().defaultNow(),
  reason: text('reason'),
  revision: count('revision'),
  /** Of the revision, and of the one before it. */
  token: uuid('token'),
  follows: uuid('follows'),
});

/** One row: the number of the last committed change, its random token, and which history of which database it belongs to. */
export const registryRevision = pgTable('registry_revision', {
  one: boolean('one').primaryKey().default(true),
  revision: count('revision').notNull().default(0),
  history: identity('history'),
  token: identity('token'),
  follows: uuid('follows'),
});

/** Written by a trigger alone: which slots of the rollout each version has. */
export const extensionRollouts = pgTable('extension_rollouts', {
  extension_id: varchar('extension_id', { length: 255 }).primaryKey(),
  slots: jsonb('slots').notNull(),
  seen: text('seen').notNull(),
});

/** One row for each process of a daemon: the number of its last health flush, the rows that it did not write, and when it wrote last. */
export const extensionHealthWriters = pgTable('extension_health_writers', {
  writer: uuid('writer').primaryKey(),
  flush: count('flush').notNull(),
  refused: jsonb('refused'),
  written_at: instant('written_at').notNull().defaultNow(),
});

/** Who may use the admin API. */
export const extensionTokens = pgTable('extension_tokens', {
  id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
  name: varchar('name', { length: 64 }).notNull(),
  role: varchar('role', { length: 16 }).notNull(),
  kind: varchar('kind', { length: 16 }).notNull().default('token'),
  /** SHA256 of its text, in hexadecimal digits. */
  hash: varchar('hash', { length: 64 }).notNull(),
  /** Whose it is, and with which it goes: of a sign-in. */
  parent: uuid('parent').references((): AnyPgColumn => extensionTokens.id, { onDelete: 'cascade' }),
  created_at: instant('created_at').notNull().defaultNow(),
  created_by: varchar('created_by', { length: 255 }).notNull(),
  expires_at: instant('expires_at'),
  last_used_at: instant('last_used_at'),
});
