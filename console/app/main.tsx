// The console: what a browser runs first.
import { render } from 'preact';
import { followLinks } from '../url/address.js';
import { Shell } from './shell.js';

followLinks();
const root = document.getElementById('console');
if (root !== null) render(<Shell />, root);
