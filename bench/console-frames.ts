// How even the frames of the console are while its list of all extensions is scrolled and rows change all the time, beside an empty page that is
// scrolled in the same browser and the same run: what that costs is the machine's doing. Writes its section of bench/RESULTS.md.
// Options: --rows N, --updates N (a second), --seconds N, --rounds N, --no-write.
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { chromium, type Page } from 'playwright-core';
import { startConsoleServer } from './console-server.js';
import { median } from './median.js';
import { machine, table, writeSection } from './results-file.js';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000' },
    updates: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    'no-write': { type: 'boolean', default: false },
  },
});
const SLOW_MS = 50;
/** Of the frames, that must be faster than SLOW_MS. */
const GOAL = 0.95;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'];

interface Frames {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Share of the frames that took longer than SLOW_MS. */
  readonly slow: number;
  readonly count: number;
}

/** Scrolls `.list` by 40 px a frame, up and down, and takes the time between frames. */
const SCROLL = (ms: number): string => `new Promise((resolve) => {
  const list = document.querySelector('.list');
  const times = [];
  const begun = performance.now();
  let last = begun;
  let step = 40;
  const frame = (now) => {
    times.push(now - last);
    last = now;
    if (list.scrollTop + list.clientHeight >= list.scrollHeight - 1) step = -40;
    if (list.scrollTop <= 0) step = 40;
    list.scrollTop += step;
    if (now - begun < ${ms}) requestAnimationFrame(frame);
    else resolve(times.slice(1));
  };
  requestAnimationFrame(frame);
})`;

async function measure(page: Page): Promise<Frames> {
  const times = ((await page.evaluate(SCROLL(Number(values.seconds) * 1000))) as number[]).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
  return {
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    slow: times.filter((ms) => ms > SLOW_MS).length / times.length,
    count: times.length,
  };
}

const { findChromium } = (await import(new URL('../../scripts/chromium.mjs', import.meta.url).href)) as {
  findChromium(dataDir: string, env: NodeJS.ProcessEnv): string | null;
};
const executablePath = findChromium('.extreg', process.env);
if (executablePath === null) throw new Error('the benchmark needs a Chromium: npm test fetches one');

const loadBefore = loadavg()[0] ?? 0;
const server = await startConsoleServer(Number(values.rows), Number(values.updates));
const browser = await chromium.launch({ executablePath, args: FLAGS });
const measured: {
  readonly console: Frames;
  readonly empty: Frames;
  readonly rows: number;
  readonly firstRowMs: number;
}[] = [];
const version = browser.version();
try {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    await page.goto(`${server.url}/empty`);
    const empty = await measure(page);
    const begun = performance.now();
    await page.goto(`${server.url}/?sort=id`);
    await page.locator('.rows .row').first().waitFor();
    const firstRowMs = performance.now() - begun;
    const frames = await measure(page);
    const rows = await page.locator('.rows .row').count();
    measured.push({ console: frames, empty, rows, firstRowMs });
    console.log(
      `p95 ${frames.p95.toFixed(1)} ms, ${(frames.slow * 100).toFixed(1)} % over ${SLOW_MS} ms; empty page ${empty.p95.toFixed(1)} ms`,
    );
    await context.close();
  }
} finally {
  await browser.close();
  await server.close();
}

type Round = (typeof measured)[number];
const of = (pick: (round: Round) => number): number => median(measured.map(pick));
const row = (name: string, pick: (round: Round) => Frames): string[] => [
  name,
  of((r) => pick(r).p50).toFixed(1),
  of((r) => pick(r).p95).toFixed(1),
  of((r) => pick(r).p99).toFixed(1),
  `${(of((r) => pick(r).slow) * 100).toFixed(1)} %`,
  of((r) => pick(r).count).toFixed(0),
];
const isMet = of((r) => r.console.slow) <= 1 - GOAL;
const section = `## Frames of the console while its list is scrolled

Written by \`npm run bench:console\`.

- Machine: ${machine()}; Chromium ${version}, headless, without a GPU
- ${new Date().toISOString().slice(0, 10)}; ${values.rounds} rounds of ${values.seconds} s; medians; ${values.rows} extensions, ${values.updates} of them change in a second
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 compare little but the two lines)

${table(
  ['', 'p50 ms', 'p95 ms', 'p99 ms', `over ${SLOW_MS} ms`, 'frames'],
  [row('the console', (r) => r.console), row('an empty page, scrolled in the same way', (r) => r.empty)],
)}
The first row was there after ${of((r) => r.firstRowMs).toFixed(0)} ms; ${of((r) => r.rows).toFixed(0)} rows were in the document. ${GOAL * 100} % of the frames under ${SLOW_MS} ms: ${isMet ? 'yes' : 'no'}.
`;
console.log(section);
if (!values['no-write']) writeSection('console', section);
if (!isMet) process.exitCode = 1;
