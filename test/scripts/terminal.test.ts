import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';

const script = async <T>(name: string): Promise<T> => (await import(pathToFileURL(resolve('scripts', name)).href)) as T;

const { palette, number, percent } = await script<{
  palette(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): { red(text: string): string };
  number(value: number | null): string;
  percent(share: number | null): string;
}>('terminal.mjs');
const { summary } = await script<{
  summary(calls: { id: string; begunMs: number; endMs: number; end: string }[]): Record<string, unknown>;
}>('traffic.mjs');

const coloured = test.macro({
  exec(t, stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv, expected: boolean) {
    t.is(palette(stream, env).red('x') !== 'x', expected);
  },
  title: (_, stream, env, expected) =>
    `terminal: ${expected ? 'colour' : 'no colour'} for ${JSON.stringify(stream)} with ${JSON.stringify(env)}`,
});

test(coloured, { isTTY: true }, {}, true);
test(coloured, { isTTY: true }, { NO_COLOR: '' }, true);
test(coloured, { isTTY: true }, { NO_COLOR: '1' }, false);
test(coloured, { isTTY: true }, { TERM: 'dumb' }, false);
test(coloured, {}, {}, false);

test('terminal: numbers have three digits, nothing is a dash', (t) => {
  t.deepEqual([number(0.84), number(99.94), number(1002.4), number(null)], ['0.8', '99.9', '1002', '-']);
  t.deepEqual([percent(1), percent(0.052), percent(0), percent(null)], ['100 %', '5.2 %', '0.0 %', '-']);
});

test('traffic: a summary counts ends and takes percentiles by nearest rank', (t) => {
  const calls = [10, 20, 30, 40].map((ms, i) => ({
    ...{ id: 'a', begunMs: 0, endMs: ms },
    end: i < 2 ? 'ok' : i === 2 ? 'refused' : 'extension_timeout',
  }));
  const { ends, ...numbers } = summary(calls);
  t.deepEqual(numbers, { calls: 4, ok: 2, refused: 1, okShare: 0.5, p50Ms: 20, p95Ms: 40 });
  t.deepEqual(ends, new Map(Object.entries({ ok: 2, refused: 1, extension_timeout: 1 })));
  t.like(summary([]), { calls: 0, okShare: null, p50Ms: null, p95Ms: null });
});
