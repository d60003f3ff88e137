// `npm test`: set-up, linter, type check, all tests. `npm test -- FILE…` runs those files alone. `npm run coverage`: all tests
// with coverage, which takes a fourth longer.
//
// 1. The last line is `N passed, M failed`, alone on its line; the exit code is AVA's.
// 2. A run without a single test has failed, and so has one that AVA did not finish.
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildAll } from './build.mjs';
import { catchSignals, Interrupted, run } from './child-process.mjs';
import { fail, say } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';
import { TapReport } from './tap.mjs';
import { testEnvironment } from './test-environment.mjs';

const COVERAGE = join(ROOT, 'coverage');
const RAW_COVERAGE = join(COVERAGE, 'raw');
const PROGRESS_MS = 15_000;
const tool = (...path) => join(ROOT, 'node_modules', ...path);

async function main(args) {
  const dataDir = resolve(ROOT, process.env.EXTENSION_REGISTRY_DATA_DIR || '.extreg');
  prepareDataDir(dataDir);
  await setUp(buildAll);
  const isCovered = args.includes('--coverage');
  const files = args.filter((arg) => arg !== '--coverage');
  const env = { ...(await testEnvironment(dataDir)), ...(isCovered ? { NODE_V8_COVERAGE: RAW_COVERAGE } : {}) };
  const linted = await lint();
  if (isCovered) {
    rmSync(COVERAGE, { recursive: true, force: true });
    mkdirSync(RAW_COVERAGE, { recursive: true });
  }
  const report = new TapReport();
  const code = await runTests(files.map(compiledTest), env, report);
  if (isCovered) await reportCoverage();
  if (!linted) say('\nThe linter found problems: see above.');
  if (code === 0 && report.passed === 0) say('\nNo test ran.');
  if (code !== 0 && report.failed === 0) say(`\nAVA ended with exit code ${code} although no test failed: see above.`);
  say(`\n${report.line}`);
  process.exitCode = code !== 0 ? code : linted && report.passed > 0 ? 0 : 1;
}

/** A test may be named by its source. */
function compiledTest(arg) {
  const source = /^(?:\.\/)?(test\/.*)\.ts$/.exec(arg);
  return source ? `dist/${source[1]}.js` : arg;
}

async function lint() {
  say('Linting …');
  const { code, output } = await run(tool('.bin', 'biome'), ['check', '--colors=off', '.'], { cwd: ROOT });
  if (code !== 0) say(output.trim());
  return code === 0;
}

async function runTests(args, env, report) {
  say('Testing …');
  const begun = performance.now();
  const progress = setInterval(
    () => say(`  … ${report.line} after ${Math.round((performance.now() - begun) / 1000)} s`),
    PROGRESS_MS,
  );
  try {
    const { code } = await run(process.execPath, [tool('ava', 'entrypoints', 'cli.mjs'), '--tap', ...args], {
      cwd: ROOT,
      env,
      showErrors: true,
      onLine: (line) => report.read(line),
    });
    return code !== 0 ? code : report.complete ? 0 : 1;
  } catch (error) {
    // How far it got is worth knowing, for whoever stopped it.
    if (error instanceof Interrupted) say(`\nStopped before the end.\n${report.line}`);
    throw error;
  } finally {
    clearInterval(progress);
    for (const { title, details } of report.failures) say(`\nFAILED  ${title}\n${details.join('\n')}`);
  }
}

async function reportCoverage() {
  const { output } = await run(
    process.execPath,
    [
      ...[tool('c8', 'bin', 'c8.js'), 'report', '--temp-directory', RAW_COVERAGE, '--reports-dir', COVERAGE],
      ...['--include', 'src/**', '--exclude-after-remap', '--all', '--src', 'src'],
      ...['--reporter', 'text-summary', '--reporter', 'lcovonly'],
    ],
    { cwd: ROOT },
  );
  say(output.trimEnd());
  rmSync(RAW_COVERAGE, { recursive: true, force: true });
}

catchSignals();
main(process.argv.slice(2)).catch(fail);
