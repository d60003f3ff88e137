// `npm pack` runs this first (prepack): dist/src as its sources want it, nothing missing and nothing left over, dist/vendor, dist/pages, and the template
// that an installed package makes its embedded database from. `postpack` removes the template: in a checkout it is made as needed.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDaemon } from './build.mjs';
import { removeOldBundles } from './bundles.mjs';
import { catchSignals, throwIfInterrupted } from './child-process.mjs';
import { removeOldPages } from './pages.mjs';
import { fail } from './say.mjs';
import { ROOT } from './setup.mjs';

async function main() {
  await buildDaemon(ROOT);
  removeOldBundles(ROOT);
  removeOldPages(ROOT);
  await makeTemplate();
}

/** Of a database of its own: one that was made from a template would have nothing new. */
async function makeTemplate() {
  const { openEmbedded } = await import('../dist/src/embedded/postgres/embedded.js');
  const { TEMPLATE_FILE } = await import('../dist/src/embedded/postgres/embedded-template.js');
  const dataDir = mkdtempSync(join(tmpdir(), 'extreg-pack-'));
  try {
    const database = await openEmbedded(dataDir, { templates: [], onFailure: fail });
    await database.close();
    throwIfInterrupted();
    copyFileSync(join(dataDir, TEMPLATE_FILE), join(ROOT, 'dist', TEMPLATE_FILE));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

catchSignals();
main().catch(fail);
