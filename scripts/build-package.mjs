// `npm pack` runs this first (prepack): dist/src as its sources want it, nothing missing and nothing left over.
import { buildDaemon } from './build.mjs';
import { catchSignals } from './child-process.mjs';
import { fail } from './say.mjs';
import { ROOT } from './setup.mjs';

catchSignals();
buildDaemon(ROOT).catch(fail);
