// `npm run build`: dist/ as all sources want it.
import { buildAll } from './build.mjs';
import { catchSignals } from './child-process.mjs';
import { fail } from './say.mjs';
import { ROOT } from './setup.mjs';

catchSignals();
buildAll(ROOT).catch(fail);
