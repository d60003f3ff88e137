// scripts/other-nodes.mjs: which versions of Node `npm run test:deep` adds, and where they are kept.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';

const { ensureNode, NODES, otherNodes, withNode } = (await import(
  pathToFileURL(resolve('scripts/other-nodes.mjs')).href
)) as {
  ensureNode: (
    version: string,
    dataDir: string,
    env?: NodeJS.ProcessEnv,
  ) => Promise<{ node?: string; missing?: string }>;
  NODES: readonly string[];
  otherNodes: (running: string) => readonly string[];
  withNode: (env: NodeJS.ProcessEnv, node: string) => NodeJS.ProcessEnv;
};
const { default: ava } = (await import(pathToFileURL(resolve('ava.config.js')).href)) as {
  default: { files: string[] };
};

test('OTHER-NODES-1: one of each major version, from the floor of package.json on, but that which runs', (t) => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
  t.is(engines.node, `>=${NODES[0]}`);
  t.deepEqual(otherNodes('20.20.2'), ['22', '24']);
  t.deepEqual(otherNodes('22.0.0'), ['20.19', '24']);
  t.deepEqual(otherNodes('26.1.0'), ['20.19', '22', '24']);
  t.true(ava.files.includes('dist/test/**/*.test.js'));
});

test('OTHER-NODES-2: one that is there is used; another one, or none that can be fetched, is named', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'extreg-nodes-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const install = (version: string, says: string): string => {
    const bin = join(dataDir, 'tools', `node-${version}`, 'node_modules', 'node', 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'node'), `#!/bin/sh\necho ${says}\n`);
    chmodSync(join(bin, 'node'), 0o755);
    return join(bin, 'node');
  };
  const node = install('22', 'v22.1.0');
  t.deepEqual(await ensureNode('22', dataDir), { node });
  t.is(withNode({ PATH: '/bin' }, node).PATH, `${join(node, '..')}:/bin`);
  install('24', 'v22.1.0');
  t.regex((await ensureNode('24', dataDir)).missing ?? '', /no Node 24 that runs here/);
  // Without npm nothing can be fetched.
  t.truthy((await ensureNode('20.19', dataDir, { PATH: dataDir })).missing);
});
