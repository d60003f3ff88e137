// Why a database is not the one for this daemon, in a file of its own: code that only has to recognise it loads no driver.

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

export class ServerVersionError extends Error {
  override readonly name = 'ServerVersionError';
  constructor(readonly found: string) {
    super(`PostgreSQL 13 or newer is needed, the server is ${found}`);
  }
}
