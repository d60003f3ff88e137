// `npm run screenshots`: writes docs/screenshots/*.png, pages of the console beside a daemon with traffic, in the size in which the README shows them.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildAll } from './build.mjs';
import { catchSignals, SetupError } from './child-process.mjs';
import { fail, say } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';
import { testEnvironment } from './test-environment.mjs';

const TARGET = join(ROOT, 'docs', 'screenshots');

async function main() {
  const dataDir = resolve(ROOT, process.env.EXTENSION_REGISTRY_DATA_DIR || '.extreg');
  prepareDataDir(dataDir);
  await setUp(buildAll);
  const env = await testEnvironment(dataDir);
  if (env.EXTREG_TEST_CHROMIUM === '') throw new SetupError(`No screenshots: ${env.EXTREG_TEST_CHROMIUM_MISSING}.`, 69);
  Object.assign(process.env, env);
  mkdirSync(TARGET, { recursive: true });
  const { takeScreenshots } = await import('../dist/test/console/screenshots.js');
  for (const path of await takeScreenshots(TARGET)) say(`  ${path}`);
}

catchSignals();
main().catch(fail);
