// The one table of settings: name, range, default and what each does. config.ts reads it, the command line makes its
// options from it, and docs/configuration.md is compared with it by a test.
//
// SCHEMA-1. A setting is here only while something obeys it.
// SCHEMA-2. Units are in the names; a range that a schema states is not stated again in words.
// SCHEMA-3. null as default means unset; only such settings are ever null in a Config.
//
// Long: a table, one entry per setting.
import { type Static, type TSchema, Type } from '#typebox';
import { EVENT_KINDS, type EventKind } from '../domain/registry/events.js';
import { BREAKER_SETTINGS, MAX_TIMER_SECONDS } from '../domain/registry/policy.js';
import { REPLICA_ID } from '../domain/registry/subject-rules.js';
import { CONTEXT_SOURCES } from '../nats/intake/caller-context.js';
import { LOG_COMPONENTS, LOG_LEVELS } from '../telemetry/log-levels.js';

export const ENV_PREFIX = 'EXTENSION_REGISTRY_';

/** What a setting is, beyond its schema and its default. */
interface Traits {
  /** A standard name that serves beside the prefixed one. */
  readonly env?: string;
  /** Another key for the same setting; both given and different is a problem. */
  readonly alias?: string;
  /** Never printed. `url`: only the password within it. `path`: of a list of URLs, all but scheme and host. */
  readonly secret?: true | 'url' | 'path';
  /** `file`: must be readable at start. Both are resolved against the working directory. */
  readonly path?: 'file' | 'directory';
  /** What is expected, if the schema has only a pattern. */
  readonly expected?: string;
  /** The word for a list without items, if that is not the default; in a file `[]` means the same. */
  readonly emptyList?: string;
  /** The default in words, if it depends on something. */
  readonly defaultText?: string;
}

export interface Setting extends Traits {
  readonly schema: TSchema;
  readonly default: unknown;
}

function setting<S extends TSchema, D extends Static<S> | null>(schema: S, defaultValue: D, traits: Traits = {}) {
  return { schema, default: defaultValue, ...traits } as Traits & { readonly schema: S; readonly default: D };
}

const text = (description: string) =>
  Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]+$', maxLength: 4096, description });
const seconds = (minimum: number, maximum: number, description: string) =>
  Type.Number({ minimum, maximum: Math.min(maximum, MAX_TIMER_SECONDS), description });
const count = (minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, description });

const TOKENS = '[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*';
export const POSTGRES_URL = '^postgres(ql)?://[^\\s\\u0000-\\u001f]+$';
const NATS_SERVER =
  '((nats|tls)://)?([^\\s/,@\\u0000-\\u001f]+@)?([A-Za-z0-9_.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?/?';
const NATS_URL = `^${NATS_SERVER}(\\s*,\\s*${NATS_SERVER})*$`;

/** What looks like an encoded key has to be one: no receiver could verify what another key signs. */
const WEBHOOK_SECRET =
  '^(?:(?!whsec_)[\\s\\S]+|whsec_(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4}))$';

const LOG_LEVEL_OF = `^(?:${LOG_COMPONENTS.join('|')})=(?:${LOG_LEVELS.join('|')})$`;

/** What an operator is paged for; the rest follows from these, or is for the log. */
const PAGING_EVENTS: readonly EventKind[] = [
  'circuit_opened',
  'circuit_closed',
  'auto_disabled',
  'auto_enabled',
  'version_opened',
  'registry_row_rejected',
  'registry_history_changed',
  'mass_removal_held',
  'mass_failure',
  'mass_failure_ended',
  'overload',
  'overload_ended',
  'actor_failed',
  'verb_void',
];

const SETTINGS = {
  database_url: setting(
    Type.String({
      pattern: POSTGRES_URL,
      description: 'PostgreSQL to use; unset, with no `db_host` either: the embedded database in `data_dir`.',
    }),
    null,
    { env: 'DATABASE_URL', secret: 'url', expected: 'postgres://user:password@host:port/name' },
  ),
  database_direct_url: setting(
    Type.String({
      pattern: POSTGRES_URL,
      description: 'Direct connection past a transaction pooler, for migrations and the change feed.',
    }),
    null,
    {
      secret: 'url',
      expected: 'postgres://user:password@host:port/name',
      defaultText: 'the same as the database',
    },
  ),
  database_pooler: setting(
    Type.Boolean({ description: 'True: the database is behind a transaction pooler, so statements are not prepared.' }),
    false,
  ),
  db_host: setting(
    Type.String({
      pattern: '^/?[^\\s@?#,\\u0000-\\u001f\\u007f]+$',
      description: 'Host of the database, or directory of its socket, if `database_url` is not set.',
    }),
    null,
    { expected: 'a host name, an address or the directory of a socket' },
  ),
  db_port: setting(count(1, 65_535, 'Port of the database.'), 5432),
  db_name: setting(text('Name of the database.'), 'extension_registry'),
  db_user: setting(text('User of the database.'), 'extension_registry'),
  db_password: setting(text("The user's password."), null, { secret: true }),
  db_sslmode: setting(
    Type.Enum(['disable', 'prefer', 'require', 'verify-full'], {
      description: 'TLS towards the database; a `sslmode` in `database_url` wins over it.',
    }),
    null,
    { defaultText: '`prefer`; `disable` on loopback' },
  ),
  migrate: setting(
    Type.Boolean({
      description: 'False: the schema is checked at start, not changed; the start fails if it does not fit.',
    }),
    true,
  ),
  nats_url: setting(
    Type.String({
      pattern: NATS_URL,
      description:
        'NATS servers, separated by commas, with user and password or token if needed; unset: an embedded nats-server on loopback.',
    }),
    null,
    { env: 'NATS_URL', secret: 'url', expected: 'nats://host:port or tls://host:port, several separated by commas' },
  ),
  nats_token: setting(text('Token for NATS.'), null, { secret: true }),
  nats_token_file: setting(text('File with that token, one line, in place of `nats_token`.'), null, { path: 'file' }),
  nats_user: setting(text('User for NATS.'), null),
  nats_password: setting(text('Password of that user.'), null, { secret: true }),
  nats_password_file: setting(text('File with that password, one line, in place of `nats_password`.'), null, {
    path: 'file',
  }),
  nats_nkey_seed_file: setting(text('File with the nkey seed for NATS.'), null, { path: 'file' }),
  nats_creds_file: setting(text('Credentials file (JWT with nkey) for NATS.'), null, { path: 'file' }),
  nats_tls_ca_file: setting(text('Certificate authority that the NATS server is checked against.'), null, {
    path: 'file',
  }),
  nats_tls_cert_file: setting(text('Our certificate for NATS.'), null, { path: 'file' }),
  nats_tls_key_file: setting(text('Key of that certificate.'), null, { path: 'file' }),
  nats_direct_io: setting(
    Type.Boolean({
      description:
        'True: messages are read from and written to the socket of the NATS client directly. False: through the client, which costs more per message.',
    }),
    true,
  ),
  fleet: setting(
    Type.Enum(['auto', 'off', 'required'], {
      description:
        'Whether this daemon and others with the same NATS and `subject_prefix` are one fleet (docs/scaling.md). `auto`: as soon as another one is heard; `off`: it says and hears nothing; `required`: `/readyz` is 503 while no other one is heard.',
    }),
    'auto',
  ),
  replica_id: setting(
    Type.String({
      pattern: REPLICA_ID,
      description: 'Name of this daemon in its fleet; each has one of its own.',
    }),
    null,
    {
      expected: 'one token of a NATS subject: 1..64 characters of A-Z a-z 0-9 _ -',
      defaultText: 'the name of the host and 4 random digits',
    },
  ),
  data_dir: setting(text('Holds the embedded database, the last good snapshot and `daemon.json`.'), '.extreg', {
    path: 'directory',
  }),
  http_host: setting(
    text('Address of the admin API; beyond loopback, a start needs an access token (docs/access.md).'),
    '127.0.0.1',
  ),
  http_port: setting(count(0, 65_535, 'Port of the admin API; 0 = one that is free.'), 8420),
  http_auth: setting(
    Type.Enum(['auto', 'required'], {
      description:
        'When the admin API asks for an access token; `auto`: on loopback as soon as there is one, elsewhere always; `required`: always.',
    }),
    'auto',
  ),
  http_hosts: setting(
    Type.Array(Type.String({ pattern: '^([A-Za-z0-9_.-]+|\\[[0-9a-fA-F:.]+\\])$', maxLength: 255 }), {
      uniqueItems: true,
      description: 'Names, beside loopback and `http_host`, that the Host header of a request may have.',
    }),
    [],
    { expected: 'host names or addresses without ports, IPv6 in brackets' },
  ),
  http_public_url: setting(
    Type.String({
      pattern: '^https?://([A-Za-z0-9_.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?$',
      description: 'Where browsers reach the admin API, if a proxy stands before it.',
    }),
    null,
    { expected: 'http or https, a host and perhaps a port, such as https://registry.example' },
  ),
  inspector_url: setting(
    Type.String({
      pattern: '^https?://([A-Za-z0-9_.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/?!$&()*+,=:@%-]*)?$',
      maxLength: 1000,
      description:
        'Page of a hosted XState inspector, which `/ui/bridge` shows in a frame and sends frames to once its user agrees; unset: none.',
    }),
    null,
    { expected: 'the address of a page, such as https://stately.ai/inspect' },
  ),
  http_tls_cert_file: setting(
    text('Certificate of the admin API, with those between it and its root; read again on SIGHUP.'),
    null,
    {
      path: 'file',
    },
  ),
  http_tls_key_file: setting(text('Key of that certificate.'), null, { path: 'file' }),
  metrics_open: setting(Type.Boolean({ description: 'Whether `/metrics` is read without an access token.' }), null, {
    defaultText: '`true` on loopback, `false` elsewhere',
  }),
  metrics_series_max: setting(
    count(
      0,
      100_000_000,
      'Series of extensions on one page of `/metrics`; extensions beyond it are left out and counted. 0: no cap.',
    ),
    5_000_000,
  ),
  environment: setting(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,64}$',
      description:
        "Name of the environment, for routing and as `Extreg-Environment` for extensions, in place of the caller's word.",
    }),
    null,
    { expected: 'up to 64 printable ASCII characters, such as prod' },
  ),
  context_from: setting(
    Type.Array(Type.Enum([...CONTEXT_SOURCES]), {
      uniqueItems: true,
      description:
        'Sources of the context of a call that are trusted, in order: the first that has a value wins; `none` = no source (docs/routing.md).',
    }),
    [...CONTEXT_SOURCES],
    { emptyList: 'none', expected: `some of ${CONTEXT_SOURCES.join(', ')}, each once, or none alone` },
  ),
  context_body_max_bytes: setting(
    count(0, 1_048_576, 'Largest body that is looked into for what routing needs and no header gives; 0 = none is.'),
    65_536,
  ),
  subject_prefix: setting(
    Type.String({
      pattern: `^(?!_)${TOKENS}$`,
      maxLength: 128,
      description: 'First tokens of every NATS subject of the daemon.',
    }),
    'extreg.v1',
    { expected: 'subject tokens of letters, digits, _ and -, separated by dots, the first not beginning with _' },
  ),
  subject_prefixes: setting(
    Type.Array(Type.String({ pattern: `^${TOKENS}$`, maxLength: 128 }), {
      description: 'Subjects of extensions must begin with one of these; empty = any.',
    }),
    [],
    { expected: 'subject tokens separated by dots, without wildcards' },
  ),
  reply_prefixes: setting(
    Type.Array(Type.String({ pattern: '^[A-Za-z0-9_.-]+$', maxLength: 128 }), {
      description: 'A caller’s reply subject must begin with one of these, or the request is not accepted.',
    }),
    ['_INBOX', '_R_.'],
    { expected: 'beginnings of subjects, without wildcards' },
  ),
  log_level: setting(Type.Enum([...LOG_LEVELS], { description: 'Lowest level that is logged.' }), 'info'),
  log_levels: setting(
    Type.Array(Type.String({ pattern: LOG_LEVEL_OF }), {
      uniqueItems: true,
      description: 'Other levels of single components, such as `db=debug`.',
    }),
    [],
    {
      expected: `<component>=<level> each, a level of ${LOG_LEVELS.join(', ')}, a component of ${LOG_COMPONENTS.join(', ')}`,
    },
  ),

  circuit_breaker_enabled: setting(BREAKER_SETTINGS.circuit_breaker_enabled, true),
  circuit_breaker_failure_threshold: setting(BREAKER_SETTINGS.failure_threshold, 5),
  failure_rule: setting(BREAKER_SETTINGS.failure_rule, 'window'),
  failure_rate_floor: setting(BREAKER_SETTINGS.failure_rate_floor, 0.05),
  circuit_breaker_error_rate_threshold: setting(BREAKER_SETTINGS.error_rate_threshold, 0.5),
  minimum_volume: setting(BREAKER_SETTINGS.minimum_volume, 5),
  circuit_breaker_window_seconds: setting(BREAKER_SETTINGS.window_seconds, 60),
  circuit_breaker_timeout_seconds: setting(BREAKER_SETTINGS.open_seconds, 60),
  open_max_seconds: setting(BREAKER_SETTINGS.open_max_seconds, 300),
  circuit_breaker_half_open_max_requests: setting(BREAKER_SETTINGS.half_open_max_requests, 3, {
    alias: 'half_open_max_requests',
  }),
  half_open_successes: setting(BREAKER_SETTINGS.half_open_successes, 2),
  recovery_ramp_seconds: setting(BREAKER_SETTINGS.recovery_ramp_seconds, 5),
  ejection_seconds: setting(BREAKER_SETTINGS.ejection_seconds, 30),
  auto_disable_on_circuit_open: setting(
    Type.Boolean({ description: 'Disable an extension (`enabled = false`) when its breaker opens.' }),
    true,
  ),
  auto_enable_on_circuit_close: setting(
    Type.Boolean({ description: 'Enable it again when the breaker closes; never if an operator disabled it.' }),
    true,
  ),
  health_based_routing_enabled: setting(
    Type.Boolean({
      description:
        'If the default version of an extension refuses a call, or fails too often, other versions and `policy.fallback` get it.',
    }),
    true,
  ),
  health_based_routing_min_success_rate: setting(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description:
        'Success rate over the health window, from 10 outcomes on, under which a default version is skipped nine times of ten if another gets the call, an instance is `degraded`, and an extension is reported by `high_failure_rate`.',
    }),
    0.8,
  ),
  history: setting(
    Type.Boolean({
      description:
        'Keep what each version with traffic did over the last four hours, in memory (up to 5.4 kB a version).',
    }),
    true,
  ),
  history_targets_max: setting(
    count(1, 1_000_000, 'Versions whose history is kept; beyond it that of the longest idle one is dropped.'),
    20_000,
  ),

  min_budget_ms: setting(count(1, 60_000, 'Smallest `Extreg-Timeout-Ms` that is accepted.'), 10),
  max_budget_ms: setting(count(1, 3_600_000, 'Largest `Extreg-Timeout-Ms` that is accepted.'), 60_000),
  max_body_bytes: setting(count(1, 67_108_864, 'Largest body that is accepted.'), null, {
    defaultText: 'the limit of the NATS server',
  }),
  max_in_flight: setting(count(1, 1_000_000, 'Calls in flight at a time, of all extensions together.'), 10_000),
  admission: setting(
    Type.Enum(['adaptive', 'off'], {
      description:
        '`adaptive`: when calls wait for longer than `admission_target_ms` because more arrive than the daemon can serve, as many are refused immediately as it cannot serve (docs/operating.md#overload); `off`: none is.',
    }),
    'adaptive',
  ),
  admission_target_ms: setting(
    count(
      5,
      1000,
      'How long calls may wait for the daemon before some are refused; then they wait for up to twice as long.',
    ),
    200,
  ),
  absence_grace_seconds: setting(
    seconds(
      0,
      3600,
      'How long a target that has just succeeded may have no responders before that counts as a failure.',
    ),
    2,
  ),
  webhook_urls: setting(
    Type.Array(Type.String({ pattern: '^https?://[^\\s\\u0000-\\u001f\\u007f]+$', maxLength: 4096 }), {
      uniqueItems: true,
      description: 'URLs to which notices for administrators are posted (docs/webhooks.md).',
    }),
    [],
    { secret: 'path', expected: 'http or https URLs, each once, a comma within one written as %2C' },
  ),
  webhook_secret: setting(
    Type.String({
      minLength: 1,
      pattern: WEBHOOK_SECRET,
      description: 'Key that notices are signed with; unset: they are not signed.',
    }),
    null,
    { secret: true, expected: 'whsec_ and the key in base64, or any other text, whose UTF-8 bytes are the key' },
  ),
  webhook_events: setting(
    Type.Array(Type.Enum([...EVENT_KINDS]), { uniqueItems: true, description: 'Kinds of events that are posted.' }),
    [...PAGING_EVENTS],
    { expected: `some of ${EVENT_KINDS.join(', ')}` },
  ),
  webhook_timeout_ms: setting(count(10, 60_000, 'How long a receiver has to answer one request.'), 5000),
  audit_retention_days: setting(count(0, 36_500, 'Days that rows of the audit trail are kept; 0 = for ever.'), 365),
  hang_seconds: setting(
    count(0, 3600, 'How long the event loop may stand still before the daemon ends itself; 0 = it never does.'),
    5,
  ),
  shutdown_timeout_seconds: setting(seconds(0.1, 3600, 'How long a stop waits for calls in flight.'), 25),
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof SETTINGS;

type Widened<D> = D extends null ? null : never;

/** Every setting in force, by its key: checked, complete, frozen. SCHEMA-3. */
export type Config = {
  readonly [K in SettingKey]:
    | Readonly<Static<(typeof SETTINGS)[K]['schema']>>
    | Widened<(typeof SETTINGS)[K]['default']>;
};

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

export const settingOf = (key: SettingKey): Setting => SETTINGS[key];

export const envName = (key: string): string => ENV_PREFIX + key.toUpperCase();
export const flagName = (key: string): string => `--${key.replaceAll('_', '-')}`;

/** A JSON schema as far as the settings use it. */
interface SchemaFields {
  readonly type?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly description?: string;
}

export const schemaFields = (setting: Setting): SchemaFields => setting.schema as SchemaFields;

/** What is expected of a value, in words: `an integer from 1 to 65535`. */
export function expectedText(setting: Setting): string {
  if (setting.expected) return setting.expected;
  if (setting.path === 'file') return 'a readable file';
  if (setting.path === 'directory') return 'a directory';
  const { type, enum: allowed, minimum, maximum } = schemaFields(setting);
  if (allowed) return `one of ${allowed.join(', ')}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'integer') return `an integer from ${minimum} to ${maximum}`;
  if (type === 'number') return `a number from ${minimum} to ${maximum}`;
  return 'text without control characters';
}
