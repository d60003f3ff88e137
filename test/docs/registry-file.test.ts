// docs/registry-file.md does what it says, and the schema beside it is that of the code.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Compile } from '#typebox/compile';
import { parse } from '#yaml';
import {
  defaultOf,
  ROW_FIELDS,
  type RowKind,
  registryFileSchema,
} from '../../src/domain/registry-file/registry-file-schema.js';
import { openEmbedded } from '../../src/embedded/postgres/embedded.js';
import { directory } from '../cli/run.js';
import { copyEmbedded, copyTemplateFile } from '../helpers/embedded-template.js';
import { Shell } from './shell.js';
import { documented, readDocument } from './tables.js';

const SCHEMA = fileURLToPath(new URL('../../../docs/registry-file.schema.json', import.meta.url));
const [, EXAMPLE = ''] = /```yaml\n# registry\.yaml\n([\s\S]*?)```/.exec(readDocument('registry-file.md')) ?? [];

/** What Node itself may say where coverage is taken and the process ends while it writes. */
const COVERAGE_NOISE = 'Failed to stringify coverage profile result\n';

test.serial('docs/registry-file.schema.json: is the schema of the code', (t) => {
  const expected = JSON.stringify(registryFileSchema, null, 2);
  if (process.env.UPDATE_DOCS === '1') writeFileSync(SCHEMA, `${expected}\n`);
  t.deepEqual(JSON.parse(readFileSync(SCHEMA, 'utf8')), JSON.parse(expected));
});

test('docs/registry-file.schema.json: takes the example, and no field that is not known', (t) => {
  const schema = Compile(JSON.parse(readFileSync(SCHEMA, 'utf8')));
  const example = parse(EXAMPLE);
  t.true(schema.Check(example));
  example.extensions.pii_guard.timeout = 1;
  t.false(schema.Check(example));
});

for (const kind of ['extension', 'version', 'instance'] as const)
  test.serial(`docs/registry-file.md: the table of ${kind} is that of the code`, (t) => {
    const { got, expected } = documented('registry-file.md', kind, fieldTable(kind));
    t.is(got, expected);
    t.true(expected.split('\n').length > 5);
  });

function fieldTable(kind: RowKind): string {
  const rows = Object.entries(ROW_FIELDS[kind]).map(([field, schema]) => {
    const byDefault = defaultOf(kind, field);
    const { description = '' } = schema as { description?: string };
    return `| \`${field}\` | ${byDefault === undefined ? 'must be given' : `\`${JSON.stringify(byDefault)}\``} | ${description} |\n`;
  });
  return `| field | default | what it is |\n| --- | --- | --- |\n${rows.join('')}`;
}

test('docs/registry-file.md: its commands say what it says', async (t) => {
  // As beside a daemon: somebody else has the database open.
  const dataDir = await copyEmbedded(directory(t));
  const database = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
  t.teardown(() => database.close());
  const shell = new Shell(t, { files: new Map([['registry.yaml', EXAMPLE]]), links: { '.extreg': dataDir } });
  // A package has a template, a checkout makes the database from nothing, which is not the subject.
  await copyTemplateFile(join(shell.cwd, 'other'));

  const consoles = [...readDocument('registry-file.md').matchAll(/```console\n([\s\S]*?)```/g)].map(
    ([, lines = '']) => lines,
  );
  t.is(consoles.length, 3);
  for (const step of consoles.join('').split(/^\$ /m).slice(1)) {
    const [command = ''] = step.split('\n');
    const printed = (await shell.run(command)).replace(COVERAGE_NOISE, '');
    t.is(anyVersion(`${command}\n${printed}`).trimEnd(), anyVersion(step).trimEnd());
  }
});

/** The next migration changes the number, not what is told. */
const anyVersion = (text: string): string => text.replace(/(from version 0 to) \d+/, '$1 N');
