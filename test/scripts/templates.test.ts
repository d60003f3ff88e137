// The templates that tests copy: rules 1 and 2 of test/helpers/templates.ts.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { copyTree, template, templatesDirectory } from '../helpers/templates.js';
import { temporaryDirectory } from '../helpers/test-database.js';

test('template: of many who need it at the same time one makes it, and all get the whole of it', async (t) => {
  const directory = temporaryDirectory(t);
  let made = 0;
  const make = async (place: string) => {
    made += 1;
    writeFileSync(join(place, 'first'), '');
    for (let turn = 0; turn < 100; turn += 1) await nextTurn();
    writeFileSync(join(place, 'last'), '');
  };
  const need = async () => {
    const place = await template('kind', 'state', make, directory);
    return [basename(place), ...readdirSync(place).sort()];
  };
  const got = await Promise.all(Array.from({ length: 4 }, need));
  t.is(made, 1);
  for (const one of got) t.deepEqual(one, ['kind-state', 'first', 'last']);
  t.deepEqual(await need(), got[0]);
  t.is(made, 1);
});

test('template: one whose making failed or was broken off is made anew', async (t) => {
  const directory = temporaryDirectory(t);
  const broken = async (place: string) => {
    writeFileSync(join(place, 'half'), '');
    throw new Error('no room');
  };
  await t.throwsAsync(() => template('kind', 'state', broken, directory), { message: 'no room' });
  t.false(existsSync(join(directory, 'kind-state')));
  const place = await template('kind', 'state', async (path) => writeFileSync(join(path, 'whole'), ''), directory);
  t.deepEqual(readdirSync(place), ['whole']);
});

test('template: one of another state goes when it was not used for a day, and none of another kind', async (t) => {
  const directory = temporaryDirectory(t);
  const nothing = async () => undefined;
  for (const [kind, state] of [
    ['kind', 'old'],
    ['kind', 'recent'],
    ['other', 'old'],
  ] as const) {
    const place = await template(kind, state, nothing, directory);
    if (state === 'old') utimesSync(place, new Date(0), new Date(0));
  }
  await template('kind', 'new', nothing, directory);
  const kept = readdirSync(directory).filter((name) => !name.endsWith('.lock'));
  t.deepEqual(kept.sort(), ['kind-new', 'kind-recent', 'other-old']);
});

test('template: using it is what keeps it', async (t) => {
  const directory = temporaryDirectory(t);
  const place = await template('kind', 'state', async () => undefined, directory);
  utimesSync(place, new Date(0), new Date(0));
  await template('kind', 'state', () => Promise.reject(new Error('it is there')), directory);
  t.true(Date.now() - statSync(place).mtimeMs < 60_000);
});

test('templatesDirectory: EXTREG_TEST_TEMPLATES, else .tmp of the checkout', (t) => {
  t.is(templatesDirectory({ EXTREG_TEST_TEMPLATES: '/dev/shm/x' }), '/dev/shm/x');
  t.is(templatesDirectory({}), join(process.cwd(), '.tmp'));
  t.is(templatesDirectory({ EXTREG_TEST_TEMPLATES: '' }), join(process.cwd(), '.tmp'));
});

test('copyTree: files, their modes, and empty directories', (t) => {
  const from = join(temporaryDirectory(t), 'from');
  mkdirSync(join(from, 'a', 'empty'), { recursive: true });
  writeFileSync(join(from, 'a', 'file'), 'content', { mode: 0o640 });
  const to = join(temporaryDirectory(t), 'to');
  copyTree(from, to);
  t.deepEqual(readdirSync(to, { recursive: true }).sort(), ['a', 'a/empty', 'a/file']);
  t.is(readFileSync(join(to, 'a', 'file'), 'utf8'), 'content');
  t.is(statSync(join(to, 'a', 'file')).mode & 0o777, 0o640);
  t.is(statSync(to).mode & 0o777, 0o700);
});
