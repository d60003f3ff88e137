import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';

const directory = resolve('examples');
const readme = readFileSync(join(directory, 'README.md'), 'utf8');
const sources = readdirSync(directory).filter((name) => name.endsWith('.mjs'));
const code = new Map(sources.map((name) => [name, readFileSync(join(directory, name), 'utf8')]));

const VARIABLE = /\b(?:EXTENSION|NATS)_[A-Z_]+\b/g;

test('README: its table of settings names every variable that the code reads, and no other', (t) => {
  const read = new Set([...code.values()].flatMap((text) => text.match(VARIABLE) ?? []));
  const told = [...readme.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1] ?? '');
  t.true(told.length > 0);
  t.deepEqual(told.sort(), [...read].sort());
});

test('README: its table of extensions has the subject that each answers on', (t) => {
  const told = [...readme.matchAll(/^\| `([a-z-]+\.mjs)` \| \w+ \| `(\S+)` \|/gm)].map(([, file, subject]) => [
    file,
    subject,
  ]);
  const served = [...code].flatMap(([file, text]) => {
    const subject = /subject: '(\S+)'/.exec(text)?.[1];
    return subject ? [[file, subject]] : [];
  });
  t.is(served.length, 3);
  t.deepEqual(told.sort(), served.sort());
});
