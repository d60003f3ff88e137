// The databases that tests copy instead of making: made before AVA starts, so that no test file waits for one. They are kept in
// `EXTREG_TEST_TEMPLATES` (a directory; `.tmp` of the checkout without it) and made again when a migration, PGlite or PostgreSQL
// changes. Without this a test file that needs one makes it. By hand, after a build: `node scripts/test-templates.mjs`.
import { argv, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { run, SetupError } from './child-process.mjs';
import { fail } from './say.mjs';
import { ROOT } from './setup.mjs';

const SCRIPT = fileURLToPath(import.meta.url);

/**
 * Makes what is missing, in a process of its own: an engine takes 800 MB. Needs dist/ built, test/ included.
 * @param {NodeJS.ProcessEnv} env that of the tests: PostgreSQL is in its PATH
 * @param {string} [dataDir] a data directory that gets the embedded template too, as its first start would leave it; the demo
 *   takes it from `.extreg`
 */
export async function prepareTestTemplates(env, dataDir) {
  const args = ['--liftoff-only', SCRIPT, ...(dataDir === undefined ? [] : [dataDir])];
  const { code, output } = await run(execPath, args, { cwd: ROOT, env });
  if (code !== 0) throw new SetupError(`${output.trim()}\n\nThe databases for tests could not be made: see above.`, 1);
}

async function main([dataDir]) {
  const { copyTemplateFile, embeddedTemplate } = await import('../dist/test/helpers/embedded-template.js');
  const { postgresTemplate } = await import('../dist/test/helpers/postgres-engine.js');
  await Promise.all([twice(embeddedTemplate), twice(postgresTemplate)]);
  if (dataDir !== undefined) await copyTemplateFile(dataDir);
}

/**
 * A machine that stands still for seconds makes a connection late, or another process takes the port that was free: once more is no
 * other state of the checkout. The error of the first time is printed with its cause.
 * @param {() => Promise<unknown>} make
 */
async function twice(make) {
  try {
    await make();
  } catch (error) {
    console.error(inspect(error));
    await make();
  }
}

if (argv[1] === SCRIPT) main(argv.slice(2)).catch(fail);
