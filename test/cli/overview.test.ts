// `extreg --help` has every verb that the operators' guide names, and each command says what its arguments are in one way.
import test from 'ava';
import { COMMANDS } from '../../src/cli/command-table.js';
import { directory, run } from './run.js';

/** The verbs of the command line's contract. */
const VERBS = [
  ...['ls', 'show', 'health', 'explain', 'invoke', 'inspect', 'rollout', 'sql', 'import', 'export'],
  ...['enable', 'disable', 'isolate', 'force-closed', 'release', 'reset'],
  ...['create', 'set', 'unset', 'delete', 'drain', 'undrain', 'history', 'replay', 'audit', 'events', 'watch', 'wait'],
  ...['status', 'fleet', 'reload', 'backup', 'restore', 'doctor', 'log-level', 'token', 'console', 'completion'],
];
/** What is there beside: the daemon itself. */
const BESIDE = ['serve', 'migrate', 'check-config'];

test('extreg --help: every verb, no other, each once', async (t) => {
  const { code, stdout } = await run(['--help'], { cwd: directory(t) });
  t.is(code, 0);
  const listed = [...stdout.matchAll(/^ {2}([a-z][a-z-]*)(?: [[<]| {2,}\S)/gm)].map(([, verb]) => verb);
  t.deepEqual(listed.filter((verb) => verb !== 'help').sort(), [...VERBS, ...BESIDE].sort());
  t.regex(stdout, /Something is wrong: {2}extreg ls --wrong/);
  t.regex(stdout, /Exit codes: .*75 waited in vain/s);
});

test('extreg <verb> --help: arguments as in the overview, an example, and --json wherever it answers', async (t) => {
  const cwd = directory(t);
  for (const [name, { args }] of COMMANDS) {
    const { code, stdout } = await run([name, '--help'], { cwd });
    t.is(code, 0, name);
    t.is(stdout.split('\n')[0], `Usage: extreg ${name} [options]${args === '' ? '' : ` ${args}`}`);
    t.is(stdout.includes('--json'), !['serve', 'completion'].includes(name), name);
    t.regex(stdout, /\nExamples?:\n {2}extreg|\nExamples?:\n {2}source/, name);
    for (const option of ['--color', '--quiet'])
      t.is(stdout.includes(option), !['serve', 'completion'].includes(name), name);
  }
});

for (const name of ['ls', 'show', 'health', 'explain', 'rollout', 'history', 'audit', 'status'])
  test(`extreg ${name}: reads, so it can be watched, by the URL and token that it is given`, async (t) => {
    const { stdout } = await run([name, '--help'], { cwd: directory(t) });
    for (const option of ['--watch [seconds]', '--url <url>', '--token-file <file>'])
      t.true(stdout.includes(option), option);
    t.false(/--token[ =]/.test(stdout));
  });

for (const argv of [
  ['nope', '--help'],
  ['help', 'nope'],
  ['nope', '--version'],
  ['nope', '--config', 'x'],
])
  test(`extreg ${argv.join(' ')} is wrong usage`, async (t) => {
    const { code, stdout, stderr } = await run(argv, { cwd: directory(t) });
    t.deepEqual([code, stdout], [64, '']);
    t.regex(stderr, /^error: unknown command 'nope'/);
  });

for (const [argv, expected] of [
  [['ls', '--color', 'blue'], /Allowed choices are auto, always, never/],
  [['ls', '--watch=0'], /--watch: expected 0\.1 to 86400 seconds, got '0'/],
  [['log-level', 'debug', '--for', '2d'], /--for: expected a duration of at most 24h, such as 10m, got '2d'/],
  [['ls', '--watch=x'], /--watch: expected 0\.1 to 86400 seconds, got 'x'/],
  [['ls', '--limit', '0'], /--limit: expected 1 or more, got '0'/],
  [['ls', '--url', 'ftp://x'], /--url: expected an address such as http:\/\/127\.0\.0\.1:8420, got 'ftp:\/\/x'/],
  [['ls', '--url', 'http://u:p@x'], /--url: expected/],
  [['wait', 'a'], /required option '--for <state>' not specified/],
  [['wait', 'a', '--for', 'broken'], /Allowed choices are closed, open, half_open, enabled/],
  [
    ['wait', 'a', '--for', 'open', '--timeout', 'soon'],
    /--timeout: expected a duration such as 30s, 5m or 2h, got 'soon'/,
  ],
  [['audit', '--since', 'yesterday'], /--since: expected a duration such as 30m or 2h, or a time such as 2026-/],
  [['audit', '--since', '2026-99-99'], /--since: expected a time/],
  [['audit', '--limit', '1001'], /--limit: expected 1 to 1000, got '1001'/],
  [['audit', '-f', '--watch=1'], /--watch and --follow: expected one of them, got both/],
  [['events', '--last', 'x'], /--last: expected/],
  [['history', 'a', '--step', '30'], /Allowed choices are 10, 60/],
  [['drain', 'a'], /missing required argument 'instance'/],
  [['undrain', 'a', 'i', '--weight', '101'], /--weight: expected 1 to 100, got '101'/],
  [['rollout', 'a', 'v', '5', '--watch=1', '--reason', 'x'], /--watch: has a meaning only without a percentage/],
  [['watch'], /watch: needs a terminal\nnext: extreg ls --wrong --watch/],
  [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
] as const)
  test(`MAIN-1: extreg ${argv.join(' ')} is wrong usage`, async (t) => {
    const { code, stdout, stderr } = await run(argv, { cwd: directory(t) });
    t.deepEqual([code, stdout], [64, '']);
    t.regex(stderr, expected);
    // MAIN-2: what to do next.
    t.regex(stderr, /\n(next: .*|\(--help tells more\))\n$/);
  });
