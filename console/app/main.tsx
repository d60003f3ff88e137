// The console: what a browser runs first.
import { render } from 'preact';
import { keepConnected, readWhoami } from '../live/connection.js';
import { takeCode } from '../live/sign-in.js';
import { followLinks } from '../url/address.js';
import { speak } from './live-region.js';
import { Shell } from './shell.js';

const root = document.getElementById('console');
followLinks();
speak();
await takeCode();
await readWhoami();
if (root !== null) render(<Shell />, root);
void keepConnected();
