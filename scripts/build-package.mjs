// `npm pack` runs this first (prepack): dist/src as its sources want it, nothing missing and nothing left over, and dist/vendor.
import { buildDaemon } from './build.mjs';
import { removeOldBundles } from './bundles.mjs';
import { catchSignals } from './child-process.mjs';
import { fail } from './say.mjs';
import { ROOT } from './setup.mjs';

catchSignals();
buildDaemon(ROOT)
  .then(() => removeOldBundles(ROOT))
  .catch(fail);
