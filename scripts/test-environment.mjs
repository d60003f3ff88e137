// What tests run in: servers found on this machine or fetched, and no settings of whoever runs them.
import { delimiter } from 'node:path';
import { withoutSettings } from './environment.mjs';
import { ensureGo } from './go.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import { ensurePostgres } from './postgres.mjs';
import { ensurePythonYaml } from './python-yaml.mjs';

/**
 * The environment of AVA. Rejects with one command to run where a server cannot be had.
 * @param {string | null} directory for the tests' temporary files; null: where the system has them
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} isDeep with what only the long tests need
 */
export async function testEnvironment(dataDir, directory = null, env = process.env, isDeep = false) {
  const natsServer = await ensureNatsServer(dataDir, env);
  const postgres = await ensurePostgres(dataDir, env);
  const { python, pythonPath } = await ensurePythonYaml(dataDir, env);
  const { go = '', gopath = '', missing = '' } = isDeep ? await ensureGo(dataDir, env) : {};
  return {
    // What somebody set for a daemon of theirs must reach no daemon of the tests.
    ...withoutSettings(env),
    NODE_ENV: 'test',
    ...(directory === null ? {} : { TMPDIR: directory }),
    NATS_SERVER_BIN: natsServer,
    EXTREG_TEST_PYTHON: python,
    EXTREG_TEST_PYTHONPATH: pythonPath,
    EXTREG_TEST_GO: go,
    EXTREG_TEST_GOPATH: gopath,
    EXTREG_TEST_GO_MISSING: missing,
    PATH: `${postgres}${delimiter}${env.PATH}`,
  };
}
