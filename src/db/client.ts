// The way to a database: one driver for PostgreSQL and for the embedded database behind its Unix socket.
//
// CLIENT-1. Its arguments alone decide where it connects: no PG* variable of the environment is read.
// CLIENT-2. Nothing the server says lands on the console: notices go to the log.
// CLIENT-3. Nothing calls the driver's `begin`, `transaction` or `reserve` in a daemon: if such a connection is lost in the middle,
//     postgres 3.4 throws out of reach of any catch and never connects again (its issues 1066, 1154, 1208). Whatever must
//     happen together is one statement, or one message of the simple protocol. A test holds the sources to it.
import { readFileSync } from 'node:fs';
import { drizzle, type PostgresJsDatabase } from '#drizzle-orm/postgres-js';
import postgres from '#postgres';
import type { Logger } from '../telemetry/log.js';

export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-full';

/** Where a database is: the two forms a configuration has, and the directory of an embedded one's socket. */
export type DatabaseConnection =
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'parts';
      readonly host: string;
      readonly port: number;
      readonly database: string;
      readonly user: string;
      /** null: none is sent. */
      readonly password: string | null;
      readonly sslMode: SslMode;
    }
  | { readonly kind: 'embedded'; readonly socketDir: string };

interface ClientOptions {
  /** Connections at most. */
  readonly max: number;
  /** False behind a transaction pooler, in which a prepared statement may meet another server connection. */
  readonly prepare: boolean;
  /** What the server's own views call us. */
  readonly applicationName: string;
  readonly log: Logger;
}

export type Database = PostgresJsDatabase & { readonly $client: postgres.Sql };

/** Opens no connection yet: the first query does. */
export function openDatabase(connection: DatabaseConnection, options: ClientOptions): Database {
  const common = {
    max: options.max,
    prepare: options.prepare,
    fetch_types: false,
    connect_timeout: 5,
    idle_timeout: 0,
    // A connection to the embedded database that is recycled leaves its prepared statements in the one shared session.
    max_lifetime: connection.kind === 'embedded' ? null : 3600,
    // In seconds; the driver's own goes up to 20, which would keep a feed deaf for as long after a restart of the server.
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1),
    connection: { application_name: options.applicationName },
    onnotice: (notice: postgres.Notice) =>
      options.log.debug({
        event: 'database_notice',
        component: 'db',
        severity: notice.severity,
        text: notice.message,
      }),
  } satisfies postgres.Options<Record<string, never>>;
  return drizzle(withoutPgVariables(() => connect(connection, common)));
}

/** Ends every connection; queries still running get five seconds. */
export async function closeDatabase(db: Database): Promise<void> {
  await db.$client.end({ timeout: 5 });
}

function connect(connection: DatabaseConnection, common: postgres.Options<Record<string, never>>): postgres.Sql {
  if (connection.kind === 'embedded')
    return postgres({
      ...common,
      host: connection.socketDir,
      port: 5432,
      user: 'postgres',
      database: 'postgres',
      ssl: false,
    });
  if (connection.kind === 'parts')
    return postgres({
      ...common,
      host: connection.host,
      port: connection.port,
      user: connection.user,
      database: connection.database,
      ssl: connection.sslMode === 'disable' ? false : connection.sslMode,
      ...(connection.password === null ? {} : { password: connection.password }),
    });
  const { url, overrides } = readUrl(connection.url);
  return postgres(url, { ...common, ...overrides });
}

/**
 * What the driver does not understand of a PostgreSQL URL as libpq writes it: `host=<socket directory>`, `port`,
 * `sslrootcert`, and parameters of other clients, which it would send to the server, which would refuse the connection.
 */
function readUrl(given: string): { url: string; overrides: postgres.Options<Record<string, never>> } {
  const [address = '', query = ''] = given.split('?', 2);
  const parameters = new URLSearchParams(query);
  const kept = new URLSearchParams();
  for (const name of ['sslmode', 'target_session_attrs', 'connect_timeout', 'options', 'search_path']) {
    const value = parameters.get(name);
    if (value !== null) kept.set(name, value);
  }
  const host = parameters.get('host');
  const port = parameters.get('port');
  const certificate = parameters.get('sslrootcert');
  const ca = certificate === null || certificate === 'system' ? null : readFileSync(certificate, 'utf8');
  return {
    // A URL without a host, as libpq allows beside `host=`, is not one to the URL parser.
    url: `${address.replace(/^(postgres(?:ql)?:\/\/(?:[^/@]*@)?)(?=\/|$)/, '$1localhost')}${kept.size > 0 ? `?${kept}` : ''}`,
    overrides: {
      ...(host === null ? {} : { host }),
      ...(port === null ? {} : { port: Number(port) }),
      ...(ca === null ? {} : { ssl: { ca, rejectUnauthorized: true } }),
    },
  };
}

/** CLIENT-1: the driver falls back to the environment while it reads its options, which it does before it returns. */
function withoutPgVariables<T>(fn: () => T): T {
  const hidden = Object.entries(process.env).filter(([name]) => name.startsWith('PG'));
  for (const [name] of hidden) delete process.env[name];
  try {
    return fn();
  } finally {
    for (const [name, value] of hidden) process.env[name] = value;
  }
}
