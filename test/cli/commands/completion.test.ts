// `extreg completion` and `extreg __complete`: what a tab completes.
import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { programInPath } from '../../helpers/programs.js';
import { unless } from '../../helpers/skip.js';
import { type Asked, fakeDaemon } from '../fake-daemon.js';
import { directory, EXTREG, run, writeDaemonFile } from '../run.js';

const answering = ({ path, query, headers }: Asked): unknown => {
  if (headers.authorization !== 'Bearer local') return null;
  const ids = ['pii_guard', 'pii_mask', 'shout', 'evil$(rm)'];
  if (path === '/admin/extensions')
    return { items: ids.filter((id) => id.includes(query.get('q') ?? '')).map((id) => ({ id })) };
  if (path === '/admin/extensions/shout/versions') return { items: [{ version: 'v1' }, { version: 'v2' }] };
  return path === '/admin/extensions/shout/instances' ? { items: [{ id: 'i1' }] } : null;
};

async function world(t: ExecutionContext) {
  const daemon = await fakeDaemon(t, answering);
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: daemon.url, http_token: 'local' });
  const options = { cwd, env: { EXTENSION_REGISTRY_DATA_DIR: '.' } };
  return {
    cwd,
    complete: async (...words: string[]): Promise<string[]> => {
      const { code, stdout, stderr } = await run(['__complete', ...words], options);
      t.deepEqual([code, stderr], [0, '']);
      return stdout.split('\n').slice(0, -1);
    },
  };
}

test('__complete: commands, ids of the daemon, versions, instances, options and their values', async (t) => {
  const { complete } = await world(t);
  t.deepEqual(await complete('re'), ['release', 'reload', 'replay', 'reset', 'restore']);
  t.deepEqual(await complete('help', 'wai'), ['wait']);
  t.deepEqual(await complete('show', 'pii'), ['pii_guard', 'pii_mask']);
  t.deepEqual(await complete('show', ''), ['pii_guard', 'pii_mask', 'shout'], 'no word that a shell would run');
  t.deepEqual(await complete('replay', 'pii'), ['pii_guard', 'pii_mask']);
  t.deepEqual(await complete('rollout', 'shout', ''), ['v1', 'v2']);
  t.deepEqual(await complete('drain', 'shout', ''), ['i1']);
  t.deepEqual(await complete('isolate', 'shout', '--version', ''), ['v1', 'v2']);
  t.deepEqual(await complete('wait', 'shout', '--for', 'o'), ['open']);
  t.deepEqual(await complete('ls', '--state', 'half'), ['half_open']);
  t.deepEqual(await complete('ls', '--color', 'a'), ['always', 'auto']);
  t.deepEqual(await complete('ls', '--w'), ['--watch', '--wrong']);
  t.deepEqual(await complete('health', '--watch', 'sh'), ['shout']);
  t.deepEqual(await complete('completion', ''), ['bash', 'fish', 'zsh']);
  t.deepEqual(await complete('token', 're'), ['revoke']);
  t.deepEqual(await complete('show', 'shout', ''), []);
  t.deepEqual(await complete('nope', ''), []);
  t.deepEqual(await complete('import', ''), []);
});

test('COMPLETE-1: without a daemon, or with one that does not answer, there are no ids, and no error', async (t) => {
  const cwd = directory(t);
  t.deepEqual(await run(['__complete', 'show', ''], { cwd }), { code: 0, stdout: '', stderr: '' });
  const silent = await fakeDaemon(t, () => undefined);
  writeDaemonFile(cwd, { http: silent.url });
  const env = { EXTENSION_REGISTRY_DATA_DIR: '.' };
  t.deepEqual(await run(['__complete', 'show', ''], { cwd, env }), { code: 0, stdout: '', stderr: '' });
  const broken = await run(['__complete', 'show', ''], { cwd, env: { EXTENSION_REGISTRY_HTTP_PORT: 'x' } });
  t.deepEqual(broken, { code: 0, stdout: '', stderr: '' });
});

/** Runs `script` in a shell in which `extreg` is this one. */
async function inShell(t: ExecutionContext, shell: string, script: string): Promise<string[]> {
  const { cwd } = await world(t);
  const program = join(cwd, 'extreg');
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${EXTREG}" "$@"\n`);
  chmodSync(program, 0o755);
  writeFileSync(join(cwd, 'completion'), (await run(['completion', shell], { cwd })).stdout);
  const { PATH = '' } = process.env;
  const env = { PATH: `${cwd}:${PATH}`, EXTENSION_REGISTRY_DATA_DIR: '.' };
  const flags = shell === 'bash' ? ['--norc', '-c'] : ['-c'];
  const { stdout } = await promisify(execFile)(shell, [...flags, script], { cwd, env });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

const without = (shell: string): string | null =>
  programInPath(shell) !== '' ? null : `there is no ${shell} on this machine`;

test('completion bash: the script completes commands and ids', async (t) => {
  const script = `
    source ./completion
    ask() { COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _extreg; printf '%s\\n' "\${COMPREPLY[@]}"; }
    complete -p extreg > /dev/null && ask extreg unse && ask extreg show pii`;
  t.deepEqual(await inShell(t, 'bash', script), ['pii_guard', 'pii_mask', 'unset']);
});

unless(without('zsh'), test)('completion zsh: the script completes commands and ids', async (t) => {
  const script = `
    compdef() { : }; compadd() { shift; print -l -- "$@" }; _files() { : }
    source ./completion
    words=(extreg show pii); CURRENT=3; _extreg`;
  t.deepEqual(await inShell(t, 'zsh', script), ['pii_guard', 'pii_mask']);
});

unless(without('fish'), test)('completion fish: the script completes commands and ids', async (t) => {
  const script = `source ./completion; complete -C 'extreg show pii'`;
  t.deepEqual(await inShell(t, 'fish', script), ['pii_guard', 'pii_mask']);
});
