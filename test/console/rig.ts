// One browser and one daemon for all tests of the pages, and how a test opens a page and looks at it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext, TestFn } from 'ava';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type postgres from '#postgres';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { freePort } from '../helpers/nats-port.js';
import { until as untilOften } from '../helpers/until.js';
import { seed, seedVersions, World } from './world.js';

/** Where the tests of the pages run: '' where there is no browser. */
const { EXTREG_TEST_CHROMIUM: found = '/usr/bin/chromium', EXTREG_TEST_CHROMIUM_MISSING: missing = '' } = process.env;

/** Why the tests of the pages are skipped; null: they run. */
export const NO_BROWSER: string | null = missing === '' ? null : missing;

const FLAGS = [
  ...['--in-process-gpu', '--disable-gpu-compositing', '--disable-software-rasterizer', '--renderer-process-limit=1'],
  // As root it would not start; what it opens here is the project's own pages.
  '--no-sandbox',
  ...['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];

const SETTINGS = {
  EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0',
  EXTENSION_REGISTRY_CIRCUIT_BREAKER_TIMEOUT_SECONDS: '60',
};

export interface OpenOptions {
  /** Of the session; null: none. */
  readonly token?: string | null;
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** Without its policy, for what a test brings into the page. */
  readonly bypassPolicy?: boolean;
  /** Each document begins without what a page has kept. */
  readonly isForgetful?: boolean;
  /** Timers that a test moves on. */
  readonly fakeClock?: boolean;
}

/** Of an element in the page; tests know no types of a browser. */
export interface Scroller {
  scrollTop: number;
  readonly clientHeight: number;
}

/** What a page did that no page may do. */
export interface Faults {
  /** Errors and violations of its policy. */
  readonly errors: string[];
  /** Requests to other hosts. */
  readonly foreign: string[];
}

export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly faults: Faults;
}

/** What a daemon ends with. */
type Owner = Parameters<typeof DaemonProcess.start>[0];

export class Rig {
  token: string | null = null;

  private constructor(
    private readonly owner: Owner,
    readonly browser: Browser,
    public daemon: DaemonProcess,
    readonly world: World,
    readonly sql: postgres.Sql,
    private readonly port: number,
  ) {}

  static async start(owner: Owner, names?: readonly string[]): Promise<Rig> {
    const dataDir = await copyEmbedded(mkdtempSync(join(tmpdir(), 'extreg-console-')));
    owner.teardown(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
    const port = await freePort();
    const daemon = await DaemonProcess.startReady(owner, settings(port), dataDir);
    const sql = daemon.sql();
    await seed(sql, names);
    if (names === undefined) await seedVersions(sql);
    const world = new World(await daemon.connect());
    await world.start();
    const browser = await chromium.launch({ executablePath: found, args: FLAGS });
    owner.teardown(() => browser.close());
    return new Rig(owner, browser, daemon, world, sql, port);
  }

  /** Made when the first test asks for it; ends with the file. */
  static shared(test: TestFn): () => Promise<Rig> {
    let rig: Promise<Rig> | null = null;
    const ends: (() => void | PromiseLike<void>)[] = [];
    const file: Owner = { teardown: (end) => void ends.unshift(end), log: (text) => void process.stderr.write(text) };
    test.after.always('browser and daemon end', async () => {
      for (const end of ends) await end();
    });
    return () => {
      rig ??= Rig.start(file);
      return rig;
    };
  }

  #page: Opened | null = null;

  /**
   * The tab that tests use one after another, as it is after a start: what a tab costs is most of what a test does. `before`: what a test
   * does to the tab before the page is loaded, such as answers of its own.
   */
  readonly visit = async (
    path: string,
    { width = 1280, before = async (_: Page): Promise<unknown> => undefined } = {},
  ): Promise<Opened> => {
    const context = { teardown: (end: () => void | PromiseLike<void>) => this.owner.teardown(end) };
    this.#page ??= await this.open(context, '/ui/no-such-page', { isForgetful: true });
    const { page, faults } = this.#page;
    faults.errors.length = 0;
    faults.foreign.length = 0;
    await page.mouse.move(0, 0);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.setViewportSize({ width, height: HEIGHT });
    await page.goto('about:blank');
    faults.foreign.length = 0;
    await before(page);
    await page.goto(`${this.daemon.url}${path}`);
    return this.#page;
  };

  /** A tab of its own, closed with the test. */
  readonly open = async (
    t: Pick<ExecutionContext, 'teardown'>,
    path: string,
    options: OpenOptions = {},
  ): Promise<Opened> => {
    const { token = this.token, scheme = 'light', width = 1280, height = HEIGHT, bypassPolicy = false } = options;
    // What the shared tab shows is not looked at meanwhile.
    await this.#page?.page.goto('about:blank');
    const context = await this.browser.newContext({
      colorScheme: scheme,
      viewport: { width, height },
      reducedMotion: 'reduce',
      bypassCSP: bypassPolicy,
    });
    t.teardown(() => context.close());
    if (token !== null)
      await context.addInitScript({
        content: `if (sessionStorage.getItem('tested') === null) sessionStorage.setItem('extreg-token', ${JSON.stringify(token)});
          sessionStorage.setItem('tested', '1');`,
      });
    if (options.isForgetful === true)
      await context.addInitScript({
        content: "if (location.protocol === 'http:') { localStorage.clear(); sessionStorage.clear(); }",
      });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    if (options.fakeClock === true) await page.clock.install();
    const faults = watch(page, this.daemon.url);
    await page.goto(`${this.daemon.url}${path}`);
    return { page, context, faults };
  };

  /** Kills the daemon as a crash would, and starts it again at the same address after `pauseMs`. */
  async restart(pause: () => Promise<void>): Promise<void> {
    await this.daemon.stop('SIGKILL');
    await pause();
    this.daemon = await DaemonProcess.startReady(this.owner, settings(this.port), this.daemon.dataDir);
  }
}

/** Of a tab: what is in view is what costs. */
const HEIGHT = 600;
const LONGEST_PAUSE_MS = 100;
/** Less than a test may take, so that it says what it waited for. */
const PATIENCE_MS = 12_000;

const settings = (port: number) => ({ ...SETTINGS, EXTENSION_REGISTRY_HTTP_PORT: String(port) });

function watch(page: Page, url: string): Faults {
  const faults: Faults = { errors: [], foreign: [] };
  page.on('pageerror', (error) => faults.errors.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted|TypeError/i.test(message.text())) faults.errors.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) faults.foreign.push(request.url());
  });
  return faults;
}

/** Registers the tests of one subject. */
export type Suite = (
  test: (title: string, implementation: (t: ExecutionContext) => Promise<void>) => void,
  rig: () => Promise<Rig>,
) => void;

/** As that of other tests, but it asks less often: each question goes through the browser. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs?: number,
): Promise<void> {
  await untilOften(what, condition, deadlineMs, LONGEST_PAUSE_MS);
}

/** Work of `action` for so long, ten times a second. */
export async function meanwhile(ms: number, action: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    await action();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
