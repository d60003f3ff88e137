// docs/instances.md: its commands print what it shows.
import test from 'ava';
import { walkPage } from './walk.js';

test('docs/instances.md: its commands print what it shows', (t) => walkPage(t, 'docs/instances.md', 30));
