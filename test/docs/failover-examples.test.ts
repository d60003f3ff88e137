// docs/failover.md: its commands print what it shows.
import test from 'ava';
import { walkPage } from './walk.js';

test('docs/failover.md: its commands print what it shows', (t) => walkPage(t, 'docs/failover.md', 40));
