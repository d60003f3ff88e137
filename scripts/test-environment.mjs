// What tests run in: servers found on this machine or fetched, and no settings of whoever runs them.
//
// TEST-ENVIRONMENT-1. Without a browser, a Python with PyYAML or a Prometheus with Alertmanager, the tests that need it are skipped and say why. Where EXTREG_TEST_REQUIRE
//                     names it (`browser,python,monitoring`, as .ci/run does), the run fails instead.
import { delimiter } from 'node:path';
import { SetupError } from './child-process.mjs';
import { ensureChromium } from './chromium.mjs';
import { withoutSettings } from './environment.mjs';
import { ensureGo } from './go.mjs';
import { ensureMonitoring } from './monitoring.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import { ensurePostgres } from './postgres.mjs';
import { ensurePythonYaml } from './python-yaml.mjs';

const OPTIONAL = ['browser', 'python', 'monitoring'];

/**
 * The environment of AVA. Rejects with one command to run where a server cannot be had.
 * @param {string | null} directory for the tests' temporary files; null: where the system has them
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} isDeep with what only the long tests need
 */
export async function testEnvironment(dataDir, directory = null, env = process.env, isDeep = false) {
  const required = requiredBy(env);
  const natsServer = await ensureNatsServer(dataDir, env);
  const postgres = await ensurePostgres(dataDir, env);
  const { python = '', pythonPath = '', missing: pythonMissing = '' } = await pythonOrWhy(dataDir, env);
  const { chromium = '', missing: chromiumMissing = '' } = await ensureChromium(dataDir, env);
  const { monitoring = '', missing: monitoringMissing = '' } = await ensureMonitoring(dataDir, env);
  refuse(required, { python: pythonMissing, browser: chromiumMissing, monitoring: monitoringMissing });
  const { go = '', gopath = '', missing = '' } = isDeep ? await ensureGo(dataDir, env) : {};
  return {
    // What somebody set for a daemon of theirs must reach no daemon of the tests.
    ...withoutSettings(env),
    NODE_ENV: 'test',
    ...(directory === null ? {} : { TMPDIR: directory }),
    NATS_SERVER_BIN: natsServer,
    EXTREG_TEST_PYTHON: python,
    EXTREG_TEST_PYTHONPATH: pythonPath,
    EXTREG_TEST_PYTHON_MISSING: pythonMissing,
    EXTREG_TEST_CHROMIUM: chromium,
    EXTREG_TEST_CHROMIUM_MISSING: chromiumMissing,
    EXTREG_TEST_MONITORING: monitoring,
    EXTREG_TEST_MONITORING_MISSING: monitoringMissing,
    EXTREG_TEST_GO: go,
    EXTREG_TEST_GOPATH: gopath,
    EXTREG_TEST_GO_MISSING: missing,
    PATH: `${postgres}${delimiter}${env.PATH}`,
  };
}

/** The names in EXTREG_TEST_REQUIRE. Throws where one is unknown: it would require nothing. */
export function requiredBy(env) {
  const names = (env.EXTREG_TEST_REQUIRE ?? '').split(',').map((name) => name.trim());
  const required = names.filter((name) => name !== '');
  const unknown = required.filter((name) => !OPTIONAL.includes(name));
  if (unknown.length > 0)
    throw new SetupError(`EXTREG_TEST_REQUIRE takes ${OPTIONAL.join(', ')}, got ${unknown.join(', ')}.`, 64);
  return required;
}

/** TEST-ENVIRONMENT-1. `missing`: why each is not there; '': it is. */
export function refuse(required, missing) {
  const problems = required.filter((name) => missing[name]).map((name) => `${name}: ${missing[name]}`);
  if (problems.length > 0)
    throw new SetupError(`EXTREG_TEST_REQUIRE names what is not here.\n${problems.join('\n')}`, 69);
}

async function pythonOrWhy(dataDir, env) {
  try {
    return await ensurePythonYaml(dataDir, env);
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode !== 69) throw error;
    return { missing: error.message.split('\n')[0] };
  }
}
