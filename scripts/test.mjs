// `npm test`: set-up, linter, type check, all tests. `npm test -- FILE…` runs those files alone.
//   npm run test:deep      the long form: all runs of property tests, commands as processes, every kill; then the quick form with the other Nodes
//   npm run test:profile   the same as `npm test`, with tables of what it costs; writes test/profile.json
//   npm run coverage       all tests with coverage, which takes a fourth longer
//
// 1. The last line is `N passed, M failed`, with `, K skipped` where tests were, alone on its line; before it stands a line
//    `SKIPPED <title>: <reason>` for each of these. The exit code is AVA's.
// 2. A run without a single test has failed, and so has one that AVA did not finish.
// 3. A run that takes more processor time than the budget allows has failed.
// 4. It is never silent for more than 10 seconds.
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildAll } from './build.mjs';
import { catchSignals, Interrupted, run } from './child-process.mjs';
import { ensureNode, otherNodes, withNode } from './other-nodes.mjs';
import { fail, say, sayWhileSilent } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';
import { TapReport, testsByFile } from './tap.mjs';
import { costLines, overBudget } from './test-budget.mjs';
import { TestCost } from './test-cost.mjs';
import { makeTestDirectory } from './test-directory.mjs';
import { testEnvironment } from './test-environment.mjs';
import { keepSeconds } from './test-order.mjs';
import { fileLines, groupLines, profileOf, writeProfile } from './test-profile.mjs';
import { prepareTestTemplates } from './test-templates.mjs';

const COVERAGE = join(ROOT, 'coverage');
const RAW_COVERAGE = join(COVERAGE, 'raw');
/** For ava.config.js: which of all files a run of AVA takes. */
const PART = 'EXTREG_TEST_PART';
/** The tests of the wire once more, with messages that pass through the NATS client (test/helpers/depth.ts). */
const DIRECT_IO = 'EXTREG_TEST_NATS_DIRECT_IO';
const OPTIONS = ['--coverage', '--deep', '--profile'];
const tool = (...path) => join(ROOT, 'node_modules', ...path);

async function main(args) {
  const [isCovered, isDeep, isProfile] = OPTIONS.map((option) => args.includes(option));
  const files = args.filter((arg) => !OPTIONS.includes(arg)).map(compiledTest);
  let doing = 'setting up';
  const report = new TapReport();
  const stop = sayWhileSilent(() => `  … still ${doing}`);
  const dataDir = resolve(ROOT, process.env.EXTENSION_REGISTRY_DATA_DIR || '.extreg');
  prepareDataDir(dataDir);
  await setUp(buildAll);
  const { directory, remove } = makeTestDirectory();
  try {
    const env = {
      ...(await testEnvironment(dataDir, directory, process.env, isDeep)),
      ...variables({ isCovered, isDeep, isWhole: files.length === 0 && !isCovered }),
    };
    doing = 'making the databases for tests';
    await prepareTestTemplates(env, dataDir);
    doing = 'linting';
    const linted = await lint();
    if (isCovered) {
      rmSync(COVERAGE, { recursive: true, force: true });
      mkdirSync(RAW_COVERAGE, { recursive: true });
    }
    const cost = new TestCost(join(directory, 'workers'), ROOT);
    doing = 'testing';
    const code = await runTests(files, env, report, cost, isDeep ? dataDir : null);
    stop();
    if (isCovered) await reportCoverage();
    const over = reportCost(cost, report, { isProfile, hasBudget: !isCovered && !isDeep, isWhole: files.length === 0 });
    if (!linted) say('\nThe linter found problems: see above.');
    if (code === 0 && report.passed === 0) say('\nNo test ran.');
    if (code !== 0 && report.failed === 0)
      say(`\nAVA ended with exit code ${code} although no test failed: see above.`);
    say('');
    reportSkipped(report);
    say(report.line);
    process.exitCode = code !== 0 ? code : linted && report.passed > 0 && !over ? 0 : 1;
  } finally {
    stop();
    remove();
  }
}

/** A test may be named by its source. */
function compiledTest(arg) {
  const source = /^(?:\.\/)?(test\/.*)\.ts$/.exec(arg);
  return source ? `dist/${source[1]}.js` : arg;
}

const variables = ({ isCovered, isDeep, isWhole }) => ({
  ...(isCovered ? { NODE_V8_COVERAGE: RAW_COVERAGE } : {}),
  ...(isDeep ? { EXTREG_TEST_DEEP: '1' } : {}),
  ...(isWhole ? { EXTREG_TEST_WHOLE: '1' } : {}),
});

async function lint() {
  say('Linting …');
  const { code, output } = await run(tool('.bin', 'biome'), ['check', '--colors=off', '.'], { cwd: ROOT });
  if (code !== 0) say(output.trim());
  return code === 0;
}

/** Its exit code; 1 where it did not finish. */
async function runAva(files, env, report, node = process.execPath) {
  report.begin();
  const { code } = await run(node, [tool('ava', 'entrypoints', 'cli.mjs'), '--tap', ...files], {
    cwd: ROOT,
    env,
    showErrors: true,
    onLine: (line) => {
      const { failed } = report;
      report.read(line);
      if (report.failed > failed) say(`  FAILED ${report.failures.at(-1)?.title}`);
    },
  });
  return code !== 0 ? code : report.complete ? 0 : 1;
}

/** `dataDir`: where the other Nodes are kept; null: without them. */
async function runTests(files, env, report, cost, dataDir) {
  say('Testing …');
  const begun = performance.now();
  const stop = sayWhileSilent(
    () => `  … ${report.line} after ${seconds(performance.now() - begun)} s; running ${cost.running().join(', ')}`,
    6000,
  );
  cost.begin();
  try {
    const ran = { ...env, ...cost.environment };
    if (files.length > 0) return await runAva(files, ran, report);
    // A browser draws as often as it gets to it: beside the heaviest files its pages cost a fourth more than alone, and say less.
    const pages = await runAva([], { ...ran, [PART]: 'pages' }, report);
    const others = await runAva([], { ...ran, [PART]: 'others' }, report);
    const wire =
      env.EXTREG_TEST_DEEP === '1' ? await runAva([], { ...ran, [PART]: 'wire', [DIRECT_IO]: 'false' }, report) : 0;
    const nodes = dataDir === null ? 0 : await runOtherNodes(dataDir, ran, report);
    return pages || others || wire || nodes;
  } catch (error) {
    // How far it got is worth knowing, for the one who stopped it.
    if (error instanceof Interrupted) say(`\nStopped before the end.\n${report.line}`);
    throw error;
  } finally {
    await cost.end();
    stop();
    for (const { title, details } of report.failures) say(`\nFAILED  ${title}\n${details.join('\n')}`);
  }
}

/** The quick form of what depends on Node alone: without the pages, and without the scripts, which install and build. */
async function runOtherNodes(dataDir, env, report) {
  let result = 0;
  for (const version of otherNodes(process.versions.node)) {
    const { node, missing } = await ensureNode(version, dataDir);
    if (node === undefined) {
      report.skip(`all tests with Node ${version}: ${missing}`);
      continue;
    }
    say(`Testing with Node ${version} …`);
    const failed = report.failures.length;
    const quick = { ...withNode(env, node), EXTREG_TEST_DEEP: '', [PART]: 'nodes' };
    const code = await runAva([], quick, report, node);
    for (const failure of report.failures.slice(failed)) failure.title = `Node ${version}: ${failure.title}`;
    result ||= code;
  }
  return result;
}

const seconds = (ms) => Math.round(ms / 1000);

/** What did not run, and why: its title ends with the reason (test/helpers/skip.ts). */
function reportSkipped({ skippedTitles }) {
  for (const title of skippedTitles) say(`SKIPPED ${title}`);
}

/** True where the run took more than it may. */
function reportCost(cost, report, { isProfile, hasBudget, isWhole }) {
  const result = cost.result();
  if (result === null) {
    say('\nProcessor time was not measured: there is no /proc here.');
    return false;
  }
  keepSeconds(result.wallByFile);
  const profile = profileOf({ ...result, tests: testsByFile(report.titles, [...result.wallByFile.keys()]) });
  if (isProfile) for (const line of ['', ...fileLines(profile), '', ...groupLines(profile)]) say(line);
  if (isProfile && isWhole) writeProfile(profile, ROOT);
  for (const line of ['', ...costLines(result)]) say(line);
  for (const { pid, program, file } of result.leftRunning)
    say(`Left running: ${program} (${pid}), started by ${file || 'the runner'}.`);
  if (!hasBudget) return false;
  const over = overBudget(result.seconds, result.factor, undefined, result.factorOf);
  for (const line of over) say(line);
  return over.length > 0;
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
