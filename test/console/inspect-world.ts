// An inspector page over a world with a simulated clock, and a stand-in for a hosted inspector: what happens within one flush is up to the test.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { build, stop } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { Target } from '../../src/actors/target/target.js';
import { OPEN_PRINCIPAL } from '../../src/domain/access/principal.js';
import { FLUSH_MS } from '../../src/inspector/hub.js';
import { openAccess } from '../helpers/access.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';
import { listen } from '../http/helpers.js';
import { InspectedWorld } from '../inspector/helpers.js';
import type { Faults } from './rig.js';

const PATIENCE_MS = 12_000;

/** Without tokens, and any ticket opens a socket. */
const OPEN = { ...openAccess, signIn: { ...openAccess.signIn, takeTicket: () => OPEN_PRINCIPAL } };

export class InspectedSite {
  private constructor(
    readonly world: InspectedWorld,
    readonly url: string,
    private readonly browser: Browser,
  ) {}

  /** With extension `a`, and `b`, whose breaker is disabled: it never trips. */
  static async start(
    t: ExecutionContext,
    browser: Browser,
    inspectorUrl: string | null = null,
  ): Promise<InspectedSite> {
    const world = new InspectedWorld();
    const policy = { breaker: { circuit_breaker_enabled: false } };
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a')), registryEntry(extensionRow('b', { policy }))));
    const { hub } = world;
    const inspection = {
      targets: (after?: string) => hub.targets(after),
      open: (...given: Parameters<typeof hub.open>) => hub.open(...given),
    };
    const { url } = await listen(t, { access: OPEN, inspection, inspectorUrl });
    return new InspectedSite(world, url, browser);
  }

  get target(): Target {
    const target = this.world.core.supervisor.runtimes.get('a')?.defaultService?.target;
    if (target === undefined) throw new Error('a does not run');
    return target;
  }

  /** Other settings for the breaker. */
  change(probes: number): void {
    this.target.setSettings(breakerSettings({ half_open_max_requests: probes }), 1000, this.world.clock.now());
  }

  flush(ms = FLUSH_MS): void {
    this.world.clock.advance(ms);
  }

  /** A tab of its own, closed with the test, and what it did that no page may do. */
  async open(t: ExecutionContext, path: string): Promise<{ readonly page: Page; readonly faults: Faults }> {
    const context = await this.browser.newContext({
      viewport: { width: 1280, height: 600 },
      reducedMotion: 'reduce',
    });
    t.teardown(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const faults: Faults = { errors: [], foreign: [] };
    page.on('pageerror', (error) => faults.errors.push(String(error)));
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted|TypeError/i.test(message.text())) faults.errors.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`${this.url}/`)) faults.foreign.push(request.url());
    });
    await page.goto(`${this.url}${path}`);
    return { page, faults };
  }
}

/** A page of another origin that reads frames as the real package's receiver does, and keeps them in `received`. */
export async function hostedInspector(
  t: ExecutionContext,
): Promise<{ readonly url: string; readonly asked: string[] }> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createBrowserReceiver } from '@statelyai/inspect';
        window.received = [];
        createBrowserReceiver({ window }).subscribe((event) => window.received.push(event));`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    write: false,
    logLevel: 'silent',
  });
  await stop();
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const isScript = url === '/inspect.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(
      isScript ? outputFiles[0]?.text : '<!doctype html><title>Inspector</title><script src="/inspect.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/inspect`, asked };
}
