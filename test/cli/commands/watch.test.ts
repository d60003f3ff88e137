// `extreg watch`: what is on the screen, what keys do, and that the terminal is as before, however it ends.
import { spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { main } from '../../../src/cli/main.js';
import { widthOf } from '../../../src/cli/output/terminal-text.js';
import { screenLines } from '../../../src/cli/output/watch-screen.js';
import { keysIn } from '../../../src/cli/process/screen-terminal.js';
import { programInPath } from '../../helpers/programs.js';
import { unless } from '../../helpers/skip.js';
import { until } from '../../helpers/until.js';
import { extensionHealth, healthSource } from '../../http/helpers.js';
import { type FakeDaemon, fakeDaemon, HELLO, Problem, stream } from '../fake-daemon.js';
import { Captured, commandIo, directory, EXTREG } from '../run.js';

const [ENTER, LEAVE] = ['\u001b[?1049h', '\u001b[?1049l'];
const AT = '2026-03-02T23:14:01.000Z';
const row = (id: string, own: object = {}) => ({
  ...{
    id,
    type: 'pre',
    state: 1,
    flags: 0,
    success_rate: 0.5,
    p95: 3,
    calls: 1,
    failed: 0,
    refused: 0,
    since: 1_700_000_000,
  },
  ...own,
});
const SCREEN = {
  address: 'http://127.0.0.1:8420',
  nowMs: 1_700_000_134_000,
  problem: null,
  heardAtMs: 1_700_000_134_000,
  summary: { total: 3, enabled: 3, healthy: 1, unhealthy: 2, avg_success_rate: 0.992, in_flight: 4 },
  daemon: { degraded: ['database'] },
  rows: [row('pii_guard', { flags: 1 }), row('日本\u001b[2J', { state: 3 })],
  selectedId: 'pii_guard',
  filter: null,
  isTyping: false,
  events: [{ event: 'circuit_opened', extension_id: 'pii_guard', at: AT, actor: 'system:breaker' }],
  detail: null,
};
const PLAIN = { width: 100, colour: false, quiet: false };

test('the screen: summary, what is wrong, last events, keys; as many lines as there are, none too long', (t) => {
  const lines = screenLines(SCREEN, { columns: 100, rows: 24 }, PLAIN);
  t.is(lines.length, 24);
  const text = lines.join('\n');
  t.regex(text, /^Extension Registry {2}http:\/\/127\.0\.0\.1:8420 {2}● live {2}\d\d:/);
  t.regex(
    text,
    /total 3 .*success 99\.2 % .*degraded: database\n\n {2}STATE +FOR .*\n> ▲ open +2m14s .* auto-disabled +pii_guard\n {2}■ isolated .*日本\\u001b\[2J\n\nLAST EVENTS\n/,
  );
  t.regex(text, /circuit_opened +pii_guard .*\n/);
  t.regex(lines.at(-1) ?? '', /^↑ ↓: select .* q: quit$/);
  for (const columns of [20, 40, 80, 200])
    for (const rows of [5, 10, 50]) {
      const small = screenLines(
        { ...SCREEN, rows: Array.from({ length: 100 }, (_, i) => row(`e${i}`)) },
        { columns, rows },
        { ...PLAIN, width: columns },
      );
      t.is(small.length, rows);
      for (const line of small) t.true(widthOf(line) <= columns, `${columns}: ${line}`);
    }
});

test('the screen: a lost connection looks lost, a filter is shown as it is typed, the selected row stays in view', (t) => {
  const size = { columns: 100, rows: 12 };
  t.regex(
    screenLines({ ...SCREEN, problem: 'gone', nowMs: SCREEN.nowMs + 9000 }, size, PLAIN)[0] ?? '',
    /✕ gone, stale for 9s/,
  );
  t.regex(screenLines({ ...SCREEN, filter: 'pi', isTyping: true }, size, PLAIN).at(-1) ?? '', /^\/pi▏/);
  const rows = Array.from({ length: 50 }, (_, i) => row(`e${i}`));
  t.true(screenLines({ ...SCREEN, rows, selectedId: 'e40' }, size, PLAIN).some((line) => /^> .* e40$/.test(line)));
  const cut = screenLines({ ...SCREEN, rows }, size, PLAIN).join('\n');
  t.regex(cut, /\n {2}(\d+) of 50 are shown\nLAST EVENTS\n/);
  t.is((cut.match(/ e\d+$/gm) ?? []).length, Number(/(\d+) of 50/.exec(cut)?.[1]));
  t.true(screenLines(SCREEN, size, { ...PLAIN, colour: true })[0]?.includes('\u001b[32m● live\u001b[0m'));
  t.regex(screenLines({ ...SCREEN, rows: [] }, size, PLAIN).join('\n'), /nothing needs a look/);
  // Before anything was read, nothing is known to be well.
  const connecting = { ...SCREEN, rows: [], problem: 'connecting', heardAtMs: 0 };
  t.notRegex(screenLines(connecting, size, PLAIN).join('\n'), /nothing needs a look/);
  t.regex(screenLines({ ...SCREEN, detail: 'a\nb\n' }, size, PLAIN).join('\n'), /\na\nb\n\n.*circuit_opened/);
});

test('keys are read in any pieces; what is no key is none', (t) => {
  t.deepEqual(keysIn('q\u001b[A\u001bOB\r\u007f/ä\u0003\u001b[5~\u001b[1;5C\u0001').keys, [
    'q',
    'up',
    'down',
    'enter',
    'backspace',
    '/',
    'ä',
    'interrupt',
    'page up',
  ]);
  t.deepEqual(keysIn('\u001b'), { keys: [], rest: '\u001b' });
  t.deepEqual(keysIn('\u001b['), { keys: [], rest: '\u001b[' });
  t.deepEqual(keysIn('\u001bq').keys, ['escape', 'q']);
});

const COLUMNS = {
  k: [1, 2, 3],
  id: ['pii_guard', 'mask_pii', 'shout'],
  type: ['pre', 'pre', 'post'],
  version: ['v1', 'v1', 'v1'],
  state: [1, 2, 0],
  flags: [1, 0, 0],
  success_rate: [0.5, 1, 1],
  p50: [1, 1, 1],
  p95: [2, 2, 2],
  p99: [3, 3, 3],
  calls: [0, 1, 5],
  failed: [0, 0, 0],
  refused: [48.2, 9.4, 0],
  since: [1_700_000_000, 1_700_000_000, null],
};

interface Board extends FakeDaemon {
  readonly send: (event: string, data: unknown) => void;
}

async function board(t: ExecutionContext): Promise<Board> {
  let send: ReturnType<typeof stream> | null = null;
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/overview') return { boot: 'b1', seq: 1, columns: COLUMNS };
    if (path === '/admin/extensions/mask_pii/health')
      return healthSource(extensionHealth('mask_pii', { circuit_breaker_state: 'half_open' })).whole('mask_pii');
    if (path !== '/admin/events') return path.endsWith('/health') ? new Problem(404, 'extension_not_found') : null;
    send = stream(response);
    send('hello', HELLO);
    send('summary', { total: 3, healthy: 1 });
    return undefined;
  });
  return { ...daemon, send: (event, data) => send?.(event, data, event === 'event' ? 'b1-1' : undefined) };
}

/** In this process, on a terminal of which everything is kept. */
async function screen(t: ExecutionContext, ...argv: string[]) {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const stdin = new PassThrough();
  const modes: boolean[] = [];
  Object.assign(stdin, { isTTY: true, setRawMode: (on: boolean) => modes.push(on) });
  const io = { ...commandIo({ cwd: directory(t), stdout, stderr }), stdin };
  const running = main(argv, { ...io, stdout: Object.assign(stdout, { isTTY: true, columns: 110, rows: 24 }) });
  /** The last picture. */
  const shown = (): string =>
    stdout.text
      .slice(Math.max(0, stdout.text.lastIndexOf('\u001b[H')))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal obeys
      .replace(/\u001b\[[?\d;]*[A-Za-z]|\r/g, '');
  return {
    running,
    stdin,
    modes,
    output: () => stdout.text,
    errors: () => stderr.text,
    press: (keys: string) => void stdin.write(keys),
    shows: (pattern: RegExp) => until(`${pattern} in ${shown()} ${stderr.text}`, () => pattern.test(shown()), 20_000),
  };
}

test('watch: what is wrong by impact, live; arrows, Enter, / and q', async (t) => {
  const daemon = await board(t);
  const one = await screen(t, 'watch', '--color', 'never', '--url', daemon.url);
  await one.shows(/> ▲ open .*pii_guard.*\n {2}◐ half-open .*mask_pii/);
  t.false(one.output().includes('shout'));
  daemon.send('rows', [[3, 3, 0, 1, 1, 2, 3, 0, 0, 99, 1_700_000_000]]);
  await one.shows(/■ isolated .*shout.*\n.*▲ open .*pii_guard/);
  daemon.send('rows_added', [{ ...row('fresh', { state: 1, refused: 200 }), k: 4 }]);
  await one.shows(/▲ open .*fresh.*\n.*shout/);
  daemon.send('rows_removed', [4]);
  daemon.send('event', {
    event: 'circuit_opened',
    extension_id: 'pii_guard',
    at: AT,
    reason: 'failure_count',
    actor: 'system:breaker',
  });
  await one.shows(/LAST EVENTS.*\n.*circuit_opened +pii_guard {2}failure_count/);
  // The row that was selected stays so.
  await one.shows(/> ▲ open .*pii_guard/);
  one.press('\u001b[B');
  await one.shows(/> ◐ half-open .*mask_pii/);
  one.press('\r');
  await one.shows(/mask_pii {2}pre {2}v1 {2}◐ half-open[\s\S]*Next:\s+extreg wait mask_pii/);
  one.press('\u001b');
  await one.shows(/> ◐ half-open/);
  one.press('/sho\u007fo');
  await one.shows(/\/sho▏/);
  one.press('\r');
  await one.shows(/> ■ isolated .*shout/);
  one.press('q');
  t.is(await one.running, 0);
  t.deepEqual(one.modes, [true, false]);
  t.true(one.output().startsWith(ENTER) && one.output().endsWith(LEAVE));
  t.is(one.stdin.listenerCount('data'), 0);
});

test('LIVE-EVENTS-4: watch: an overview that fails is read again', async (t) => {
  let overviews = 0;
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/overview')
      return ++overviews === 1 ? new Problem(503, 'database_unavailable') : { columns: COLUMNS };
    return void stream(response)('hello', HELLO);
  });
  const one = await screen(t, 'watch', '--color', 'never', '--url', daemon.url);
  await one.shows(/● live [\s\S]*pii_guard/);
  one.press('q');
  t.deepEqual([await one.running, overviews], [0, 2]);
});

test('watch <id>: one extension; 1 for an unknown one, before anything is on the screen', async (t) => {
  const daemon = await board(t);
  const one = await screen(t, 'watch', 'mask_pii', '--url', daemon.url);
  await one.shows(/mask_pii {2}pre {2}v1[\s\S]*VERSION +DEFAULT/);
  one.press('\u0003');
  t.is(await one.running, 0);
  const unknown = await screen(t, 'watch', 'nope', '--url', daemon.url);
  t.is(await unknown.running, 1);
  t.is(unknown.output(), '');
});

test('SCREEN-TERMINAL-1: a refusal, a fault and the end of the input leave the terminal as it was', async (t) => {
  const revoked = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/overview') return { columns: COLUMNS };
    const send = stream(response);
    send('hello', HELLO);
    send('bye', { reason: 'unauthenticated' });
    response.end();
    return undefined;
  });
  const one = await screen(t, 'watch', '--url', revoked.url);
  t.is(await one.running, 1);
  t.true(one.output().endsWith(LEAVE));
  t.regex(one.errors(), /^extreg: unauthenticated: /);
  const fault = await fakeDaemon(t, ({ path }, response) => {
    if (path === '/admin/overview') return { columns: COLUMNS };
    const send = stream(response);
    send('hello', HELLO);
    send('rows', 5);
    return undefined;
  });
  const broken = await screen(t, 'watch', '--url', fault.url);
  t.is(await broken.running, 70);
  t.true(broken.output().endsWith(LEAVE));
  const daemon = await board(t);
  const closed = await screen(t, 'watch', '--url', daemon.url);
  await closed.shows(/pii_guard/);
  closed.stdin.end();
  t.is(await closed.running, 0);
  t.deepEqual(closed.modes, [true, false]);
});

test('watch --json: no screen, a line whenever something changed', async (t) => {
  const daemon = await board(t);
  const stdout = new Captured();
  const running = main(
    ['watch', '--json', '--url', daemon.url],
    commandIo({ cwd: directory(t), stdout, stderr: new Captured() }),
  );
  await until('a line', () => stdout.text.includes('\n'), 20_000);
  const line = JSON.parse(stdout.text.split('\n')[0] ?? '') as { extensions: object[] };
  t.like(line.extensions[0], { id: 'pii_guard', state: 'open' });
  stdout.destroy();
  t.is(await running, 0);
});

const withoutScript = programInPath('script') !== '' ? null : 'there is no script(1) on this machine';

for (const [how, end, code] of [
  ['q', (child: { stdin: { write(text: string): unknown } }) => child.stdin.write('q'), 0],
  ['SIGTERM', null, 0],
] as const)
  unless(withoutScript, test)(`SCREEN-TERMINAL-1: on a pseudo-terminal, ended by ${how}`, async (t) => {
    const daemon = await board(t);
    // The shell prints its own id, which the command has after it.
    const command = `echo pid=$$; exec "${process.execPath}" "${EXTREG}" watch --url ${daemon.url}`;
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: directory(t),
      env: { PATH: process.env.PATH ?? '', TERM: 'xterm', SHELL: '/bin/sh' },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    await until(`the screen: ${output}`, () => output.includes('pii_guard'), 30_000);
    t.true(output.includes(ENTER));
    if (end === null) process.kill(Number(/pid=(\d+)/.exec(output)?.[1]), 'SIGTERM');
    else end(child);
    t.is(await exited, code);
    t.true(output.trimEnd().endsWith(LEAVE), JSON.stringify(output.slice(-80)));
  });
