// docs/rollout.md: its commands print what it shows.
import test from 'ava';
import { walkPage } from './walk.js';

test('docs/rollout.md: its commands print what it shows', (t) => walkPage(t, 'docs/rollout.md', 15));
