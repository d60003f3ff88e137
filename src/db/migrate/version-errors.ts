// Why a database does not fit this daemon, in a separate file: code that only has to recognise it loads no driver.

/** Schema versions are counts of migrations: `found` in the database, `known` to this daemon. */
export class SchemaVersionError extends Error {
  override readonly name = 'SchemaVersionError';
  constructor(
    readonly found: number,
    readonly known: number,
  ) {
    super(
      found > known
        ? `the database has schema version ${found}, newer than this daemon, which knows ${known}: run a newer daemon`
        : `the database has schema version ${found}, this daemon needs ${known}: run \`extreg migrate\``,
    );
  }
}

/** The tables that are there are not those of a registry. Each problem names a table or a column, and what was expected. */
export class AdoptionError extends Error {
  override readonly name = 'AdoptionError';
  constructor(readonly problems: readonly string[]) {
    super(
      `the tables of this database cannot be taken over, and nothing was written:${problems.map((text) => `\n  ${text}`).join('')}`,
    );
  }
}

/** The database refused a migration as a whole. */
export class MigrationRefusedError extends Error {
  override readonly name = 'MigrationRefusedError';
  constructor(reason: string, state: string, cause: unknown) {
    super(`the database cannot be migrated, and nothing was written: ${reason} (SQLSTATE ${state})`, { cause });
  }
}

export class ServerVersionError extends Error {
  override readonly name = 'ServerVersionError';
  constructor(readonly found: string) {
    super(`PostgreSQL 13 or newer is needed, the server is ${found}`);
  }
}

/** None of these is transient. */
export const isSchemaError = (error: unknown): error is Error =>
  [SchemaVersionError, ServerVersionError, AdoptionError, MigrationRefusedError].some((kind) => error instanceof kind);
