// The other versions of Node that the daemon runs on, for `npm run test:deep`: binaries of npm's package `node`, kept in the data directory.
//
// OTHER-NODES-1. One of each major version that is maintained, the lowest as old as package.json allows; not that which runs the tests.
// OTHER-NODES-2. One that cannot be had does not fail the run: it is named among what was skipped.
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { run, SetupError } from './child-process.mjs';
import { isExecutable } from './executables.mjs';
import { say } from './say.mjs';

/** The first is the floor of package.json. */
export const NODES = ['20.19', '22', '24'];

const major = (version) => Number(version.split('.')[0]);

/** OTHER-NODES-1. @param {string} running as in process.versions.node */
export const otherNodes = (running) => NODES.filter((version) => major(version) !== major(running));

/**
 * The binary of that version, fetched if it is not there; `missing` says why there is none.
 * @param {string} version of NODES
 * @returns {Promise<{ node: string } | { missing: string }>}
 */
export async function ensureNode(version, dataDir, env = process.env) {
  const directory = resolve(dataDir, 'tools', `node-${version}`);
  const node = join(directory, 'node_modules', 'node', 'bin', 'node');
  if (isExecutable(node)) return checked(node, version);
  say(`Fetching Node ${version} for the long tests into the data directory, about 50 MB …`);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'package.json'), '{}\n');
    const { code, output } = await run('npm', ['install', `node@${version}`, '--no-audit', '--no-fund'], {
      cwd: directory,
      env,
    });
    if (code !== 0) return { missing: `npm cannot fetch it: ${output.trim().split('\n')[0]}` };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { missing: error.message.split('\n')[0] };
  }
  return checked(node, version);
}

/** What npm has put there may be for another machine, or nothing where it runs no scripts. */
async function checked(node, version) {
  const { code, output } = await run(node, ['--version']).catch(() => ({ code: 1, output: '' }));
  if (code === 0 && output.trim().startsWith(`v${version}.`)) return { node };
  return { missing: `${node} is no Node ${version} that runs here: remove its directory to fetch it again` };
}

/** So that whatever a test starts as `node` is that one, too. */
export const withNode = (env, node) => ({ ...env, PATH: `${dirname(node)}${delimiter}${env.PATH ?? ''}` });
