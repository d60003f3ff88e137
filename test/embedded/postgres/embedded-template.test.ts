// Templates of the embedded database: EMBEDDED-TEMPLATE-1, EMBEDDED-TEMPLATE-2 of embedded-template.ts, EMBEDDED-WORKER-2 of embedded-worker.ts where one is unpacked.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { closeDatabase, type Database, openDatabase } from '../../../src/db/client.js';
import { knownMigrations, migrateDatabase } from '../../../src/db/migrate/migrate.js';
import { openEmbedded } from '../../../src/embedded/postgres/embedded.js';
import {
  packFiles,
  readTemplate,
  TEMPLATE_FILE,
  TemplateUnusableError,
  templateKey,
  UNPACKED_MARK,
  unpackFiles,
  writeTemplate,
} from '../../../src/embedded/postgres/embedded-template.js';
import { createLogger, silentLogger } from '../../../src/telemetry/log.js';
import { copyEmbedded, copyTemplateFile } from '../../helpers/embedded-template.js';
import { temporaryDirectory } from '../../helpers/postgres.js';
import { endOf } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const PROGRAM = fileURLToPath(new URL('./embedded-process.js', import.meta.url));

/** A directory with files, folders, an empty folder and an empty file. */
function someFiles(t: ExecutionContext): string {
  const directory = join(temporaryDirectory(t), 'files');
  mkdirSync(join(directory, 'base', '1'), { recursive: true });
  mkdirSync(join(directory, 'empty'));
  writeFileSync(join(directory, 'base', '1', 'zeros'), Buffer.alloc(100_000));
  writeFileSync(join(directory, 'base', '1', 'bytes'), Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  writeFileSync(join(directory, 'nothing'), '');
  writeFileSync(join(directory, 'ümlaut\n'), '[1]\n');
  return directory;
}

const contentsOf = (directory: string): [string, string | null][] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const isDirectory = statSync(join(directory, path)).isDirectory();
      return [path, isDirectory ? null : readFileSync(join(directory, path), 'hex')];
    });

async function someTemplate(t: ExecutionContext): Promise<string> {
  const file = join(temporaryDirectory(t), TEMPLATE_FILE);
  await writeTemplate(file, 'the key', packFiles(someFiles(t)));
  return file;
}

test('EMBEDDED-TEMPLATE-1: what is unpacked is what was packed, for its owner alone', async (t) => {
  const directory = someFiles(t);
  const file = join(temporaryDirectory(t), TEMPLATE_FILE);
  await writeTemplate(file, 'the key', packFiles(directory));
  const unpacked = join(temporaryDirectory(t), 'unpacked');
  unpackFiles(readTemplate(file, 'the key') ?? Buffer.alloc(0), unpacked);
  t.deepEqual(contentsOf(unpacked), contentsOf(directory));
  t.true(contentsOf(unpacked).length === 7);
  for (const path of ['.', 'base/1', 'empty']) t.is(statSync(join(unpacked, path)).mode & 0o777, 0o700);
  for (const path of ['nothing', 'base/1/bytes']) t.is(statSync(join(unpacked, path)).mode & 0o777, 0o600);
  t.is(statSync(file).mode & 0o777, 0o600);
});

test('EMBEDDED-TEMPLATE-1: no template is no error, one of another key says both', async (t) => {
  const file = await someTemplate(t);
  t.is(readTemplate(`${file}.none`, 'the key'), null);
  t.is(readTemplate(join(file, 'below'), 'the key'), null);
  const error = t.throws(() => readTemplate(file, 'another key'), { instanceOf: TemplateUnusableError });
  t.is(error.message, 'it was made for the key; needed is another key');
});

test('EMBEDDED-TEMPLATE-1: the key names the engine and changes with the schema', (t) => {
  t.regex(templateKey('create table a ()'), /^layout \d+, pglite \d+\.\d+\.\d+, schema [0-9a-f]{16}$/);
  t.not(templateKey('create table a ()'), templateKey('create table a (b int)'));
});

test('EMBEDDED-TEMPLATE-1: a template with any byte changed, or cut off anywhere, is not used', async (t) => {
  const file = await someTemplate(t);
  const whole = readFileSync(file);
  const damaged = join(temporaryDirectory(t), TEMPLATE_FILE);
  const refuses = (bytes: Buffer, what: string) => {
    writeFileSync(damaged, bytes);
    t.throws(() => readTemplate(damaged, 'the key'), { instanceOf: TemplateUnusableError }, what);
  };
  for (let at = 0; at < whole.length; at += 1) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    refuses(bytes, `byte ${at}`);
    refuses(whole.subarray(0, at), `cut off at ${at}`);
  }
  refuses(Buffer.concat([whole, Buffer.from([0])]), 'something after it');
  refuses(Buffer.alloc(1000), 'zeros');
  t.true(whole.length > 200);
});

test('EMBEDDED-TEMPLATE-1: what cannot be read is not used', (t) => {
  const directory = join(temporaryDirectory(t), TEMPLATE_FILE);
  mkdirSync(directory);
  t.throws(() => readTemplate(directory, 'the key'), { instanceOf: TemplateUnusableError, message: /^EISDIR: / });
});

test('EMBEDDED-TEMPLATE-2: a template that cannot be written leaves the one before it, and nothing else', async (t) => {
  const file = await someTemplate(t);
  const before = readFileSync(file);
  mkdirSync(`${file}.new`);
  await t.throwsAsync(() => writeTemplate(file, 'a later key', packFiles(someFiles(t))), { code: 'EISDIR' });
  t.deepEqual(readFileSync(file), before);
});

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Opens it; `lines` is what was logged. */
async function open(t: ExecutionContext, dataDir: string, templates?: readonly string[]) {
  const lines: Line[] = [];
  const embedded = await openEmbedded(dataDir, {
    ...(templates === undefined ? {} : { templates }),
    log: createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }),
    onFailure: (error) => t.fail(error.message),
  });
  const connection = { kind: 'embedded', socketDir: embedded.socketDir } as const;
  const db = openDatabase(connection, { max: 1, prepare: false, applicationName: 'test', log: silentLogger });
  const close = async () => {
    await closeDatabase(db);
    await embedded.close();
  };
  t.teardown(close);
  return { embedded, connection, db, lines, close };
}

/** All that the migrations make, and every row that is there. */
async function contentOf(db: Database): Promise<unknown> {
  const [row] = await db.$client`
    select
      (select json_agg(t order by 1, 2, 3) from (
        select table_schema, table_name, column_name, data_type, column_default, is_nullable from information_schema.columns
        where table_schema in ('public', 'drizzle')) t) as columns,
      (select json_agg(pg_get_constraintdef(oid) order by conrelid::regclass::text, conname) from pg_constraint
        where connamespace = 'public'::regnamespace) as constraints,
      (select json_agg(indexdef order by 1) from pg_indexes where schemaname = 'public') as indexes,
      (select json_agg(pg_get_triggerdef(oid) order by 1) from pg_trigger where not tgisinternal) as triggers,
      (select json_agg(md5(prosrc) order by proname) from pg_proc where pronamespace = 'public'::regnamespace) as functions,
      (select json_agg(m order by id) from drizzle.__drizzle_migrations m) as migrations,
      (select json_agg(r) from (select one, revision from registry_revision) r) as revisions,
      (select json_object_agg(table_name, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I', table_name),
        false, true, '')))[1]::text) from information_schema.tables where table_schema = 'public') as rows`;
  return { ...row };
}

test.serial('openEmbedded: a database from a template is new, migrated, and nothing but that', async (t) => {
  const template = await copyTemplateFile(temporaryDirectory(t));
  const dataDir = join(temporaryDirectory(t), 'deep', 'data');
  const made = await open(t, dataDir, [template]);
  t.true(made.embedded.created);
  t.is(statSync(dataDir).mode & 0o777, 0o700);
  t.deepEqual(
    made.lines.map(({ event, template, from, to }) => ({ event, template, from, to })),
    [
      { event: 'embedded_database_made', template, from: undefined, to: undefined },
      { event: 'database_migrated', template: undefined, from: 0, to: knownMigrations().length },
    ],
  );
  const known = knownMigrations().length;
  t.deepEqual(await migrateDatabase(made.connection, silentLogger), { found: known, known });
  const content = (await contentOf(made.db)) as { revisions: unknown; rows: Record<string, string> };
  t.deepEqual(content.revisions, [{ one: true, revision: 0 }]);
  t.deepEqual(
    Object.entries(content.rows).filter(([, count]) => count !== '0'),
    [['registry_revision', '1']],
  );
  await made.close();

  // The same schema, made step by step over the wire.
  const migrated = await open(t, await copyEmbedded(temporaryDirectory(t), 'empty'));
  await migrateDatabase(migrated.connection, silentLogger);
  t.deepEqual(await contentOf(migrated.db), content);
  t.deepEqual(migrated.lines, []);
});

test.serial(
  'openEmbedded: what is written to a database stays out of the template and of the next database',
  async (t) => {
    const dataDir = temporaryDirectory(t);
    const template = readFileSync(await copyTemplateFile(dataDir));
    const first = await open(t, dataDir);
    await first.db.$client`insert into extensions (id, type, subject) values ('a', 'pre', 'x.a')`;
    await first.close();
    const kept = await open(t, dataDir);
    t.false(kept.embedded.created);
    t.is((await kept.db.$client`select id from extensions`).length, 1);
    await kept.close();
    t.deepEqual(readFileSync(join(dataDir, TEMPLATE_FILE)), template);
    rmSync(join(dataDir, 'pgdata'), { recursive: true });
    const second = await open(t, dataDir);
    t.true(second.embedded.created);
    t.is((await second.db.$client`select id from extensions`).length, 0);
    t.is((await second.db.$client`select 1 from extension_audit_log`).length, 0);
  },
);

test.serial(
  'EMBEDDED-WORKER-3: a database from a template has an identity of its own, also if the process that unpacked it was killed',
  async (t) => {
    const dataDir = temporaryDirectory(t);
    await copyTemplateFile(dataDir);
    const identityOf = async () => {
      const { db, close } = await open(t, dataDir);
      const [row] = await db.$client<
        { history: string; token: string }[]
      >`select history, token from registry_revision`;
      await close();
      return row;
    };
    const mark = join(dataDir, 'pgdata', UNPACKED_MARK);
    const first = await identityOf();
    t.false(existsSync(mark));
    t.deepEqual(await identityOf(), first);
    // As the database is after a kill between its move to its place and its first statement.
    writeFileSync(mark, '');
    const second = await identityOf();
    t.not(second?.history, first?.history);
    t.not(second?.token, first?.token);
    t.false(existsSync(mark));
  },
);

test.serial(
  'openEmbedded: templates that cannot be used are logged and skipped; without one the database is made',
  async (t) => {
    const dataDir = temporaryDirectory(t);
    const template = await copyTemplateFile(dataDir);
    const [damaged, cut, other] = ['damaged', 'cut', 'other'].map((name) => join(dataDir, name)) as [
      string,
      string,
      string,
    ];
    const bytes = readFileSync(template);
    writeFileSync(cut, bytes.subarray(0, bytes.length / 2));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    await writeTemplate(other, 'layout 1, pglite 0.1.0, schema 0', packFiles(someFiles(t)));
    const unusable = [
      { event: 'embedded_template_unusable', path: damaged, reason: /digest/ },
      { event: 'embedded_template_unusable', path: cut, reason: /digest/ },
      {
        event: 'embedded_template_unusable',
        path: other,
        reason: /^it was made for layout 1, pglite 0\.1\.0, schema 0; /,
      },
    ];
    const areLogged = (lines: readonly Line[]) => {
      for (const [i, { reason, ...fields }] of unusable.entries()) {
        t.like(lines[i], { ...fields, level: 'warn' });
        t.regex(String(lines[i]?.reason), reason);
      }
      t.is(lines.length, unusable.length + 2);
    };

    const next = await open(t, dataDir, [damaged, cut, join(dataDir, 'none'), other, template]);
    areLogged(next.lines);
    t.like(next.lines.at(-2), { event: 'embedded_database_made', template });
    await next.close();

    rmSync(join(dataDir, 'pgdata'), { recursive: true });
    renameSync(template, join(dataDir, 'moved'));
    const made = await open(t, dataDir, [damaged, cut, other]);
    areLogged(made.lines);
    t.like(made.lines.at(-2), { event: 'embedded_database_made', template: null });
    t.true(made.embedded.created);
    const content = await contentOf(made.db);
    await made.close();

    // What it left for the next time is as good.
    rmSync(join(dataDir, 'pgdata'), { recursive: true });
    const again = await open(t, dataDir);
    t.like(again.lines[0], { event: 'embedded_database_made', template });
    t.deepEqual(await contentOf(again.db), content);
  },
);

function start(t: ExecutionContext, command: string, args: readonly string[]) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  t.teardown(() => kill(child));
  return { child, output: () => output };
}

function kill(child: ChildProcess): Promise<void> {
  if (endOf(child) !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}

test.serial(
  'EMBEDDED-WORKER-2: a process that is killed while it unpacks leaves no database, and the next start has one',
  async (t) => {
    const dataDir = temporaryDirectory(t);
    await copyTemplateFile(dataDir);
    const [place, unfinished] = [join(dataDir, 'pgdata'), join(dataDir, 'pgdata.new')];
    let caught = 0;
    // In the order in which they are unpacked; which of them is caught in the act is up to the machine.
    for (const path of ['.', 'PG_VERSION', 'base/4', 'base/5', 'global', 'pg_wal', 'postgresql.conf', '.', 'base/5']) {
      const { child } = start(t, process.execPath, ['--liftoff-only', PROGRAM, 'open', dataDir]);
      await until(`it has ${path}`, () => existsSync(join(unfinished, path)) || existsSync(place), 60_000);
      await kill(child);
      if (!existsSync(place)) caught += 1;
      else rmSync(place, { recursive: true });
    }
    t.true(caught > 0);
    t.log(`${caught} killed while they unpacked`);
    const next = await open(t, dataDir);
    t.true(next.embedded.created);
    t.false(existsSync(unfinished));
    t.is((await next.db.$client`select 1 from registry_revision`).length, 1);
  },
);

test.serial(
  'EMBEDDED-WORKER-2: without room for a database that is the error, and nothing is left of it',
  async (t) => {
    for (const hasTemplate of [true, false]) {
      const dataDir = temporaryDirectory(t);
      if (hasTemplate) await copyTemplateFile(dataDir);
      // No file may become as large as the write-ahead log (16 MB), in blocks of 512 or 1024 bytes.
      const limited = ['-c', 'ulimit -f 8000 && exec "$@"', 'sh', process.execPath, '--liftoff-only'];
      const { child, output } = start(t, 'sh', [...limited, PROGRAM, 'open', dataDir]);
      await until('it ended', () => endOf(child) !== null, 60_000);
      t.regex(output(), /^Error: EFBIG: file too large, write\n$/);
      t.deepEqual(readdirSync(dataDir), hasTemplate ? [TEMPLATE_FILE] : []);
    }
  },
);

test.serial('openEmbedded: a database that has no room to be opened is not called damaged', async (t) => {
  const dataDir = await copyEmbedded(temporaryDirectory(t));
  truncateSync(join(dataDir, 'pgdata', 'global', 'pg_control'), 0);
  const { child, output } = start(t, 'sh', [
    '-c',
    'ulimit -f 8000 && exec "$@"',
    'sh',
    process.execPath,
    PROGRAM,
    'open',
    dataDir,
  ]);
  await until('it ended', () => endOf(child) !== null, 60_000);
  t.regex(output(), /^Error: EFBIG: file too large, write\n$/);
});
